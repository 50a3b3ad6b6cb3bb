"""Copies of sessions in a cache, in front of any handler, that are never older than what was seen before.

No change, logout or rotation is acknowledged while any server could still serve the older
copy; and once the table has shown anybody the new session, nobody is served the old one.
What keeps it so, and what each step closes:

1. A reader that finds nothing leaves a lease, reads the table, and puts the copy in place of
   that very lease (cas). Else a slow reader would put back what a writer has just removed.
2. A writer leaves a mark before it writes, in place of whatever is there. While a mark is
   there, everybody reads the table and nobody fills. Invalidating only afterwards would leave
   a moment in which one server shows the new session, from the table, and then another the old.
3. After the write it looks: its own mark has lasted, so it takes it away; anything but a mark it
   removes. Else a cache that was restarted, or short of memory, would have lost the mark.
4. A writer that cannot do 2 or 3 turns the cache off by a switch in the database: for all
   servers, as it may be the only one that is cut off. A server serves copies only while its last
   look at the switch began less than horizon_s ago and showed it on; so the writer waits that
   long, once per outage, and goes on. The switch comes on by itself, when every copy from before
   the last such write is older than ttl_s, and so served by nobody.
5. A write whose answer got lost may still happen: its mark stays until it expires, after MARK_S.

How old a copy is, the database's clock says, as each process knows it from its last look: neither
the servers' clocks nor the cache's matter, nor that a frozen cache thaws with yesterday's copies.

Not closed: a write whose answer got lost and that the database carries out more than MARK_S later (with
the cache off: 2 ttl_s); or a mark that the cache loses in the middle of a write. Then, for at most ttl_s,
one server may show the new session and another the old; what was acknowledged stays acknowledged. And
several caches that are taken for one.
"""

from __future__ import annotations

import base64
import json
import math
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from .handler import (
    Change,
    Listed,
    SessionError,
    SessionHandler,
    SessionStoreUnavailable,
    Stored,
    Written,
)

T = TypeVar("T")

# Seconds that a reader has for its SELECT; then another may try. One less, as memcached counts.
LEASE_S = 3
# Seconds. Longer than any write that is answered, and than a database that stood still is likely to.
MARK_S = 30
# Seconds added where two clocks are compared that run, but not quite alike.
MARGIN_S = 0.1
# How often others may be faster at one item; each time, one of them got through.
MAX_ATTEMPTS = 16
# A user who keeps logging in while all sessions are being ended must not keep the server busy for ever.
MAX_ROUNDS = 8
# memcached's own limit is 1 MiB for name, value and its notes.
MAX_COPY_BYTES = 1_000_000

LEASE, MARK = b"lease ", b"mark "


class CacheUnavailable(Exception):
    """The cache did not answer in time. What it was asked to do may have been done."""


@dataclass(frozen=True, slots=True)
class Item:
    """A value in the cache. token: stands for this value and no other."""

    value: bytes
    token: bytes


class Cache(Protocol):
    """The little that is needed of memcached. Every verb may raise CacheUnavailable."""

    def gets(self, name: str) -> Item | None:
        """Return the item, None if there is none."""

    def set(self, name: str, value: bytes, seconds: int) -> None:
        """Store the item, for at most so many seconds."""

    def add(self, name: str, value: bytes, seconds: int) -> bool:
        """Store the item if there is none; return whether it was done."""

    def cas(self, name: str, value: bytes, token: bytes, seconds: int) -> bool:
        """Replace the item that the token stands for; return whether it was still there."""

    def remove(self, name: str, token: bytes) -> bool:
        """Remove the item that the token stands for; return whether it was still there."""


@dataclass(frozen=True, slots=True)
class SwitchSeen:
    """The database's clock, in seconds since the epoch, and for how many more the switch is off."""

    store_time: float
    off_s: float


class Switch(Protocol):
    """One for all servers, kept where the sessions are. Both verbs may raise SessionStoreUnavailable."""

    def look(self) -> SwitchSeen:
        """Return what the switch is at."""

    def turn_off(self, seconds: float) -> None:
        """Turn it off for at least so many seconds from now, for longer if it is off for longer."""


@dataclass(frozen=True, slots=True)
class _Look:
    sent: float
    received: float
    store_time: float


@dataclass(slots=True)
class Lookout:
    """The knowledge that one process has of the switch, and so whether it may serve copies at this moment.

    ttl_s: how old a copy may be. Longer, and the cache stays off longer after an outage; shorter,
    and the table is read more often. horizon_s: how old the last look may be, and so how long the
    first write of an outage waits; half of it is the time between two looks.
    """

    ttl_s: float = 5.0
    horizon_s: float = 1.0
    now: Callable[[], float] = time.monotonic
    _seen_on: _Look | None = None
    # On this process's clock. The switch is known to be off from a moment before, until a moment after.
    _off_since: float = -math.inf
    _off_until: float = -math.inf
    _looking: threading.Lock = field(default_factory=threading.Lock)

    def look(self, switch: Switch) -> None:
        """Look at the switch if that is due and no other request is at it."""
        if not self._is_due() or not self._looking.acquire(blocking=False):
            return
        try:
            # In an outage the permission runs out by itself, and reading the table fails by itself.
            with suppress(SessionStoreUnavailable):
                sent = self.now()
                seen = switch.look()
                if seen.off_s > 0:
                    self._is_off(sent, seen.off_s)
                else:
                    self._seen_on = _Look(sent, self.now(), seen.store_time)
        finally:
            self._looking.release()

    def _is_due(self) -> bool:
        now = self.now()
        seen = self._seen_on
        return now >= self._off_until and (seen is None or now - seen.sent >= self.horizon_s / 2)

    def turn_off(self, switch: Switch) -> None:
        """Keep all servers from serving copies for three times ttl_s. Raises SessionStoreUnavailable."""
        sent = self.now()
        switch.turn_off(3 * self.ttl_s)
        self._is_off(sent, 3 * self.ttl_s)

    def _is_off(self, sent: float, seconds: float) -> None:
        if self.now() > self._off_until:  # it may have been on in between
            self._off_since = self.now()
        self._off_until = max(self._off_until, sent + seconds)

    @property
    def off_for_s(self) -> float:
        """Seconds that the switch is known to stay off."""
        return self._off_until - self.now()

    @property
    def unnoticed_s(self) -> float:
        """Seconds until every server has noticed that the switch is off, or has stopped serving copies."""
        return self._off_since + self.horizon_s + MARGIN_S - self.now()

    @property
    def may_serve(self) -> bool:
        now, seen = self.now(), self._seen_on
        return now >= self._off_until and seen is not None and now - seen.sent < self.horizon_s

    # True only as bounds: the database read its clock at some moment between question and answer.

    def earliest_store_time(self) -> float:
        assert self._seen_on is not None, "ask may_serve first"
        return self._seen_on.store_time + self.now() - self._seen_on.received

    def latest_store_time(self) -> float:
        assert self._seen_on is not None, "ask may_serve first"
        return self._seen_on.store_time + self.now() - self._seen_on.sent


@dataclass(slots=True)
class CachedHandler:
    """Any handler with copies in front of it. One instance serves one request at a time.

    The cache and the lookout are the process's, the switch is asked through the request's handler.
    Touches are not hidden: a copy from before only expires earlier.
    """

    inner: SessionHandler
    cache: Cache
    switch: Switch
    lookout: Lookout
    sleep: Callable[[float], None] = time.sleep
    _bypasses: bool = False
    # The copies that this request was served: to replace one, it need not be asked for again.
    _served: dict[str, Item] = field(default_factory=dict)

    def open(self) -> None:
        self._bypasses = False
        self._served.clear()
        self.inner.open()

    def close(self) -> None:
        self.inner.close()

    def read(self, key: bytes) -> Stored | None:
        name = name_of(key)
        try:
            found = self._find(name)
        except CacheUnavailable:
            found = None
        if isinstance(found, Stored):
            return found
        if found is None:
            return self.inner.read(key)
        # Before the reading: the copy must not seem younger than it is.
        read_at = self.lookout.earliest_store_time()
        stored = self.inner.read(key)
        if stored is not None:
            self._fill(name, found, stored, read_at)
        return stored

    def write(self, key: bytes, change: Change) -> Written:
        if change.create:
            return self.inner.write(key, change)  # nobody can have read under a key that is new
        if change.is_touch:
            written = self._told(lambda: self.inner.write(key, change))
            if self.lookout.may_serve:
                self._drop_copy(name_of(key))
            return written
        return self._hidden(key, lambda: self.inner.write(key, change))

    def destroy(self, key: bytes) -> None:
        self._hidden(key, lambda: self.inner.destroy(key))

    def sessions_of_user(self, user: str) -> list[Listed]:
        return self.inner.sessions_of_user(user)

    def end_one_of_user(self, user: str, key: bytes) -> bool:
        return self._hidden(key, lambda: self.inner.end_one_of_user(user, key))

    def end_user(self, user: str) -> int:
        # Not the inner verb: it would end a session that has come since, and its copy would stay.
        # Again until there is none: a login beside this moves a session to another key.
        ended = 0
        for _ in range(MAX_ROUNDS):
            listed = self.inner.sessions_of_user(user)
            if not listed:
                return ended
            for session in listed:
                self.destroy(session.key)
            ended += len(listed)
        raise SessionStoreUnavailable("the user kept logging in while every session was being ended")

    def clean(self) -> int:
        return self.inner.clean()  # what has expired is served from no copy either

    # Reading

    def _find(self, name: str) -> Stored | bytes | None:
        """Return a copy that may be served, else the token of a lease to fill, else None."""
        if self._bypasses:
            return None
        self.lookout.look(self.switch)
        if not self.lookout.may_serve:
            return None
        item = self.cache.gets(name)
        if item is not None:
            if item.value.startswith((LEASE, MARK)):
                return None
            if (copy := self._usable(item.value)) is not None:
                self._served[name] = item
                return copy
        return self._lease(name, item)

    def _usable(self, value: bytes) -> Stored | None:
        """Return the session that is copied there, None if the copy must not be served now."""
        # The permission is asked for after the copy has come: a writer may have waited until it ran out.
        if not self.lookout.may_serve:
            return None
        try:
            copy = json.loads(value)
            age_s = self.lookout.latest_store_time() - copy.pop("read_at")
            # Whole seconds, rounded down: what has one left has not expired.
            copy["ttl_s"] = math.floor(copy["ttl_s"] - age_s)
            stored = Stored(**copy)
        except (ValueError, TypeError, KeyError):
            return None  # another version of this file made it
        return stored if 0 <= age_s <= self.lookout.ttl_s and stored.ttl_s >= 1 else None

    def _lease(self, name: str, old: Item | None) -> bytes | None:
        """Return the token of a lease of our own in place of the old item, None if others were faster."""
        lease = LEASE + secrets.token_hex(8).encode()
        if old is None:
            is_ours = self.cache.add(name, lease, LEASE_S)
        else:
            is_ours = self.cache.cas(name, lease, old.token, LEASE_S)
        item = self.cache.gets(name) if is_ours else None
        return item.token if item is not None and item.value == lease else None

    def _fill(self, name: str, token: bytes, stored: Stored, read_at: float) -> None:
        copy = {
            "data": stored.data,
            "version": stored.version,
            "user": stored.user,
            "ttl_s": stored.ttl_s,
            "touch_gains_s": stored.touch_gains_s,
            "read_at": read_at,
        }
        value = json.dumps(copy, ensure_ascii=False, separators=(",", ":")).encode()
        if len(value) <= MAX_COPY_BYTES:
            with suppress(CacheUnavailable):
                self.cache.cas(name, value, token, math.ceil(self.lookout.ttl_s) + 1)

    # Writing

    def _told(self, act: Callable[[], T]) -> T:
        """Act; after a no, this request reads the table only: to try again, it wants the newest."""
        try:
            return act()
        except SessionError:
            self._bypasses = True
            raise

    def _hidden(self, key: bytes, act: Callable[[], T]) -> T:
        """Act while no server serves a copy of the session; return when none can serve one from before."""
        name = name_of(key)
        mark = self._hide(name)
        try:
            answer = self._told(act)
        except SessionStoreUnavailable:
            raise  # It may still happen: what hides the copies stays.
        except SessionError:
            with suppress(CacheUnavailable):
                self._unmark(name, mark)
            raise
        try:
            self._unmark(name, mark)
        except CacheUnavailable:
            self._switch_off_for(self.lookout.ttl_s + MARGIN_S)
        return answer

    def _hide(self, name: str) -> bytes | None:
        """Return our mark on the item, or None when the switch is off for longer than the write takes."""
        if self.lookout.off_for_s < 2 * self.lookout.ttl_s:
            try:
                return self._mark(name)
            except CacheUnavailable:
                pass
        self._switch_off_for(2 * self.lookout.ttl_s)
        return None

    def _mark(self, name: str) -> bytes:
        mark = secrets.token_hex(8).encode()
        item = self._served.pop(name, None)
        for _ in range(MAX_ATTEMPTS):
            if item is None:
                is_marked = self.cache.add(name, _marks([mark]), MARK_S)
            else:
                is_marked = self.cache.cas(name, _marks([*_marks_in(item), mark]), item.token, MARK_S)
            if is_marked:
                return mark
            item = self.cache.gets(name)
        # In a crowd: over everything, in nobody's name, so that it stays until it expires.
        self.cache.set(name, _marks([b"nobody"]), MARK_S)
        return mark

    def _unmark(self, name: str, mark: bytes | None) -> None:
        """Return when no copy or lease from before is there. Raises CacheUnavailable if that is uncertain."""
        if mark is None:
            raise CacheUnavailable("the cache was not asked before either")
        for _ in range(MAX_ATTEMPTS):
            item = self.cache.gets(name)
            if item is None:
                return
            marks = _marks_in(item)
            if marks and mark not in marks:
                return
            others = [other for other in marks if other != mark]
            try:
                if others:
                    is_done = self.cache.cas(name, _marks(others), item.token, MARK_S)
                else:
                    is_done = self.cache.remove(name, item.token)
            except CacheUnavailable:
                if marks:
                    return  # a mark hides as well as nothing does
                raise
            if is_done:
                return
        raise CacheUnavailable(f"others were faster, {MAX_ATTEMPTS} times")

    def _drop_copy(self, name: str) -> None:
        with suppress(CacheUnavailable):
            item = self.cache.gets(name)
            if item is not None and not item.value.startswith((LEASE, MARK)):
                self.cache.remove(name, item.token)

    def _switch_off_for(self, seconds: float) -> None:
        """Return when no server serves copies, and none will for so many seconds."""
        if self.lookout.off_for_s < seconds:
            self.lookout.turn_off(self.switch)
        unnoticed_s = self.lookout.unnoticed_s
        if unnoticed_s > 0:
            # Others need the connection meanwhile; and this waiting is not the database's.
            self.inner.close()
            self.sleep(unnoticed_s)
            self.inner.open()


def name_of(key: bytes) -> str:
    return "s:" + base64.urlsafe_b64encode(key).decode().rstrip("=")


def _marks(marks: list[bytes]) -> bytes:
    return MARK + b" ".join(marks)


def _marks_in(item: Item) -> list[bytes]:
    return item.value.removeprefix(MARK).split(b" ") if item.value.startswith(MARK) else []
