"""The six functions of the PHP tutorials, in Python, like most hand-written session tables.

Modelled on the class that tutorials pass to session_set_save_handler() (`_open`, `_close`, `_read`, `_write`,
`_destroy`, `_gc` on `sessions (id, access, data)`), and on the steps of PHP around it:

- `_open` connects, for every request anew, or returns false: then session_start() warns, and goes on.
- `_read` returns the data of the row, and '' without one or when the query failed. It never asks for the age.
- `_write` is `REPLACE INTO sessions VALUES (:id, :access, :data)`, with all of $_SESSION, at the end of every
  request: with callbacks in place PHP does so whether the session was changed or not.
- `_destroy` deletes; session_destroy() and the setcookie() of the manual's example surround it.
- `_gc` is run by one request in a hundred (session.gc_probability, gc_divisor), by the server's clock.
- The id in the cookie is taken as it comes (session.use_strict_mode = 0, the default), unless it has one of
  the characters that session_start() refuses.
- A login calls session_regenerate_id(true). Many tutorials forget it, or the `true`; this one does not.
"""

from __future__ import annotations

import json
import random
import secrets
import time
from typing import Any
from urllib.parse import unquote

import pymysql
from bottle import Bottle, request, response

from rivals.probe import database, respond

MAX_LIFETIME_S = 1440  # session.gc_maxlifetime


class Sessions:
    """`class Session` of the tutorials, method by method."""

    db: Any = None

    def open(self) -> bool:
        config = database()
        try:
            self.db = pymysql.connect(
                host=config.db_host,
                user=config.db_user,
                password=config.db_password(),
                database=config.db_name,
                autocommit=True,
                ssl_disabled=True,  # as mysqli and PDO connect unless told otherwise
            )
        except pymysql.Error:
            return False
        return True

    def close(self) -> bool:
        if self.db:
            self.db.close()
        return True

    def read(self, session_id: str) -> str:
        rows = self._execute("SELECT data FROM sessions WHERE id = %s", session_id)
        return rows[0][0] if rows else ""

    def write(self, session_id: str, data: str) -> bool:
        access = int(time.time())
        return (
            self._execute("REPLACE INTO sessions VALUES (%s, %s, %s)", session_id, access, data) is not None
        )

    def destroy(self, session_id: str) -> bool:
        return self._execute("DELETE FROM sessions WHERE id = %s", session_id) is not None

    def gc(self, max_lifetime_s: int) -> bool:
        return (
            self._execute("DELETE FROM sessions WHERE access < %s", int(time.time()) - max_lifetime_s)
            is not None
        )

    def _execute(self, statement: str, *values: Any) -> Any:
        """Return the rows, or None on failure: `if ($this->db->execute())`."""
        try:
            with self.db.cursor() as cursor:
                cursor.execute(statement, values)
                return cursor.fetchall()
        except (pymysql.Error, AttributeError):  # AttributeError: there is no connection
            return None


application = Bottle()


@application.route("/<:re:.*>", method=["GET", "PUT", "DELETE", "POST"])
def serve() -> str:
    response.content_type = "application/json"
    if request.path == "/api/stateless":  # a script that does not call session_start()
        response.status, text = respond(request.method, request.path, b"", {}, login=print, logout=print)
        return text
    handler = Sessions()
    # session_start()
    handler.open()
    session_id = cookie("session")
    if not session_id or set(session_id) & set("\r\n\t <>'\"\\"):
        session_id = new_id()
    if random.random() < 1 / 100:
        handler.gc(MAX_LIFETIME_S)
    session = json.loads(handler.read(session_id) or "{}")

    def login() -> None:  # session_regenerate_id(true)
        nonlocal session_id
        handler.destroy(session_id)
        session_id = new_id()

    def logout() -> None:  # setcookie(session_name(), '', time() - 42000, …); session_destroy();
        nonlocal session_id
        response.delete_cookie("session", path="/")
        handler.destroy(session_id)
        session_id = None

    response.status, text = respond(request.method, request.path, request.body.read(), session, login, logout)
    # The end of the script: PHP saves.
    if session_id:
        handler.write(session_id, json.dumps(session))
    handler.close()
    return text


def cookie(name: str) -> str | None:
    """Return a cookie as PHP finds it: it accepts any grammar, and the first of a name counts."""
    pairs = (pair.strip().partition("=") for pair in request.environ.get("HTTP_COOKIE", "").split(";"))
    return next((unquote(value) for key, _, value in pairs if key == name), None)


def new_id() -> str:
    """Make up an id and send it, as session_start() does: 32 hexadecimal digits."""
    session_id = secrets.token_hex(16)
    response.set_cookie("session", session_id, path="/")
    return session_id


def create_tables() -> None:
    handler = Sessions()
    handler.open()
    handler._execute(
        "CREATE TABLE sessions (id VARCHAR(32) NOT NULL PRIMARY KEY, access INT UNSIGNED, data TEXT)"
    )
    handler.close()
