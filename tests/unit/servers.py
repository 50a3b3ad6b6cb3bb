"""Servers with copies in front of one store, in one process, on one clock. Tests interrupt them anywhere."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from hopproof.handler import Change, Json, SessionStoreUnavailable, Stored
from hopproof.memcached.cache import CacheUnavailable, Item
from hopproof.memcached.copies import CachedHandler
from hopproof.memcached.lookout import Lookout, SwitchSeen
from hopproof.memory import MemoryHandler


@dataclass
class DictCache:
    """A memcached that forgets everything at `items.clear()`. calls: the verbs so far."""

    clock: Clock
    items: dict[str, tuple[bytes, float, bytes]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def gets(self, name: str) -> Item | None:
        self.calls.append("gets")
        value, ends_at, token = self.items.get(name, (b"", 0, b""))
        return Item(value, token) if ends_at > self.clock.now else None

    def set(self, name: str, value: bytes, seconds: int) -> None:
        self.calls.append("set")
        self._put(name, value, seconds)

    def add(self, name: str, value: bytes, seconds: int) -> bool:
        self.calls.append("add")
        if self.items.get(name, (b"", 0, b""))[1] > self.clock.now:
            return False
        self._put(name, value, seconds)
        return True

    def cas(self, name: str, value: bytes, token: bytes, seconds: int) -> bool:
        self.calls.append("cas")
        return self._replace(name, value, token, seconds)

    def remove(self, name: str, token: bytes) -> bool:
        self.calls.append("remove")
        return self._replace(name, b"", token, -1)

    def _replace(self, name: str, value: bytes, token: bytes, seconds: int) -> bool:
        _, ends_at, now_token = self.items.get(name, (b"", 0, b""))
        if ends_at <= self.clock.now or now_token != token:
            return False
        self._put(name, value, seconds)
        return True

    def _put(self, name: str, value: bytes, seconds: int) -> None:
        self.items[name] = (value, self.clock.now + seconds, secrets.token_bytes(8))


@dataclass
class Clock:
    now: float = 1_000_000.0


@dataclass
class Line:
    """One server's connection to the cache, which can be cut. before: called with each verb."""

    cache: DictCache
    is_cut: bool = False
    before: Callable[[str], object] = lambda verb: None
    after: Callable[[str], object] = lambda verb: None

    def __getattr__(self, verb: str) -> Any:
        ask = getattr(self.cache, verb)

        def asked(*arguments: Any) -> Any:
            self.before(verb)
            if self.is_cut:
                raise CacheUnavailable("the test says so")
            answer = ask(*arguments)
            self.after(verb)
            return answer

        return asked


@dataclass
class MemorySwitch:
    """A switch on the store's clock, which is an hour ahead of the servers'."""

    clock: Clock
    off_until: float = 0.0
    is_down: bool = False
    turned: int = 0
    looked: int = 0

    def look(self) -> SwitchSeen:
        self._check()
        self.looked += 1
        return SwitchSeen(self.clock.now + 3600, self.off_until - self.clock.now)

    def turn_off(self, seconds: float) -> None:
        self._check()
        self.turned += 1
        self.off_until = max(self.off_until, self.clock.now + seconds)

    def _check(self) -> None:
        if self.is_down:
            raise SessionStoreUnavailable("the test says so")


@dataclass
class Store:
    """A store that lets other requests act right before and right after each write or read."""

    inner: MemoryHandler
    before: Callable[[str], object] = lambda verb: None
    after: Callable[[str], object] = lambda verb: None
    reads: int = 0

    def __getattr__(self, verb: str) -> Any:
        return getattr(self.inner, verb)

    def read(self, key: bytes) -> Stored | None:
        self.reads += 1
        return self._do("read", lambda: self.inner.read(key))

    def write(self, key: bytes, change: Change) -> int | None:
        return self._do("write", lambda: self.inner.write(key, change))

    def destroy(self, key: bytes) -> None:
        self._do("destroy", lambda: self.inner.destroy(key))

    def _do(self, verb: str, act: Callable[[], Any]) -> Any:
        # Called once: the hook itself uses other servers, and must not run inside itself.
        before, self.before = self.before, lambda verb: None
        before(verb)
        answer = act()
        after, self.after = self.after, lambda verb: None
        after(verb)
        return answer


@dataclass
class Server:
    handler: CachedHandler
    store: Store
    line: Line
    lookout: Lookout

    def data(self, key: bytes) -> dict[str, Json] | None:
        """Return the data that a request on this server reads, or None."""
        self.handler.open()
        stored = self.handler.read(key)
        self.handler.close()
        return stored.data if stored else None

    def reads_from_table(self, key: bytes) -> bool:
        before = self.store.reads
        self.data(key)
        return self.store.reads > before

    def set(self, key: bytes, **data: Json) -> None:
        self.handler.open()
        self.handler.write(key, Change(set=data))
        self.handler.close()


@dataclass
class Servers:
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.cache = DictCache(self.clock)
        self.switch = MemorySwitch(self.clock)
        self.memory = MemoryHandler(now=lambda: self.clock.now)
        self.slept: list[float] = []

    def new(self, ttl_s: float = 5.0) -> Server:
        lookout = Lookout(ttl_s, now=lambda: self.clock.now)
        store, line = Store(replace(self.memory)), Line(self.cache)
        handler = CachedHandler(store, line, self.switch, lookout, self._sleep)  # type: ignore[arg-type]
        handler.open()
        return Server(handler, store, line, lookout)

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.now += seconds

    def put(self, user: str | None = None, **data: Json) -> bytes:
        key = secrets.token_bytes(32)
        self.memory.write(key, Change(set=data, user=user, create=True))
        return key

    def put_copied(self, server: Server, **data: Json) -> bytes:
        """Return the key of a new session that has a copy."""
        key = self.put(**data)
        server.data(key)
        assert not server.reads_from_table(key)
        return key
