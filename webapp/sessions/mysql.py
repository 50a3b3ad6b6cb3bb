"""The six verbs as SQL: one statement each, on MySQL 8.4 or newer and MariaDB 10.11 or newer.

The table is infra/mysql/schema/. All times are the database's: servers hop, and clocks differ.
No statement writes what was read before, so none can overwrite what another server did.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

import pymysql
from pymysql.constants import CLIENT, CR, ER

from .connection import NOT_DONE, OUTCOME_UNKNOWN, Answer, Connection
from .handler import (
    MAX_INTEGER,
    Change,
    Lifetimes,
    Listed,
    SessionBroken,
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

# The server has undone the statement and says so: repeating it is safe.
UNDONE = {ER.LOCK_DEADLOCK, ER.LOCK_WAIT_TIMEOUT}
# The connection broke or was dropped. Another one may answer a read; a write is left to the visitor, because
# a broken one may have done it, and because a database that refuses all writes is not helped by more of them.
BROKEN = {CR.CR_SERVER_GONE_ERROR, CR.CR_SERVER_LOST} | OUTCOME_UNKNOWN | NOT_DONE
MAX_REPEATS = 2

# What can keep a change from being made, beside the end of the session.
Condition = Literal["broken", "overtaken", "not countable", "not a list", "too large"]


# By its text: MySQL's JSON_TYPE has another name for integers from 2^32 on, MariaDB's takes 1e16 for one.
IS_INTEGER = "CAST({0} AS CHAR) REGEXP '^-{{0,1}}[0-9]{{1,16}}$'"

LIVE = "data IS NOT NULL AND expires_at > UNIX_TIMESTAMP()"
# What every live row keeps, whoever wrote it (docs/row-contract.md), and how it is told of one that does not.
# A change of such a row would be acknowledged and lost: JSON_SET leaves an array as it is, and MariaDB's
# makes half a text NULL, which is the end of the session.
KEPT = {
    # Valid first: in a change, MariaDB's other functions would make an error of what is not.
    "its data are no JSON object": "JSON_VALID(data) AND JSON_TYPE(data) = 'OBJECT'",
    "its version is not above 0": "version > 0",
    "its times are out of order": "created_at <= expires_at AND expires_at <= absolute_at",
}
INTACT = " AND ".join(KEPT.values())
# Never backwards, and never beyond the absolute timeout.
TOUCHED = "LEAST(GREATEST(expires_at, UNIX_TIMESTAMP() + %(idle_s)s), absolute_at)"
STARTS_ANEW = "UNIX_TIMESTAMP(), UNIX_TIMESTAMP() + %(first_idle_s)s, UNIX_TIMESTAMP() + %(absolute_s)s"

# One column instead of five: each costs the driver a description to read, and all of it is JSON in the end.
# JSON_EXTRACT tells MariaDB, which keeps JSON as text, that the data are no string. HEX, because of a user
# that is no UTF-8 one database makes nobody, and the other somebody else.
READ = f"""SELECT JSON_ARRAY({INTACT}, JSON_EXTRACT(data, '$'), version, HEX(`user`),
    expires_at - UNIX_TIMESTAMP(), {TOUCHED} - expires_at)
  FROM sessions WHERE id = %(key)s AND {LIVE}"""

# A plain INSERT, never an upsert: an upsert would revive what a logout has just ended.
CREATE = f"""INSERT INTO sessions (id, data, version, `user`, created_at, expires_at, absolute_at)
  VALUES (%(key)s, %(data)s, 1, %(user)s, {STARTS_ANEW})"""

TOUCH = f"UPDATE sessions SET expires_at = {TOUCHED} WHERE id = %(key)s AND {LIVE}"

# The version is assigned before the data, so a count still sees the old data.
CHANGE = f"""UPDATE sessions
  SET version = {{version}}, data = {{data}}, `user` = COALESCE(%(user)s, `user`), expires_at = {TOUCHED}
  WHERE id = %(key)s AND {{where}}"""

# One statement moves the session to its new id and leaves a tombstone under the old one, so
# nobody ever sees it under both or neither: the SELECT yields the row twice, as the new id,
# which is inserted, and as the old id, which is there already and so becomes the tombstone.
# A new id that is taken would become one as well; made into the old id, it is a duplicate instead.
ROTATE = f"""INSERT INTO sessions (id, version, data, `user`, created_at, expires_at, absolute_at)
  SELECT IF(copy.is_new, %(new_key)s, id), {{version}}, {{data}}, COALESCE(%(user)s, `user`), {STARTS_ANEW}
  FROM sessions AS old JOIN (SELECT TRUE AS is_new UNION ALL SELECT FALSE) AS copy
  WHERE id = %(key)s AND {{where}} FOR UPDATE
  ON DUPLICATE KEY UPDATE sessions.id = %(key)s, sessions.data = NULL, sessions.`user` = NULL,
    sessions.expires_at = UNIX_TIMESTAMP() + %(tombstone_s)s"""

# Why a change matched no row is asked of the row itself, with the very conditions of the change.
REASON = "SELECT data IS NULL{verdicts} FROM sessions WHERE id = %(key)s AND expires_at > UNIX_TIMESTAMP()"

END = "UPDATE sessions SET data = NULL, `user` = NULL, expires_at = UNIX_TIMESTAMP() + %(tombstone_s)s"
DESTROY = f"{END} WHERE id = %(key)s AND {LIVE}"
END_ONE = f"{DESTROY} AND `user` = %(user)s"
OF_USER = f"""SELECT id, UNIX_TIMESTAMP() - created_at, UNIX_TIMESTAMP() + %(idle_s)s - expires_at
  FROM sessions WHERE `user` = %(user)s AND {LIVE}"""
END_USER = f"{END} WHERE `user` = %(user)s AND {LIVE}"

# Two steps, because a DELETE by range locks rows that live requests are about to touch:
# it deadlocked with them, also with a LIMIT; sorted primary keys did not.
DUE = "expires_at <= UNIX_TIMESTAMP() - %(grace_s)s"
EXPIRED = f"SELECT id FROM sessions WHERE {DUE} ORDER BY expires_at LIMIT %(batch)s"
REMOVE = f"DELETE FROM sessions WHERE id IN %(keys)s AND {DUE}"
# Lock names are the server's, not the schema's.
LOCK = "SELECT GET_LOCK(CONCAT(DATABASE(), '.sessions.clean'), 0)"
UNLOCK = "SELECT RELEASE_LOCK(CONCAT(DATABASE(), '.sessions.clean'))"


# Set at connect, because a server's globals may be anything. A promise rests on each of these.
SESSION_SETTINGS = {
    # The driver's own switch trusts a status flag that is wrong when the global is 0: nothing was committed.
    "autocommit": "1",
    # Seconds; a request has 2.5 of them. The second is for FLUSH TABLES WITH READ LOCK and ALTER TABLE. Its
    # default is a year, and then a statement is carried out long after its visitor got an error.
    "innodb_lock_wait_timeout": "1",
    "lock_wait_timeout": "2",
    # Refuses a value that does not fit, and reads backslashes in literals as the driver writes them.
    "sql_mode": "'STRICT_ALL_TABLES'",
    # NOW() of the switch means another moment in a zone that puts its clocks back.
    "time_zone": "'+00:00'",
    # A user's list is never cut, and no statement is refused for how it finds its rows.
    "sql_select_limit": "18446744073709551615",
    "sql_safe_updates": "0",
    "sql_big_selects": "1",
}
SET_SESSION = "SET SESSION " + ", ".join(f"{name} = {value}" for name, value in SESSION_SETTINGS.items())
# A statement of its own: MySQL and MariaDB 10.11 call the variable by different names.
SET_TRANSACTION = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ WRITE"


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
        connection = Connection(
            host=self.host,
            port=self.port,
            database=self.name,
            user=self.user,
            password=self.password,
            ssl=self.tls,
            ssl_disabled=self.tls is None,
            charset="utf8mb4",
            autocommit=None,  # as SET_SESSION says
            # rowcount is then "rows matched": a touch within the same second changes nothing.
            client_flag=CLIENT.FOUND_ROWS,
            # By the driver, which has to learn from the answer how to write a backslash from now on.
            init_command=SET_SESSION,
            connect_timeout=seconds,
            read_timeout=seconds,
            write_timeout=seconds,
        )
        connection.ask(SET_TRANSACTION, {})
        return connection


@dataclass(frozen=True, slots=True)
class _Plan:
    """The SQL of all changes that touch so many keys in the same ways, with named parameters.

    conditions: what is told by each verdict of `reason` but the first.
    """

    change: str
    rotate: str
    reason: str
    conditions: tuple[Condition, ...]


# Composing the text takes longer than sending it.
@lru_cache(maxsize=256)
def _plan(sets: int, removes: int, adds: bool, appends: bool, expects: bool) -> _Plan:
    data, count, replaced = "data", None, []
    conditions: dict[Condition, str] = {"broken": INTACT}
    if expects:
        conditions["overtaken"] = "version = %(seen)s"
    for number in range(sets):
        path = f"%(path{number})s"
        data = f"JSON_SET({data}, {path}, JSON_EXTRACT(%(value{number})s, '$'))"
        # What a new value takes the place of does not count.
        replaced.append(f"COALESCE(OCTET_LENGTH(JSON_EXTRACT(data, {path})), 0)")
    for number in range(removes):
        data = f"JSON_REMOVE({data}, %(gone{number})s)"
    if adds:
        old = "JSON_EXTRACT(data, %(counter)s)"
        count = f"COALESCE(CAST({old} AS SIGNED), 0) + %(n)s"
        data = f"JSON_SET({data}, %(counter)s, {count})"
        is_integer = IS_INTEGER.format(old)
        conditions["not countable"] = f"({old} IS NULL OR {is_integer}) AND ABS({count}) <= {MAX_INTEGER}"
    if appends:
        items = "COALESCE(JSON_EXTRACT(data, %(list)s), JSON_ARRAY())"
        count = f"JSON_LENGTH({items}) + 1"
        data = f"JSON_SET({data}, %(list)s, JSON_ARRAY_APPEND({items}, '$', JSON_EXTRACT(%(item)s, '$')))"
        conditions["not a list"] = f"JSON_TYPE({items}) = 'ARRAY'"
    # Removing must always be possible, also from a session that a smaller limit caught too large.
    if sets or adds or appends:
        size = " - ".join(["OCTET_LENGTH(data) + %(grows_by)s", *replaced])
        conditions["too large"] = f"{size} <= %(max_bytes)s"
    # LAST_INSERT_ID(n) makes n come back with the acknowledgement, which saves reading it.
    version = f"version + 1 + 0 * LAST_INSERT_ID({count})" if count else "LAST_INSERT_ID(version + 1)"
    where = " AND ".join([LIVE, *conditions.values()])
    return _Plan(
        CHANGE.format(version=version, data=data, where=where),
        ROTATE.format(version=version, data=data, where=where),
        REASON.format(verdicts="".join(f", {condition}" for condition in conditions.values())),
        tuple(conditions),
    )


def _parameters(change: Change) -> dict[str, Any]:
    """Return the values of a change by their names in its plan.

    Raises SessionRefused for a value or key that is not I-JSON.
    """
    found: dict[str, Any] = {"user": _bytes(change.user), "seen": change.expected_version}
    grows_by = 0
    for number, (name, value) in enumerate(change.set.items()):
        found[f"path{number}"], found[f"value{number}"] = _path(name), encode(value, name)
        grows_by += _size(found[f"path{number}"]) + _size(found[f"value{number}"])
    for number, name in enumerate(change.remove):
        found[f"gone{number}"] = _path(name)
    if change.add is not None:
        name, n = change.add
        encode(n, name)
        found["counter"], found["n"] = _path(name), n
        grows_by += _size(found["counter"]) + len(str(MAX_INTEGER))
    if change.append is not None:
        name, item = change.append
        found["list"] = _path(name)
        found["item"] = encode([item], name)[1:-1]  # in its list, which is one more container
        grows_by += _size(found["list"]) + _size(found["item"])
    return found | {"grows_by": grows_by}


@dataclass(slots=True)
class MySQLHandler:
    """Sessions in a table that all servers share. One instance serves one request at a time.

    deadline_s is the time that one request may spend here in all: waiting for a
    connection, connecting, statements and their repetition.

    clean_grace_s: how long an expired row stays, dead as it is. clean_goes_on: asked after each
    batch; False ends the pass, and the next one takes up the rest.
    """

    pool: Pool[Connection]
    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    max_bytes: int = 65536
    deadline_s: float = 2.5
    clean_batch: int = 100
    clean_pause_s: float = 0.05
    clean_grace_s: int = 0
    clean_goes_on: Callable[[], bool] = lambda: True
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
        rows = self._ask(READ, repeatable=True, key=key, idle_s=self.lifetimes.idle_s).rows
        if not rows:
            return None
        try:
            is_intact, data, version, user, ttl_s, touch_gains_s = json.loads(rows[0][0])
            name = user and bytes.fromhex(user).decode()
        except (ValueError, RecursionError) as error:
            raise SessionBroken(key) from error
        if not is_intact or name == "":
            raise SessionBroken(key)
        return Stored(data, version, name, ttl_s, touch_gains_s)

    def write(self, key: bytes, change: Change) -> Written:
        if change.create:
            return self._create(key, change)
        adds, appends = change.add is not None, change.append is not None
        expects = change.expected_version is not None
        plan = _plan(len(change.set), len(change.remove), adds, appends, expects)
        parameters = _parameters(change) | {"key": key, "max_bytes": self.max_bytes} | self._seconds
        # Twice, because a row that shows no reason for not matching has changed in between.
        for _ in range(2):
            if change.is_touch:
                answer = self._ask(TOUCH, **parameters)
            elif change.rotate_to is not None:
                answer = self._ask(plan.rotate, new_key=change.rotate_to, **parameters)
            else:
                answer = self._ask(plan.change, **parameters)
            if answer.matched:
                return _written(answer.carried, counts=adds or appends)
            if reason := self._reason(change, plan, parameters):
                raise reason
        raise SessionStoreUnavailable("a change matched no row, twice, though nothing spoke against it")

    def destroy(self, key: bytes) -> None:
        self._ask(DESTROY, key=key, tombstone_s=self.lifetimes.tombstone_s)

    def sessions_of_user(self, user: str) -> list[Listed]:
        rows = self._ask(OF_USER, repeatable=True, user=user.encode(), idle_s=self.lifetimes.idle_s).rows
        return [Listed(key, int(age_s), int(unused_s)) for key, age_s, unused_s in rows]

    def end_one_of_user(self, user: str, key: bytes) -> bool:
        tombstone_s = self.lifetimes.tombstone_s
        return bool(self._ask(END_ONE, user=user.encode(), key=key, tombstone_s=tombstone_s).matched)

    def end_user(self, user: str) -> int:
        return self._ask(END_USER, user=user.encode(), tombstone_s=self.lifetimes.tombstone_s).matched

    def clean(self) -> int:
        if self._ask(LOCK).rows != [[b"1"]]:
            raise SessionConflict("another cleaner is at work")
        cleaner, removed = self._connection, 0
        try:
            while True:
                self._left_s = self.deadline_s  # nobody waits for clean: each batch has a deadline of its own
                rows = self._ask(EXPIRED, batch=self.clean_batch, grace_s=self.clean_grace_s).rows
                expired = sorted(key for (key,) in rows)
                if expired:
                    removed += self._ask(REMOVE, keys=expired, grace_s=self.clean_grace_s).matched
                if len(expired) < self.clean_batch or not self.clean_goes_on():
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
        self._ask(CREATE, key=key, data=text, user=_bytes(change.user), **self._seconds)
        return Written(1 if result is None else None, result)

    @property
    def _seconds(self) -> dict[str, Any]:
        idle_s, absolute_s = self.lifetimes.idle_s, self.lifetimes.absolute_s
        return {
            "idle_s": idle_s,
            "first_idle_s": min(idle_s, absolute_s),
            "absolute_s": absolute_s,
            "tombstone_s": self.lifetimes.tombstone_s,
        }

    def _reason(self, change: Change, plan: _Plan, parameters: Mapping[str, Any]) -> SessionError | None:
        """Return why no row matched, by asking the row which condition fails; None if none does."""
        rows = self._ask(plan.reason, repeatable=True, **parameters).rows
        if not rows or rows[0][0] == b"1":
            return SessionGone(ended=bool(rows))
        for condition, holds in zip(plan.conditions, rows[0][1:], strict=True):
            if holds != b"1":
                return _refusal(condition, change, parameters["key"], self.max_bytes)
        return None

    def _ask(self, statement: str, *, repeatable: bool = False, **parameters: Any) -> Answer:
        """Run one statement within what is left of the deadline. It may use fewer parameters than there are.

        repeatable: it may be run again although nobody knows whether it has been run.
        Raises SessionStoreUnavailable, or SessionConflict where a new key is taken.
        """
        safe = UNDONE | BROKEN if repeatable else UNDONE
        for repeats_left in reversed(range(MAX_REPEATS + 1)):
            started = time.monotonic()
            try:
                return self._run(statement, parameters)
            except (pymysql.err.MySQLError, PoolExhausted, OSError) as error:
                if _code(error) == ER.DUP_ENTRY:
                    raise SessionConflict("the new key is taken") from error
                if _code(error) not in safe or not repeats_left:
                    raise SessionStoreUnavailable(f"the session table did not answer: {error}") from error
            finally:
                self._left_s -= time.monotonic() - started
        raise AssertionError("the last repeat returns or raises")

    def _run(self, statement: str, parameters: Mapping[str, Any]) -> Answer:
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
            return self._connection.ask(statement, parameters)
        finally:
            if not self._connection.open:
                self._give_back()


def _written(carried: int, *, counts: bool) -> Written:
    if counts:
        # The driver reads the eight bytes as unsigned.
        return Written(None, carried - 2**64 if carried >= 2**63 else carried)
    return Written(carried or None)


def _refusal(condition: Condition, change: Change, key: bytes, max_bytes: int) -> SessionError:
    match condition:
        case "broken":
            return SessionBroken(key)
        case "overtaken":
            return SessionConflict(f"version {change.expected_version} was overtaken")
        case "not countable":
            assert change.add is not None
            return SessionRefused.not_countable(*change.add)
        case "not a list":
            assert change.append is not None
            return SessionRefused.not_a_list(change.append[0])
        case "too large":
            return SessionRefused.too_large(max_bytes)


def _size(text: str) -> int:
    return len(text.encode())


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
