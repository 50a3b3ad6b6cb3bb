"""The simplest correct handler: one process, one lock, plain Python.

It serves tests and development, and it is the contract in executable form: each verb's behaviour
is decided here, and the other handlers must do the same.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from . import limits
from .applied import applied
from .handler import Change, Json, Lifetimes, Listed, SessionConflict, SessionGone, Stored, size_limit


@dataclass(slots=True)
class _Row:
    texts: dict[str, str] | None  # JSON text per name; None: a tombstone
    user: str | None
    expires_at: float
    absolute_at: float
    version: int = 1

    def data(self) -> dict[str, Json]:
        return {name: json.loads(text) for name, text in (self.texts or {}).items()}


@dataclass(slots=True)
class MemoryHandler:
    """Sessions in a dict. Shared by all requests of one process, gone when it ends."""

    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    max_bytes: int = limits.MAX_BYTES
    anonymous_max_bytes: int | None = None
    clean_grace_s: int = 0
    now: Callable[[], float] = time.monotonic
    _rows: dict[bytes, _Row] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def open(self) -> None:
        pass

    def close(self) -> None:
        pass

    def read(self, key: bytes) -> Stored | None:
        with self._lock:
            row = self._unexpired(key)
            if row is None or row.texts is None:
                return None
            ttl_s = row.expires_at - self.now()
            return Stored(
                data=row.data(),
                version=row.version,
                user=row.user,
                ttl_s=int(ttl_s),
                extendable_s=int(self._touched(row) - row.expires_at),
            )

    def write(self, key: bytes, change: Change) -> int | None:
        with self._lock:
            row = self._created(key, change.user_after(None)) if change.create else self._live(key)
            if change.is_touch:
                row.expires_at = self._touched(row)
                return None
            if change.expected_version not in (None, row.version):
                raise SessionConflict(f"version {change.expected_version} is now {row.version}")
            if change.rotate_to in self._rows:
                raise SessionConflict("the new key is taken")

            user = change.user_after(row.user)
            data = {} if change.leaves_data_behind(row.user) else row.data()
            max_bytes = size_limit(user, self.max_bytes, self.anonymous_max_bytes)
            row.texts, result = applied(change, data, max_bytes)
            row.user = user
            row.version += not change.create
            row.expires_at = self._touched(row)
            self._rows[key] = row
            if change.rotate_to is not None:
                self._rows[change.rotate_to] = row
                self._start_lifetimes(row)
                self._rows[key] = self._tombstone()
            return result

    def destroy(self, key: bytes) -> None:
        with self._lock:
            row = self._unexpired(key)
            if row is not None and row.texts is not None:
                self._rows[key] = self._tombstone()

    def sessions_of_user(self, user: str) -> list[Listed]:
        with self._lock:
            return [self._listed(key, self._rows[key]) for key in self._of_user(user)[: limits.MAX_LISTED]]

    def end_one_of_user(self, user: str, key: bytes) -> bool:
        with self._lock:
            is_theirs = key in self._of_user(user)
            if is_theirs:
                self._rows[key] = self._tombstone()
            return is_theirs

    def end_user(self, user: str) -> int:
        with self._lock:
            theirs = self._of_user(user)
            for key in theirs:
                self._rows[key] = self._tombstone()
            return len(theirs)

    def end_oldest_of_user(self, user: str, keep: int, key: bytes) -> int:
        with self._lock:
            others = [other for other in self._of_user(user) if other != key]
            newest_first = sorted(others, key=lambda other: self._rows[other].absolute_at, reverse=True)
            beyond = newest_first[keep - 1 :][: limits.MAX_ENDED_AT_ONCE]
            for other in beyond:
                self._rows[other] = self._tombstone()
            return len(beyond)

    def clean(self) -> int:
        with self._lock:
            due = self.now() - self.clean_grace_s
            expired = [key for key, row in self._rows.items() if row.expires_at <= due]
            for key in expired:
                del self._rows[key]
            return len(expired)

    def _unexpired(self, key: bytes) -> _Row | None:
        row = self._rows.get(key)
        return row if row is not None and row.expires_at > self.now() else None

    def _of_user(self, user: str) -> list[bytes]:
        return [key for key, row in self._rows.items() if row.user == user and self._unexpired(key)]

    def _listed(self, key: bytes, row: _Row) -> Listed:
        started_at = row.absolute_at - self.lifetimes.absolute_s
        used_at = row.expires_at - self.lifetimes.idle_s
        return Listed(key, int(self.now() - started_at), int(self.now() - used_at))

    def _live(self, key: bytes) -> _Row:
        row = self._unexpired(key)
        if row is None or row.texts is None:
            raise SessionGone(ended=row is not None)
        return row

    def _created(self, key: bytes, user: str | None) -> _Row:
        if key in self._rows:
            raise SessionConflict("the new key is taken")
        row = _Row(texts={}, user=user, expires_at=0, absolute_at=0)
        self._start_lifetimes(row)
        return row

    def _start_lifetimes(self, row: _Row) -> None:
        row.absolute_at = self.now() + self.lifetimes.absolute_s
        row.expires_at = min(self.now() + self.lifetimes.idle_of(row.user), row.absolute_at)

    def _touched(self, row: _Row) -> float:
        idle_until = self.now() + self.lifetimes.idle_of(row.user)
        return min(max(row.expires_at, idle_until), row.absolute_at)

    def _tombstone(self) -> _Row:
        remembered_until = self.now() + self.lifetimes.tombstone_s
        return _Row(texts=None, user=None, expires_at=remembered_until, absolute_at=remembered_until)
