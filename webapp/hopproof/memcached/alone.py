"""Sessions in memcached alone: one item each, changed by compare-and-swap. Fast, but not durable.

memcached keeps everything in memory: a restart loses all sessions, and a lack of memory those that were not
used for longest. A lost session reads as unknown.
The keys of a user's sessions stand in one item per user. If that item is lost, end_user finds no session.
An expiry is exact to about a second, because memcached's clock has whole seconds.
A reader in another language finds JSON: {"data", "version", "user", "expires_at", "absolute_at"}; data is
null in a tombstone.
"""

from __future__ import annotations

import base64
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from .. import limits
from ..applied import applied
from ..handler import (
    Change,
    Lifetimes,
    Listed,
    SessionConflict,
    SessionError,
    SessionGone,
    SessionStoreUnavailable,
    Stored,
    size_limit,
)
from .cache import CacheUnavailable
from .client import Memcached
from .clock import Clock
from .record import Record

T = TypeVar("T")

# memcached reads an exptime above 30 days as a date (protocol.txt, "Expiration times").
LONGEST_S = 30 * 24 * 3600
# Seconds that an item outlives its session: this module decides what has expired, memcached frees the memory.
TIDY_AFTER_S = 60


@dataclass(slots=True)
class MemcachedHandler:
    """Sessions in memcached. One instance serves one request at a time.

    deadline_s: how long one request may repeat a compare-and-swap that other requests overtook.
    """

    items: Memcached
    clock: Clock
    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    max_bytes: int = limits.MAX_BYTES
    anonymous_max_bytes: int | None = None
    deadline_s: float = limits.DEADLINE_S
    _ends_at: float = 0.0

    def open(self) -> None:
        self._ends_at = time.monotonic() + self.deadline_s

    def close(self) -> None:
        pass

    def read(self, key: bytes) -> Stored | None:
        record, _ = _asked(lambda: self._find(key))
        if record is None or record.data is None:
            return None
        now = _asked(self.clock.now)
        return Stored(
            data=record.data,
            version=record.version,
            user=record.user,
            ttl_s=int(record.expires_at - now),
            extendable_s=int(self._touched(record, now) - record.expires_at),
        )

    def write(self, key: bytes, change: Change) -> int | None:
        return _asked(lambda: self._create(key, change) if change.create else self._change(key, change))

    def destroy(self, key: bytes) -> None:
        _asked(lambda: self._end(key))

    def sessions_of_user(self, user: str) -> list[Listed]:
        return _asked(lambda: [self._listed(*found) for found in self._of_user(user)[0][: limits.MAX_LISTED]])

    def end_one_of_user(self, user: str, key: bytes) -> bool:
        return _asked(lambda: self._end(key, user))

    def end_user(self, user: str) -> int:
        return _asked(lambda: self._end_user(user))

    def end_oldest_of_user(self, user: str, keep: int, key: bytes) -> int:
        return _asked(lambda: self._end_oldest(user, keep, key))

    def clean(self) -> int:
        """Return 0: memcached removes each item by itself, at its exptime."""
        return 0

    # How it is done. Each may raise CacheUnavailable.

    def _find(self, key: bytes) -> tuple[Record | None, bytes]:
        """Return the unexpired record under the key, which may be a tombstone, and its token."""
        item = self.items.gets(_session(key))
        if item is None:
            return None, b""
        record = Record.of(item.value)
        return (record if record.expires_at > self.clock.now() else None), item.token

    def _create(self, key: bytes, change: Change) -> int | None:
        now = self.clock.now()
        user = change.user_after(None)
        texts, result = applied(change, {}, self._size_limit(user))
        record = self._started(Record(None, user, 0, 0), now)
        if record.user is not None:
            self._list(record.user, key, record)
        if not self.items.add(_session(key), record.text(texts), self._kept_s(record, now)):
            raise SessionConflict("the new key is taken")
        return result

    def _change(self, key: bytes, change: Change) -> int | None:
        if change.rotate_to is not None:
            return self._rotate(key, change, change.rotate_to)
        while self._may_try():
            old, token = self._live(key)
            now = self.clock.now()
            if change.is_touch:
                texts, result, new = None, None, old
            else:
                texts, result, new = self._changed(old, change)
            new = replace(new, expires_at=self._touched(new, now))
            if isinstance(change.user, str):
                self._list(change.user, key, new)
            if self._replace(key, new.text(texts), token, new, now):
                return result
        raise self._overtaken()

    def _rotate(self, old_key: bytes, change: Change, new_key: bytes) -> int | None:
        # The new item comes first: with the tombstone first, a server that dies in between would lose the
        # session. No other request knows the new key until the old one is a tombstone.
        name, is_ours = _session(new_key), False
        try:
            while self._may_try():
                old, token = self._live(old_key)
                now = self.clock.now()
                texts, result, new = self._changed(old, change)
                new = self._started(new, now)
                if new.user is not None:
                    self._list(new.user, new_key, new)
                if is_ours:
                    self.items.set(name, new.text(texts), self._kept_s(new, now))
                elif not self.items.add(name, new.text(texts), self._kept_s(new, now)):
                    raise SessionConflict("the new key is taken")
                is_ours = True
                if self._bury(old_key, token, now):
                    return result
        except SessionError:
            # Only after a refusal. After a lost answer the session may have moved already.
            if is_ours:
                self.items.set(name, b"", -1)
            raise
        raise self._overtaken()

    def _live(self, key: bytes) -> tuple[Record, bytes]:
        record, token = self._find(key)
        if record is None or record.data is None:
            raise SessionGone(ended=record is not None)
        return record, token

    def _changed(self, old: Record, change: Change) -> tuple[dict[str, str], int | None, Record]:
        if change.expected_version not in (None, old.version):
            raise SessionConflict(f"version {change.expected_version} is now {old.version}")
        user = change.user_after(old.user)
        data = {} if change.leaves_data_behind(old.user) else old.data or {}
        texts, result = applied(change, data, self._size_limit(user))
        return texts, result, replace(old, user=user, version=old.version + 1)

    def _size_limit(self, user: str | None) -> int:
        return size_limit(user, self.max_bytes, self.anonymous_max_bytes)

    def _end(self, key: bytes, user: str | None = None) -> bool:
        """End the session; return False if there is none. user: its owner, None for any."""
        while self._may_try():
            record, token = self._find(key)
            if record is None or record.data is None or user not in (None, record.user):
                return False
            if self._bury(key, token, self.clock.now()):
                return True
        raise self._overtaken()

    def _bury(self, key: bytes, token: bytes, now: float) -> bool:
        ends_at = now + self.lifetimes.tombstone_s
        tombstone = Record(None, None, ends_at, ends_at)
        return self._replace(key, tombstone.text(), token, tombstone, now)

    def _end_user(self, user: str) -> int:
        ended = 0
        while self._may_try():
            found, token = self._of_user(user)
            for key, _ in found:
                self._end(key)
            ended += len(found)
            # A concurrent login lists its new key before it ends the old one, so the list has changed then.
            item = self.items.gets(_list_of(user))
            if not found and (item.token if item else b"") == token:
                return ended
        raise CacheUnavailable("the user kept logging in while every session was being ended")

    def _end_oldest(self, user: str, keep: int, key: bytes) -> int:
        others = [(other, record) for other, record in self._of_user(user)[0] if other != key]
        others.sort(key=lambda found: found[1].absolute_at, reverse=True)
        return sum(self._end(other, user) for other, _ in others[keep - 1 :][: limits.MAX_ENDED_AT_ONCE])

    # The list of a user's sessions: each key, with the latest time at which it can be alive

    def _of_user(self, user: str) -> tuple[list[tuple[bytes, Record]], bytes]:
        """Return the user's live sessions, and the token of the list they stand in."""
        item = self.items.gets(_list_of(user))
        if item is None:
            return [], b""
        listed = [base64.urlsafe_b64decode(key + "=") for key in json.loads(item.value)]
        found = [(key, self._find(key)[0]) for key in listed]
        return [
            (key, record)
            for key, record in found
            if record and record.data is not None and record.user == user
        ], item.token

    def _listed(self, key: bytes, record: Record) -> Listed:
        now = self.clock.now()
        started_at = record.absolute_at - self.lifetimes.absolute_s
        used_at = record.expires_at - self.lifetimes.idle_s
        return Listed(key, int(now - started_at), int(now - used_at))

    def _list(self, user: str, key: bytes, record: Record) -> None:
        """Put the key into the user's list, before the session is the user's: so no list misses a session."""
        name = _list_of(user)
        while self._may_try():
            now = self.clock.now()
            item = self.items.gets(name)
            listed = {} if item is None else json.loads(item.value)
            listed = {other: until for other, until in listed.items() if until > now}
            listed[_text(key)] = record.absolute_at
            value = json.dumps(listed).encode()
            kept_s = self._exptime(max(listed.values()) - now, now)
            if item is None:
                is_done = self.items.add(name, value, kept_s)
            else:
                is_done = self.items.cas(name, value, item.token, kept_s)
            if is_done:
                return
        raise self._overtaken()

    # Times

    def _started(self, record: Record, now: float) -> Record:
        absolute_at = now + self.lifetimes.absolute_s
        return replace(
            record,
            expires_at=min(now + self.lifetimes.idle_of(record.user), absolute_at),
            absolute_at=absolute_at,
        )

    def _touched(self, record: Record, now: float) -> float:
        idle_until = now + self.lifetimes.idle_of(record.user)
        return min(max(record.expires_at, idle_until), record.absolute_at)

    def _replace(self, key: bytes, text: bytes, token: bytes, record: Record, now: float) -> bool:
        return self.items.cas(_session(key), text, token, self._kept_s(record, now))

    def _kept_s(self, record: Record, now: float) -> int:
        return self._exptime(record.expires_at - now, now)

    def _exptime(self, seconds: float, now: float) -> int:
        seconds += TIDY_AFTER_S
        return math.ceil(seconds if seconds < LONGEST_S else now + seconds)

    def _overtaken(self) -> CacheUnavailable:
        return CacheUnavailable(f"other requests were faster for {self.deadline_s} s")

    def _may_try(self) -> bool:
        return time.monotonic() < self._ends_at


def _asked(ask: Callable[[], T]) -> T:
    try:
        return ask()
    except CacheUnavailable as error:
        raise SessionStoreUnavailable(f"the sessions in memcached: {error}") from error


def _text(key: bytes) -> str:
    return base64.urlsafe_b64encode(key).decode().rstrip("=")


def _session(key: bytes) -> str:
    return "session:" + _text(key)


def _list_of(user: str) -> str:
    return "user:" + base64.urlsafe_b64encode(user.encode()).decode()
