"""The six verbs as SQL: one statement each, on MySQL 8.4 or newer and MariaDB 10.11 or newer.

The table is infra/mysql/schema/. All times are the database's: servers hop, and clocks differ.
No statement writes what was read before, so none can overwrite what another server did.
"""

from __future__ import annotations

import json
import logging
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

import pymysql
from pymysql.constants import CLIENT, CR, ER

from .connection import Answer, Connection
from .handler import (
    MAX_INTEGER,
    Change,
    Json,
    Lifetimes,
    SessionConflict,
    SessionError,
    SessionGone,
    SessionRefused,
    SessionStoreUnavailable,
    Stored,
    Written,
)
from .ijson import encode
from .pool import Pool, PoolExhausted

log = logging.getLogger(__name__)

# The server has undone the statement and says so: repeating it is safe.
UNDONE = {ER.LOCK_DEADLOCK, ER.LOCK_WAIT_TIMEOUT}
# The connection broke: nobody knows what became of the statement. Only a read may be repeated.
BROKEN = {CR.CR_SERVER_GONE_ERROR, CR.CR_SERVER_LOST}
MAX_REPEATS = 2


class Sql(NamedTuple):
    """A piece of SQL with the parameters of its placeholders, in order."""

    text: str
    parameters: tuple[Any, ...] = ()


@cache
def _words(template: str) -> list[str]:
    return template.split("?")


def sql(template: str, *parts: Any) -> Sql:
    """Return the template with each ? filled in: by a piece of SQL, else by a parameter."""
    words = _words(template)
    pieces = [part if isinstance(part, Sql) else Sql("%s", (part,)) for part in parts]
    text = words[0] + "".join(piece.text + word for piece, word in zip(pieces, words[1:], strict=True))
    return Sql(text, tuple(parameter for piece in pieces for parameter in piece.parameters))


# By its text: MySQL's JSON_TYPE has another name for integers from 2^32 on, MariaDB's takes 1e16 for one.
IS_INTEGER = "CAST(? AS CHAR) REGEXP '^-{0,1}[0-9]{1,16}$'"

LIVE = Sql("data IS NOT NULL AND expires_at > UNIX_TIMESTAMP()")
NOW_PLUS = "UNIX_TIMESTAMP() + ?"
# Never backwards, and never beyond the absolute timeout.
TOUCHED = f"LEAST(GREATEST(expires_at, {NOW_PLUS}), absolute_at)"

# One column instead of five: each costs the driver a description to read, and all of it is JSON in the end.
# JSON_EXTRACT tells MariaDB, which keeps JSON as text, that the data are no string.
READ = f"""SELECT JSON_ARRAY(JSON_EXTRACT(data, '$'), version, CONVERT(`user` USING utf8mb4),
    expires_at - UNIX_TIMESTAMP(), {TOUCHED} - expires_at)
  FROM sessions WHERE id = ? AND expires_at > UNIX_TIMESTAMP()"""

# A plain INSERT, never an upsert: an upsert would revive what a logout has just ended.
CREATE = f"""INSERT INTO sessions (id, data, version, `user`, created_at, expires_at, absolute_at)
  VALUES (?, ?, 1, ?, UNIX_TIMESTAMP(), {NOW_PLUS}, {NOW_PLUS})"""

TOUCH = f"UPDATE sessions SET expires_at = {TOUCHED} WHERE id = ? AND ?"

CHANGE = f"""UPDATE sessions SET version = ?, data = ?, `user` = COALESCE(?, `user`), expires_at = {TOUCHED}
  WHERE id = ? AND ?"""

# One statement moves the session to its new id and leaves a tombstone under the old one, so
# nobody ever sees it under both or neither: the SELECT yields the row twice, as the new id,
# which is inserted, and as the old id, which is there already and so becomes the tombstone.
# A new id that is taken would become one as well; made into the old id, it is a duplicate instead.
ROTATE = f"""INSERT INTO sessions (id, version, data, `user`, created_at, expires_at, absolute_at)
  SELECT IF(copy.is_new, ?, id), ?, ?, COALESCE(?, `user`), UNIX_TIMESTAMP(), {NOW_PLUS}, {NOW_PLUS}
  FROM sessions AS old JOIN (SELECT TRUE AS is_new UNION ALL SELECT FALSE) AS copy
  WHERE id = ? AND ? FOR UPDATE
  ON DUPLICATE KEY UPDATE
    sessions.id = ?, sessions.data = NULL, sessions.`user` = NULL, sessions.expires_at = {NOW_PLUS}"""

END = f"UPDATE sessions SET data = NULL, `user` = NULL, expires_at = {NOW_PLUS}"
DESTROY = f"{END} WHERE id = ? AND ?"
OF_USER = "SELECT id FROM sessions WHERE `user` = ? AND ?"
END_USER = f"{END} WHERE `user` = ? AND ?"

# Two steps, because a DELETE by range locks rows that live requests are about to touch:
# it deadlocked with them, also with a LIMIT; sorted primary keys did not.
EXPIRED = "SELECT id FROM sessions WHERE expires_at <= UNIX_TIMESTAMP() ORDER BY expires_at LIMIT ?"
REMOVE = "DELETE FROM sessions WHERE id IN ? AND expires_at <= UNIX_TIMESTAMP()"
# Lock names are the server's, not the schema's.
LOCK = sql("SELECT GET_LOCK(CONCAT(DATABASE(), '.sessions.clean'), 0)")
UNLOCK = sql("SELECT RELEASE_LOCK(CONCAT(DATABASE(), '.sessions.clean'))")


@dataclass(frozen=True, slots=True)
class Database:
    """Where the table is, and how many connections this process may keep to it.

    tls: None speaks plain TCP, for a network that nobody else is on: the driver's own default,
    TLS with whoever answers, took 20 % of the reads per second and 50 ms more per connection.
    """

    host: str
    port: int
    name: str
    user: str
    password: str = field(repr=False)
    connections: int = 8
    tls: ssl.SSLContext | None = None

    def pool(self) -> Pool[Connection]:
        """Return a pool that connects on demand; no connection is made yet."""
        return Pool(self._connect, self.connections)

    def _connect(self, seconds: float) -> Connection:
        return Connection(
            host=self.host,
            port=self.port,
            database=self.name,
            user=self.user,
            password=self.password,
            ssl=self.tls,
            ssl_disabled=self.tls is None,
            charset="utf8mb4",
            autocommit=True,
            # rowcount is then "rows matched": a touch within the same second changes nothing.
            client_flag=CLIENT.FOUND_ROWS,
            # Seconds; a request has 2.5 of them, and a lock is held for the time of one statement.
            init_command="SET SESSION innodb_lock_wait_timeout = 1",
            connect_timeout=seconds,
            read_timeout=seconds,
            write_timeout=seconds,
        )


@dataclass(frozen=True, slots=True)
class _Condition:
    """What must hold for a change, and what it means when it does not."""

    sql: Sql
    otherwise: SessionError


class _Applied:
    """A change in SQL: what the data become, what is counted, and on which conditions.

    Raises SessionRefused for a value or key that is not I-JSON.
    """

    def __init__(self, change: Change, max_bytes: int) -> None:
        self.data = Sql("data")
        self.count: Sql | None = None
        self.conditions: list[_Condition] = []
        self._grows_by = Sql("0")
        if change.expected_version is not None:
            conflict = SessionConflict(f"version {change.expected_version} was overtaken")
            self.conditions.append(_Condition(sql("version = ?", change.expected_version), conflict))
        for name, value in change.set.items():
            self._set(name, value)
        for name in change.remove:
            self.data = sql("JSON_REMOVE(?, ?)", self.data, _path(name))
        if change.add is not None:
            self._add(*change.add)
        if change.append is not None:
            self._append(*change.append)
        # Removing must always be possible, also from a session that a smaller limit caught too large.
        if change.set or change.add or change.append:
            fits = sql("OCTET_LENGTH(data) + ? <= ?", self._grows_by, max_bytes)
            self.conditions.append(_Condition(fits, SessionRefused.too_large(max_bytes)))

    def _set(self, name: str, value: Json) -> None:
        text = encode(value, name)
        self.data = sql("JSON_SET(?, ?, JSON_EXTRACT(?, '$'))", self.data, _path(name), text)
        # What a new value takes the place of does not count.
        replaced = sql("COALESCE(OCTET_LENGTH(JSON_EXTRACT(data, ?)), 0)", _path(name))
        self._grow(name, text)
        self._grows_by = sql("? - ?", self._grows_by, replaced)

    def _add(self, name: str, n: int) -> None:
        encode(n, name)
        old = sql("JSON_EXTRACT(data, ?)", _path(name))
        self.count = sql("COALESCE(CAST(? AS SIGNED), 0) + ?", old, n)
        self.data = sql("JSON_SET(?, ?, ?)", self.data, _path(name), self.count)
        self._grow(name, str(MAX_INTEGER))
        is_countable = sql(f"(? IS NULL OR {IS_INTEGER}) AND ABS(?) <= ?", old, old, self.count, MAX_INTEGER)
        self.conditions.append(_Condition(is_countable, SessionRefused.not_countable(name, n)))

    def _append(self, name: str, item: Json) -> None:
        text = encode([item], name)[1:-1]  # in its list, which is one more container
        items = sql("COALESCE(JSON_EXTRACT(data, ?), JSON_ARRAY())", _path(name))
        self.count = sql("JSON_LENGTH(?) + 1", items)
        longer = sql("JSON_ARRAY_APPEND(?, '$', JSON_EXTRACT(?, '$'))", items, text)
        self.data = sql("JSON_SET(?, ?, ?)", self.data, _path(name), longer)
        self._grow(name, text)
        is_list = sql("JSON_TYPE(?) = 'ARRAY'", items)
        self.conditions.append(_Condition(is_list, SessionRefused.not_a_list(name)))

    def _grow(self, name: str, text: str) -> None:
        self._grows_by = sql("? + ?", self._grows_by, len(_path(name).encode()) + len(text.encode()))


@dataclass(slots=True)
class MySQLHandler:
    """Sessions in a table that all servers share. One instance serves one request at a time.

    deadline_s is the time that one request may spend here in all: waiting for a
    connection, connecting, statements and their repetition.
    """

    pool: Pool[Connection]
    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    max_bytes: int = 65536
    deadline_s: float = 2.5
    clean_batch: int = 500
    clean_pause_s: float = 0.05
    _connection: Connection | None = None
    _is_open: bool = False
    _left_s: float = 0.0

    def open(self) -> None:
        self._is_open = True
        self._left_s = self.deadline_s

    def close(self) -> None:
        self._is_open = False
        self._give_back()

    def _give_back(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self.pool.give_back(connection)

    def read(self, key: bytes) -> Stored | None:
        rows = self._ask(sql(READ, self.lifetimes.idle_s, key), repeatable=True).rows
        if not rows or rows[0][0] is None:
            return None
        data, version, user, ttl_s, touch_gains_s = json.loads(rows[0][0])
        return None if data is None else Stored(data, version, user, ttl_s, touch_gains_s)

    def write(self, key: bytes, change: Change) -> Written:
        if change.create:
            return self._create(key, change)
        applied = _Applied(change, self.max_bytes)
        statement = self._statement(key, change, applied)
        # Twice, because a row that shows no reason for not matching has changed in between.
        for _ in range(2):
            answer = self._ask(statement)
            if answer.matched:
                return _written(answer.carried, counts=applied.count is not None)
            if reason := self._reason(key, applied.conditions):
                raise reason
        raise SessionStoreUnavailable("a change matched no row, twice, though nothing spoke against it")

    def destroy(self, key: bytes) -> None:
        self._ask(sql(DESTROY, self.lifetimes.tombstone_s, key, LIVE))

    def keys_of_user(self, user: str) -> list[bytes]:
        return [key for (key,) in self._ask(sql(OF_USER, user.encode(), LIVE), repeatable=True).rows]

    def end_user(self, user: str) -> int:
        return self._ask(sql(END_USER, self.lifetimes.tombstone_s, user.encode(), LIVE)).matched

    def clean(self) -> int:
        if self._ask(LOCK).rows != [[b"1"]]:
            log.info("another cleaner is at work")
            return 0
        cleaner, removed = self._connection, 0
        try:
            while True:
                self._left_s = self.deadline_s  # nobody waits for clean: each batch has a deadline of its own
                expired = sorted(key for (key,) in self._ask(sql(EXPIRED, self.clean_batch)).rows)
                if expired:
                    removed += self._ask(sql(REMOVE, expired)).matched
                if len(expired) < self.clean_batch:
                    return removed
                time.sleep(self.clean_pause_s)
        finally:
            # The lock is the connection's: a broken one has given it up by itself.
            if self._connection is cleaner:
                self._left_s = self.deadline_s
                self._ask(UNLOCK)

    def _create(self, key: bytes, change: Change) -> Written:
        result = None
        data = dict(change.set)
        if change.add is not None:
            name, result = change.add
            data[name] = result
        if change.append is not None:
            name, item = change.append
            data[name], result = [item], 1
        members = (f"{_name(name)}:{encode(value, name)}" for name, value in data.items())
        text = "{" + ",".join(members) + "}"
        if len(text.encode()) > self.max_bytes:
            raise SessionRefused.too_large(self.max_bytes)
        absolute_s = self.lifetimes.absolute_s
        self._ask(sql(CREATE, key, text, _bytes(change.user), self._first_idle_s, absolute_s))
        return Written(1 if result is None else None, result)

    def _statement(self, key: bytes, change: Change, applied: _Applied) -> Sql:
        """Return the one statement that makes the change."""
        lifetimes = self.lifetimes
        if change.is_touch:
            return sql(TOUCH, lifetimes.idle_s, key, LIVE)
        # LAST_INSERT_ID(n) makes n come back with the acknowledgement, which saves reading it.
        # The version is assigned before the data, so the count still sees the old data.
        version = Sql("LAST_INSERT_ID(version + 1)")
        if applied.count is not None:
            version = sql("version + 1 + 0 * LAST_INSERT_ID(?)", applied.count)
        where = LIVE
        for condition in applied.conditions:
            where = sql("? AND ?", where, condition.sql)
        new_data = (version, applied.data, _bytes(change.user))
        if change.rotate_to is None:
            return sql(CHANGE, *new_data, lifetimes.idle_s, key, where)
        starts_anew = (self._first_idle_s, lifetimes.absolute_s)
        ends_old = (key, lifetimes.tombstone_s)
        return sql(ROTATE, change.rotate_to, *new_data, *starts_anew, key, where, *ends_old)

    @property
    def _first_idle_s(self) -> int:
        return min(self.lifetimes.idle_s, self.lifetimes.absolute_s)

    def _reason(self, key: bytes, conditions: Sequence[_Condition]) -> SessionError | None:
        """Return why no row matched, by asking the row which condition fails; None if none does."""
        verdicts = Sql("data IS NULL")
        for condition in conditions:
            verdicts = sql("?, ?", verdicts, condition.sql)
        asked = sql("SELECT ? FROM sessions WHERE id = ? AND expires_at > UNIX_TIMESTAMP()", verdicts, key)
        rows = self._ask(asked, repeatable=True).rows
        if not rows or rows[0][0] == b"1":
            return SessionGone(ended=bool(rows))
        for condition, holds in zip(conditions, rows[0][1:], strict=True):
            if holds != b"1":
                return condition.otherwise
        return None

    def _ask(self, statement: Sql, *, repeatable: bool = False) -> Answer:
        """Run one statement within what is left of the deadline.

        repeatable: it may be run again although nobody knows whether it has been run.
        Raises SessionStoreUnavailable, or SessionConflict where a new key is taken.
        """
        safe = UNDONE | BROKEN if repeatable else UNDONE
        for repeats_left in reversed(range(MAX_REPEATS + 1)):
            started = time.monotonic()
            try:
                return self._run(statement)
            except (pymysql.err.MySQLError, PoolExhausted, OSError) as error:
                if _code(error) == ER.DUP_ENTRY:
                    raise SessionConflict("the new key is taken") from error
                if _code(error) not in safe or not repeats_left:
                    raise SessionStoreUnavailable(f"the session table did not answer: {error}") from error
            finally:
                self._left_s -= time.monotonic() - started
        raise AssertionError("the last repeat returns or raises")

    def _run(self, statement: Sql) -> Answer:
        if not self._is_open:
            # Whoever borrows now never gives back. A generator is such a one: it runs after its route.
            raise RuntimeError("the handler is closed; use it between open and close")
        ends_at = time.monotonic() + self._left_s
        if self._connection is None and self._left_s > 0:
            self._connection = self.pool.borrow(self._left_s)
        left_s = ends_at - time.monotonic()
        if self._connection is None or left_s <= 0:
            # Not sent with a moment to go: it would be done, and answered with an error.
            raise TimeoutError(f"the {self.deadline_s} s that a request may wait are used up")
        try:
            self._connection.allow(left_s)
            return self._connection.ask(statement.text, statement.parameters)
        finally:
            if not self._connection.open:
                self._give_back()


def _written(carried: int, *, counts: bool) -> Written:
    if counts:
        # The driver reads the eight bytes as unsigned.
        return Written(None, carried - 2**64 if carried >= 2**63 else carried)
    return Written(carried or None)


def _path(name: str) -> str:
    return f"$.{_name(name)}"


def _name(name: str) -> str:
    """Return the one spelling of a key. MariaDB compares names as they are spelled, escapes included."""
    text = encode(name, name)
    # MariaDB cannot read a path in which a name starts with a minus, in quotes or not.
    return text.replace("-", "\\u002d", 1) if name.startswith("-") else text


def _bytes(user: str | None) -> bytes | None:
    return None if user is None else user.encode()


def _code(error: BaseException | None) -> int | None:
    """Return the number that the driver gives an error, None for an error of another kind."""
    first = error.args[0] if isinstance(error, pymysql.err.MySQLError) and error.args else None
    return first if isinstance(first, int) else None
