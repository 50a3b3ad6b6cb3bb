"""A store for Hopproof in one file: sessions in SQLite, shared by all servers of one machine.

The contract suite runs on it: tests/contract/run docs/examples/sqlite_store.py:SQLiteWorld
"""

import json
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hopproof.applied import applied
from hopproof.handler import (
    Change,
    Lifetimes,
    Listed,
    SessionConflict,
    SessionGone,
    SessionStoreUnavailable,
    Stored,
    size_limit,
)
from hopproof.limits import DEADLINE_S, MAX_BYTES, MAX_LISTED

# A row without data is a tombstone: its session was ended, and no late write may revive it.
TABLE = """CREATE TABLE sessions (id BLOB PRIMARY KEY, data TEXT, version INTEGER, user TEXT,
  expires_at INTEGER, absolute_at INTEGER)"""
FIND = "SELECT data, version, user, expires_at, absolute_at FROM sessions WHERE id = ?"
LIVE = "data IS NOT NULL AND expires_at > ?"


@dataclass
class SQLiteHandler:
    path: Path
    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    max_bytes: int = MAX_BYTES
    anonymous_max_bytes: int | None = None
    clean_grace_s: int = 0

    def open(self) -> None: ...  # each verb connects by itself: with SQLite that opens a file

    def close(self) -> None: ...

    @contextmanager
    def _locked(self) -> Iterator[tuple[sqlite3.Connection, int]]:
        """Give a transaction and the store's time. A failure is an error, never an empty session."""
        try:
            connection = sqlite3.connect(self.path, timeout=DEADLINE_S, isolation_level=None)
            with closing(connection) as db, db:  # commits, or rolls back on an error
                # IMMEDIATE locks before the first read: no other write comes between read and write.
                db.execute("BEGIN IMMEDIATE")
                yield db, db.execute("SELECT unixepoch()").fetchone()[0]
        except sqlite3.Error as error:
            raise SessionStoreUnavailable(f"{self.path}: {error}") from error

    def _touched(self, now: int, user: str | None, expires_at: int, absolute_at: int) -> int:
        return min(max(expires_at, now + self.lifetimes.idle_of(user)), absolute_at)

    def read(self, key: bytes) -> Stored | None:
        with self._locked() as (db, now):
            row = db.execute(f"{FIND} AND {LIVE}", (key, now)).fetchone()
        if row is None:
            return None
        text, version, user, expires_at, absolute_at = row
        gain_s = self._touched(now, user, expires_at, absolute_at) - expires_at
        return Stored(json.loads(text), version, user, expires_at - now, gain_s)

    def write(self, key: bytes, change: Change) -> int | None:
        with self._locked() as (db, now):
            row, result = db.execute(FIND, (key,)).fetchone(), None
            first_absolute_at = now + self.lifetimes.absolute_s
            if change.create and row is not None:
                raise SessionConflict("the new key is taken")
            text, version, before, expires_at, absolute_at = row or ("{}", 0, None, 0, first_absolute_at)
            if not change.create and (row is None or expires_at <= now):
                raise SessionGone(ended=False)
            if text is None:
                raise SessionGone(ended=True)
            if change.expected_version not in (None, version):
                raise SessionConflict(f"version {change.expected_version} is now {version}")
            user = change.user_after(before)
            if not change.is_touch:
                data = {} if change.leaves_data_behind(before) else json.loads(text)
                max_bytes = size_limit(user, self.max_bytes, self.anonymous_max_bytes)
                texts, result = applied(change, data, max_bytes)
                text = "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in texts.items()) + "}"
                version += 1
            if change.rotate_to is not None:
                if db.execute(FIND, (change.rotate_to,)).fetchone() is not None:
                    raise SessionConflict("the new key is taken")
                self._end(db, now, "id = ?", key)
                key, expires_at, absolute_at = change.rotate_to, 0, first_absolute_at
            expires_at = self._touched(now, user, expires_at, absolute_at)
            after = (key, text, version, user, expires_at, absolute_at)
            db.execute("INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?, ?, ?)", after)
        return result

    def _end(self, db: sqlite3.Connection, now: int, which: str, *values: bytes | str | int) -> int:
        bury = "UPDATE sessions SET data = NULL, user = NULL, expires_at = ?"
        ended_until = now + self.lifetimes.tombstone_s
        return db.execute(f"{bury} WHERE {LIVE} AND {which}", (ended_until, now, *values)).rowcount

    def destroy(self, key: bytes) -> None:
        with self._locked() as (db, now):
            self._end(db, now, "id = ?", key)

    def clean(self) -> int:
        with self._locked() as (db, now):
            expired = "DELETE FROM sessions WHERE expires_at <= ?"
            return db.execute(expired, (now - self.clean_grace_s,)).rowcount

    def sessions_of_user(self, user: str) -> list[Listed]:
        with self._locked() as (db, now):
            of_user = f"""SELECT id, ? - absolute_at, ? - expires_at FROM sessions WHERE user = ? AND {LIVE}
              LIMIT {MAX_LISTED}"""
            begun = (now + self.lifetimes.absolute_s, now + self.lifetimes.idle_s, user, now)
            return [Listed(*row) for row in db.execute(of_user, begun)]

    def end_one_of_user(self, user: str, key: bytes) -> bool:
        with self._locked() as (db, now):
            return self._end(db, now, "id = ? AND user = ?", key, user) == 1

    def end_user(self, user: str) -> int:
        with self._locked() as (db, now):
            return self._end(db, now, "user = ?", user)

    def end_oldest_of_user(self, user: str, keep: int, key: bytes) -> int:
        with self._locked() as (db, now):
            others = f"SELECT id FROM sessions WHERE user = ? AND id <> ? AND {LIVE}"
            oldest = f"{others} ORDER BY absolute_at DESC LIMIT -1 OFFSET ?"
            return self._end(db, now, f"id IN ({oldest})", user, key, now, keep - 1)


class SQLiteWorld:
    """Where the contract suite tries the handler. tests/contract/worlds.py says what its methods do."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name, "sessions.db")
        self.db = sqlite3.connect(self.path, isolation_level=None)
        self.db.execute(TABLE)

    def new_handler(self, **settings: Any) -> SQLiteHandler:
        return SQLiteHandler(self.path, **settings)

    def age(self, seconds: float) -> None:
        earlier = "expires_at = expires_at - :s, absolute_at = absolute_at - :s"
        self.db.execute(f"UPDATE sessions SET {earlier}", {"s": seconds})

    def row_count(self) -> int:
        return int(self.db.execute("SELECT COUNT(*) FROM sessions").fetchone()[0])

    def unreachable_handler(self) -> SQLiteHandler:
        return SQLiteHandler(Path(self.folder.name, "no such folder", "sessions.db"))

    def close(self) -> None:
        self.db.close()
        self.folder.cleanup()
