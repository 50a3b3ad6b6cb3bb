"""Reads one session at each member of a group, past the router, and through it, again and again.

Runs inside the keeper's container, which reaches all of them and has the driver; it is given as text, and so
imports nothing of verify. Prints a JSON line per answer: member, state, n, invoked, completed (monotonic ns,
which all containers of a machine share). Through the router: member db, state ROUTER.

    python -c … KEY STOP        KEY: the session's key in hexadecimal, STOP: a file whose coming ends it
"""

from __future__ import annotations

import contextlib
import json
import os
import ssl
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pymysql

MEMBERS = ("db-1", "db-2", "db-3")
ROUTER = "db"
LIMIT_S = 200
STATE = (
    "SELECT CONCAT(member_state, ' ', member_role) FROM performance_schema.replication_group_members"
    " WHERE member_id = @@server_uuid"
)
N = "SELECT JSON_EXTRACT(data, '$.n') FROM sessions WHERE id = UNHEX(%s)"


class Reader:
    """Two connections to one member, kept until they break: of its administrator, and of a web server."""

    def __init__(self, member: str) -> None:
        self.member = member
        self.connections: dict[str, Any] = {}

    def ask(self, user: str, password: str, statement: str, *parameters: str) -> Any:
        """Return the first value of the answer, None without rows. Raises MySQLError."""
        if user not in self.connections:
            self.connections[user] = pymysql.connect(
                host=self.member,
                user=user,
                password=password,
                database="hopproof",
                ssl=ssl.create_default_context(cafile="/etc/db-tls/ca.pem"),
                connect_timeout=2,
                read_timeout=2,
                autocommit=True,
            )
        try:
            with self.connections[user].cursor() as cursor:
                cursor.execute(statement, parameters)
                row = cursor.fetchone()
                return row and row[0]
        except pymysql.err.MySQLError:
            self.leave()
            raise

    def leave(self) -> None:
        while self.connections:
            with contextlib.suppress(pymysql.err.MySQLError):
                self.connections.popitem()[1].close()

    def read(self, key: str, root: str, web: str) -> None:
        # The state first: an answer is judged by the state that the member had before it.
        state = "ROUTER" if self.member == ROUTER else self.ask("root", root, STATE) or "OFFLINE"
        invoked = time.monotonic_ns()
        n = self.ask("web", web, N, key)
        said = {"member": self.member, "state": state.strip(), "n": n and int(n), "invoked": invoked}
        # One write: `print` writes the end of a line apart, and another thread's line may come between.
        sys.stdout.write(json.dumps({**said, "completed": time.monotonic_ns()}) + "\n")


def main() -> None:
    key, stop = sys.argv[1:]
    root, web = Path("/run/secrets/db_root_password").read_text().strip(), os.environ["WEB_PASSWORD"]
    end = time.monotonic() + LIMIT_S

    def read_until_told(member: str, keeps: bool) -> None:
        reader = Reader(member)
        while not Path(stop).exists() and time.monotonic() < end:
            with contextlib.suppress(pymysql.err.MySQLError, OSError):
                reader.read(key, root, web)
            if not keeps:
                reader.leave()
            time.sleep(0.05)

    # Through the router by a connection that is kept, as in a pool, and by new ones.
    readers = [*((member, True) for member in MEMBERS), (ROUTER, True), (ROUTER, False)]
    threads = [threading.Thread(target=read_until_told, args=reader) for reader in readers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
