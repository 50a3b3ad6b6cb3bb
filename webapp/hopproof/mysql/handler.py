"""The verbs as SQL, one statement each, each statement above the verb that runs it.

The table is schema/001-sessions.sql. write's statements are composed in changing.py.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .. import limits
from ..handler import (
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
    size_limit,
)
from ..limits import MAX_ENDED_AT_ONCE, MAX_LISTED
from ..pool import Pool
from .borrowed import Borrowed
from .changing import TOUCH, Plan, first_data, parameters_of, plan_of, refusal, user_bytes
from .connection import Connection
from .row import BEGINS, INTACT, LIVE, TOUCHED


@dataclass(slots=True)
class MySQLHandler:
    """Sessions in a table that all servers share. One instance serves one request at a time.

    deadline_s: see Borrowed. clean_grace_s: seconds that an expired row stays in the table.
    should_continue: asked after each batch of clean; False ends the pass, and the next pass goes on.
    """

    pool: Pool[Connection]
    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    max_bytes: int = limits.MAX_BYTES
    anonymous_max_bytes: int | None = None
    deadline_s: float = limits.DEADLINE_S
    clean_batch: int = limits.CLEAN_BATCH
    clean_pause_s: float = limits.CLEAN_PAUSE_S
    clean_grace_s: int = 0
    should_continue: Callable[[], bool] = lambda: True
    connection: Borrowed = field(init=False)

    def __post_init__(self) -> None:
        self.connection = Borrowed(self.pool, self.deadline_s)

    def open(self) -> None:
        self.connection.open()

    def close(self) -> None:
        self.connection.close()

    # One column, because each costs a description to read.
    # JSON_EXTRACT tells MariaDB, which keeps JSON as text, that the data are no string. HEX, because a
    # user that is not UTF-8 becomes NULL in one database, and another text in the other.
    READ = f"""SELECT JSON_ARRAY({INTACT}, JSON_EXTRACT(data, '$'), version, HEX(`user`),
        expires_at - UNIX_TIMESTAMP(), {TOUCHED} - expires_at)
      FROM sessions WHERE id = %(key)s AND {LIVE}"""

    def read(self, key: bytes) -> Stored | None:
        rows = self.connection.ask(self.READ, repeatable=True, key=key, **self._limits).rows
        if not rows:
            return None
        try:
            is_intact, data, version, user, ttl_s, extendable_s = json.loads(rows[0][0])
            name = user and bytes.fromhex(user).decode()
        except (ValueError, RecursionError) as error:
            raise SessionBroken(key) from error
        if not is_intact or name == "":
            raise SessionBroken(key)
        return Stored(data, version, name, ttl_s, extendable_s)

    def write(self, key: bytes, change: Change) -> int | None:
        if change.create:
            return self._create(key, change)
        plan = plan_of(change)
        parameters = parameters_of(change) | {"key": key} | self._limits
        if change.is_touch:
            statement = TOUCH
        elif change.rotate_to is not None:
            statement = plan.rotate
            parameters["new_key"] = change.rotate_to
        else:
            statement = plan.change
        # Twice, because a row that shows no reason for not matching has changed in between.
        for _ in range(2):
            answer = self.connection.ask(statement, **parameters)
            if answer.matched:
                return _signed(answer.last_insert_id) if change.add or change.append else None
            if reason := self._reason(change, plan, parameters):
                raise reason
        raise SessionStoreUnavailable("a change matched no row, twice, although every condition holds")

    def _reason(self, change: Change, plan: Plan, parameters: dict[str, Any]) -> SessionError | None:
        """Return why no row matched, by asking the row which condition fails; None if none does."""
        rows = self.connection.ask(plan.reason, repeatable=True, **parameters).rows
        if not rows or rows[0][0]:
            return SessionGone(ended=bool(rows))
        _, max_bytes, *verdicts = rows[0]
        for condition, holds in zip(plan.conditions, verdicts, strict=True):
            if not holds:
                return refusal(condition, change, parameters["key"], max_bytes)
        return None

    # A plain INSERT, never an upsert: an upsert would revive what a logout has just ended.
    CREATE = f"""INSERT INTO sessions (id, data, version, `user`, created_at, expires_at, absolute_at)
      VALUES (%(key)s, %(data)s, 1, %(user)s, {BEGINS.format("%(user)s")})"""

    def _create(self, key: bytes, change: Change) -> int | None:
        text, result = first_data(change)
        user = change.user_after(None)
        max_bytes = size_limit(user, self.max_bytes, self.anonymous_max_bytes)
        if len(text.encode()) > max_bytes:
            raise SessionRefused.too_large(max_bytes)
        self.connection.ask(self.CREATE, key=key, data=text, user=user_bytes(user), **self._limits)
        return result

    @property
    def _limits(self) -> dict[str, Any]:
        """The values that statements need besides those of a change."""
        return {
            "idle_s": self.lifetimes.idle_s,
            "anonymous_idle_s": self.lifetimes.idle_of(None),
            "absolute_s": self.lifetimes.absolute_s,
            "tombstone_s": self.lifetimes.tombstone_s,
            "max_bytes": self.max_bytes,
            "anonymous_max_bytes": size_limit(None, self.max_bytes, self.anonymous_max_bytes),
        }

    END = "UPDATE sessions SET data = NULL, `user` = NULL, expires_at = UNIX_TIMESTAMP() + %(tombstone_s)s"
    DESTROY = f"{END} WHERE id = %(key)s AND {LIVE}"

    def destroy(self, key: bytes) -> None:
        self.connection.ask(self.DESTROY, key=key, tombstone_s=self.lifetimes.tombstone_s)

    OF_USER = f"""SELECT id, UNIX_TIMESTAMP() - created_at, UNIX_TIMESTAMP() + %(idle_s)s - expires_at
      FROM sessions WHERE `user` = %(user)s AND {LIVE} LIMIT {MAX_LISTED}"""

    def sessions_of_user(self, user: str) -> list[Listed]:
        idle_s = self.lifetimes.idle_s
        rows = self.connection.ask(self.OF_USER, repeatable=True, user=user.encode(), idle_s=idle_s).rows
        return [Listed(*row) for row in rows]

    END_ONE = f"{DESTROY} AND `user` = %(user)s"

    def end_one_of_user(self, user: str, key: bytes) -> bool:
        tombstone_s = self.lifetimes.tombstone_s
        answer = self.connection.ask(self.END_ONE, user=user.encode(), key=key, tombstone_s=tombstone_s)
        return bool(answer.matched)

    # In batches: one statement for 60,000 sessions took the whole time of a request. For 300,000 it went on
    # in the database after its visitor had got a 503.
    END_USER = f"{END} WHERE `user` = %(user)s AND {LIVE} LIMIT {MAX_ENDED_AT_ONCE}"

    def end_user(self, user: str) -> int:
        ended, tombstone_s = 0, self.lifetimes.tombstone_s
        while True:
            batch = self.connection.ask(self.END_USER, user=user.encode(), tombstone_s=tombstone_s).matched
            ended += batch
            if batch < MAX_ENDED_AT_ONCE:
                return ended

    # Two statements, because one that selects and ends would lock each session that it looks at.
    OLDEST = f"""SELECT id FROM (SELECT id, created_at FROM sessions WHERE `user` = %(user)s AND {LIVE}
        AND id <> %(key)s LIMIT %(some)s) AS some
      ORDER BY created_at DESC LIMIT {MAX_ENDED_AT_ONCE} OFFSET %(others)s"""
    END_THESE = f"{END} WHERE id IN %(keys)s AND `user` = %(user)s AND {LIVE}"

    def end_oldest_of_user(self, user: str, keep: int, key: bytes) -> int:
        theirs, others = user.encode(), keep - 1
        some = others + MAX_ENDED_AT_ONCE
        oldest = self.connection.ask(self.OLDEST, user=theirs, key=key, some=some, others=others).rows
        if not oldest:
            return 0
        keys, tombstone_s = sorted(key for (key,) in oldest), self.lifetimes.tombstone_s
        return self.connection.ask(self.END_THESE, keys=keys, user=theirs, tombstone_s=tombstone_s).matched

    # A lock name holds for the whole server, so it tells the schema. The hash keeps it within 64 characters.
    LOCK_NAME = "CONCAT('sessions.clean.', LEFT(SHA2(DATABASE(), 256), 40))"
    LOCK = f"SELECT GET_LOCK({LOCK_NAME}, 0)"
    UNLOCK = f"SELECT RELEASE_LOCK({LOCK_NAME})"
    # Two steps, because a DELETE by range locks rows that live requests are about to touch:
    # it deadlocked with them, also with a LIMIT; sorted primary keys did not.
    DUE = "expires_at <= UNIX_TIMESTAMP() - %(grace_s)s"
    EXPIRED = f"SELECT id FROM sessions WHERE {DUE} ORDER BY expires_at LIMIT %(batch)s"
    REMOVE = f"DELETE FROM sessions WHERE id IN %(keys)s AND {DUE}"

    def clean(self) -> int:
        if self.connection.ask(self.LOCK).rows != ((1,),):
            raise SessionConflict("another cleaner is at work")
        cleaner, removed, grace_s = self.connection.held, 0, self.clean_grace_s
        try:
            while True:
                self.connection.start_anew()  # no visitor waits for clean: each batch has a budget of its own
                rows = self.connection.ask(self.EXPIRED, batch=self.clean_batch, grace_s=grace_s).rows
                expired = sorted(key for (key,) in rows)
                if expired:
                    removed += self.connection.ask(self.REMOVE, keys=expired, grace_s=grace_s).matched
                if len(expired) < self.clean_batch or not self.should_continue():
                    return removed
                time.sleep(self.clean_pause_s)
        finally:
            # The lock belongs to the connection: a broken connection has released it.
            if self.connection.held is cleaner:
                self.connection.start_anew()
                self.connection.ask(self.UNLOCK)


def _signed(carried: int) -> int:
    """Return the 64 bits, which the driver reads as unsigned, as a signed number."""
    return carried - 2**64 if carried >= 2**63 else carried
