"""Copies of sessions in a cache, in front of any handler. Two promises hold with them:

No change, logout or rotation is acknowledged while a server could still serve the older copy.
Once the table has shown a request the new session, no request is served the old one.

Each step, and the gap that it closes:

1. A reader that finds no copy leaves a lease, reads the table, and puts the copy in place of that
   very lease (cas). Else a slow reader would put back a copy that a writer has just removed.
2. A writer leaves a mark before it writes, in place of any item. While a mark is there, every
   reader asks the table and none fills in a copy. Invalidating only after the write would leave a
   moment in which one server shows the new session, from the table, and then another the old.
3. After the write it reads the item again. It takes its own mark away. It also removes an item
   that is no mark: a cache that was restarted, or short of memory, has lost the mark.
4. A writer that cannot do 2 or 3 turns the cache off by a switch in the database: for all
   servers, as it may be the only one that is cut off. A server serves copies only while its last
   look at the switch began less than horizon_s ago and showed it on; so the writer waits that
   long, once per outage, and goes on. The switch comes on by itself, when every copy from before
   the last such write is older than ttl_s, and so is not served any more.
5. A write whose answer got lost may still happen: its mark stays until it expires, after MARK_S.

The age of a copy is measured on the database's clock, as each process knows it from its last look.
So the clocks of servers and cache do not matter, nor do old copies in a cache that was frozen.

Two gaps stay open: a write whose answer got lost and that the database carries out more than MARK_S later
(with the cache off: 2 ttl_s); and a mark that the cache loses in the middle of a write. Then, for at most
ttl_s, one server may show the new session and another the old. Acknowledged changes stay acknowledged.
Several caches behind one address are not supported.
"""

from __future__ import annotations

import base64
import json
import math
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from ..handler import Change, Listed, ListingHandler, SessionError, SessionStoreUnavailable, Stored
from ..limits import MAX_ENDED_AT_ONCE
from .cache import Cache, CacheUnavailable, Item
from .lookout import MARGIN_S, Lookout, Switch
from .marks import MARK, mark_item, unmark_item

T = TypeVar("T")

# Seconds that a reader has for its SELECT, at worst one less as memcached rounds; then another may try.
LEASE_S = 3
# Rounds of end_user: a user who keeps logging in meanwhile must not keep the server busy for ever.
MAX_ROUNDS = 8
# memcached's own limit is 1 MiB for name, value and header.
MAX_COPY_BYTES = 1_000_000

LEASE = b"lease "


@dataclass(slots=True)
class CachedHandler:
    """Any handler with copies in front of it. One instance serves one request at a time.

    cache and lookout belong to the process; the switch is asked through the request's handler.
    A touch leaves no mark: an older copy only expires earlier.
    """

    inner: ListingHandler
    cache: Cache
    switch: Switch
    lookout: Lookout
    sleep: Callable[[float], None] = time.sleep
    _bypasses: bool = False
    # The copies that this request was served. Their tokens save a look-up when a mark replaces one.
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
        # Taken before the table is read: the copy must not seem younger than it is.
        read_at = self.lookout.earliest_store_time()
        stored = self.inner.read(key)
        if stored is not None:
            self._fill(name, found, stored, read_at)
        return stored

    def write(self, key: bytes, change: Change) -> int | None:
        if change.create:
            return self.inner.write(key, change)  # a new key has no copy yet
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
        # Not the inner verb: it would also end a session that was created meanwhile, and leave its copy.
        # Repeated until there is none: a concurrent login moves a session to another key.
        ended = 0
        for _ in range(MAX_ROUNDS):
            listed = self.inner.sessions_of_user(user)
            if not listed:
                return ended
            for session in listed:
                self.destroy(session.key)
            ended += len(listed)
        raise SessionStoreUnavailable("the user kept logging in while every session was being ended")

    def end_oldest_of_user(self, user: str, keep: int, key: bytes) -> int:
        others = [session for session in self.inner.sessions_of_user(user) if session.key != key]
        others.sort(key=lambda session: session.age_s)
        beyond = others[keep - 1 :][:MAX_ENDED_AT_ONCE]
        return sum(self.end_one_of_user(user, session.key) for session in beyond)

    def clean(self) -> int:
        return self.inner.clean()  # an expired session is not served from its copy either

    def settle(self) -> None:
        """Return when no write has to wait for other servers to notice that the switch is off.

        For a server that starts, before visitors come. Raises SessionStoreUnavailable.
        """
        self.lookout.look(self.switch)
        if self.lookout.off_for_s > 0:
            self._switch_off_for(0)

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
        """Return the session in the copy, None if it must not be served now."""
        # Asked after the copy has arrived: by then the permission may be over, and a writer may have gone on.
        if not self.lookout.may_serve:
            return None
        try:
            copy = json.loads(value)
            age_s = self.lookout.latest_store_time() - copy.pop("read_at")
            # Whole seconds, rounded down: a session with one second left has not expired.
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
            "extendable_s": stored.extendable_s,
            "read_at": read_at,
        }
        value = json.dumps(copy, ensure_ascii=False, separators=(",", ":")).encode()
        if len(value) <= MAX_COPY_BYTES:
            with suppress(CacheUnavailable):
                self.cache.cas(name, value, token, math.ceil(self.lookout.ttl_s) + 1)

    # Writing

    def _told(self, act: Callable[[], T]) -> T:
        """Act. After an error this request reads the table only, so that a retry sees the newest version."""
        try:
            return act()
        except SessionError:
            self._bypasses = True
            raise

    def _hidden(self, key: bytes, act: Callable[[], T]) -> T:
        """Act while no server serves a copy of the session. Return when no server can serve an older one."""
        name = name_of(key)
        mark = self._hide(name)
        try:
            answer = self._told(act)
        except SessionStoreUnavailable:
            raise  # The write may still happen, so mark and switch stay.
        except SessionError:
            with suppress(CacheUnavailable):
                unmark_item(self.cache, name, mark)
            raise
        try:
            unmark_item(self.cache, name, mark)
        except CacheUnavailable:
            self._switch_off_for(self.lookout.ttl_s + MARGIN_S)
        return answer

    def _hide(self, name: str) -> bytes | None:
        """Put a mark on the item and return it; or turn the switch off for the write, and return None."""
        if self.lookout.off_for_s < 2 * self.lookout.ttl_s:
            try:
                return mark_item(self.cache, name, self._served.pop(name, None))
            except CacheUnavailable:
                pass
        self._switch_off_for(2 * self.lookout.ttl_s)
        return None

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
            # Other requests need the connection meanwhile. The wait does not count for the time budget.
            self.inner.close()
            self.sleep(unnoticed_s)
            self.inner.open()


def name_of(key: bytes) -> str:
    return "s:" + base64.urlsafe_b64encode(key).decode().rstrip("=")
