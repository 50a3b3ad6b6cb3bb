"""The worlds of the five handlers of this repository."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from database_server import Admin, DatabaseServer
from worlds import put

from hopproof.handler import Json, Lifetimes
from hopproof.memcached.alone import MemcachedHandler
from hopproof.memcached.breaker import Breaker
from hopproof.memcached.client import Memcached
from hopproof.memcached.clock import MemcachedClock
from hopproof.memcached.copies import CachedHandler
from hopproof.memcached.lookout import Lookout
from hopproof.memcached.mysql_switch import MySQLSwitch
from hopproof.memory import MemoryHandler
from hopproof.mysql import MySQLHandler
from hopproof.mysql.connection import Connection
from hopproof.pool import Pool

# Long enough that no test is timed by it, unlike the 2.5 s of a request.
PATIENT_S = 20
# Below those that any program takes by itself.
NOBODYS_PORT = 1


@dataclass
class MemoryWorld:
    _first: MemoryHandler = field(default_factory=MemoryHandler)
    _seconds: float = 1_000_000.0

    def new_handler(self, **settings: Any) -> MemoryHandler:
        # The dict and its lock make two of them one store.
        return replace(self._first, now=lambda: self._seconds, **settings)

    def age(self, seconds: float) -> None:
        self._seconds += seconds

    def row_count(self) -> int:
        return len(self._first._rows)

    def put(self, user: str | None = None, /, **data: Json) -> bytes:
        return put(self.new_handler(), user, data)

    def close(self) -> None:
        pass


@dataclass
class SqlWorld:
    server: DatabaseServer
    pool: Pool[Connection]
    admin: Admin
    _handlers: list[MySQLHandler] = field(default_factory=list)

    def new_handler(
        self, lifetimes: Lifetimes | None = None, pool: Pool[Connection] | None = None, **settings: Any
    ) -> MySQLHandler:
        handler = MySQLHandler(
            pool or self.pool,
            lifetimes or Lifetimes(),
            **{"deadline_s": PATIENT_S, "clean_pause_s": 0, **settings},
        )
        handler.open()
        self._handlers.append(handler)
        return handler

    def unreachable_handler(self) -> MySQLHandler:
        nowhere = replace(self.server.web, host="127.0.0.1", port=NOBODYS_PORT)
        return self.new_handler(pool=nowhere.pool())

    def age(self, seconds: float) -> None:
        self.admin.ask(
            "UPDATE sessions SET created_at = created_at - %s, expires_at = expires_at - %s, "
            "absolute_at = absolute_at - %s",
            *[seconds] * 3,
        )

    def row_count(self) -> int:
        return self.admin.ask("SELECT COUNT(*) FROM sessions")[0][0]

    def put(self, user: str | None = None, /, **data: Json) -> bytes:
        return put(self.new_handler(), user, data)

    def close(self) -> None:
        for handler in self._handlers:
            handler.close()
        self.admin.ask("DELETE FROM sessions")


@dataclass
class CachedWorld:
    """Copies in a real memcached, in front of a real MySQL."""

    behind: SqlWorld
    memcached: Memcached

    def new_handler(
        self, cache: Memcached | None = None, lookout: Lookout | None = None, **settings: Any
    ) -> CachedHandler:
        inner = self.behind.new_handler(**settings)
        return CachedHandler(
            inner, Breaker(cache or self.memcached), MySQLSwitch(inner), lookout or Lookout()
        )

    def unreachable_handler(self) -> CachedHandler:
        inner, memcached = self.behind.unreachable_handler(), Memcached("127.0.0.1", NOBODYS_PORT)
        return CachedHandler(inner, Breaker(memcached), MySQLSwitch(inner), Lookout())

    def age(self, seconds: float) -> None:
        self.behind.age(seconds)
        self._forget()  # copies would not be served any more, were the time real

    def row_count(self) -> int:
        return self.behind.row_count()

    def put(self, user: str | None = None, /, **data: Json) -> bytes:
        key = put(self.new_handler(), user, data)
        reader = self.new_handler()
        reader.read(key)  # so that there is a copy to be wrong
        reader.close()
        return key

    def close(self) -> None:
        self.behind.close()
        self.behind.admin.ask("UPDATE cache_switch SET off_until = 0")
        self._forget()

    def _forget(self) -> None:
        self.memcached.ask(lambda connection: connection.flush_all())


class Named:
    """The items in memcached, with the names of all that were ever added: memcached's own list has gaps."""

    def __init__(self, memcached: Memcached) -> None:
        self._memcached = memcached
        self.names: set[str] = set()

    def __getattr__(self, verb: str) -> Any:
        return getattr(self._memcached, verb)

    def add(self, name: str, value: bytes, seconds: int) -> bool:
        self.names.add(name)
        return self._memcached.add(name, value, seconds)


@dataclass
class MemcachedWorld:
    """Sessions in a real memcached alone."""

    memcached: Memcached
    _seconds: float = 0.0

    def __post_init__(self) -> None:
        self._clock = MemcachedClock(self.memcached)
        self.items: Any = Named(self.memcached)

    def now(self) -> float:
        return self._clock.now() + self._seconds

    def new_handler(self, **settings: Any) -> MemcachedHandler:
        handler = MemcachedHandler(self.items, self, **{"deadline_s": PATIENT_S, **settings})
        handler.open()
        return handler

    def unreachable_handler(self) -> MemcachedHandler:
        memcached = Memcached("127.0.0.1", NOBODYS_PORT)
        handler = MemcachedHandler(memcached, MemcachedClock(memcached))
        handler.open()
        return handler

    def age(self, seconds: float) -> None:
        self._seconds += seconds

    def row_count(self) -> int:
        return len(self.rows())

    def rows(self) -> list[bytes]:
        """All sessions as they are stored."""
        found = [self.memcached.gets(name) for name in self.items.names if name.startswith("session:")]
        return [item.value for item in found if item is not None]

    def put(self, user: str | None = None, /, **data: Json) -> bytes:
        return put(self.new_handler(), user, data)

    def close(self) -> None:
        self.memcached.ask(lambda connection: connection.flush_all())
