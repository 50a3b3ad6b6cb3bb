"""Items in memcached, over connections that are kept. The only file that knows the client library."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from pymemcache.client.base import Client
from pymemcache.exceptions import MemcacheError

from ..pool import Pool, PoolExhausted, said_something
from .cache import CacheUnavailable, Item

T = TypeVar("T")


class Connection(Client):  # type: ignore[misc]  # the library has no types
    """A connection of the client library, for a pool. It connects on first use."""

    @property
    def open(self) -> bool:
        return self.sock is not None

    def said_something(self) -> bool:
        said = said_something(self.sock)
        if self.sock is not None:
            self.sock.settimeout(self.timeout)  # the library sets it once
        return said

    def abandon(self) -> None:
        self.close()


@dataclass(slots=True)
class Memcached:
    """One memcached, as one process talks to it.

    timeout_s: for connecting, and for each answer. An answer takes 0.1 ms; half a second is for a
    busy machine, on which a healthy memcached answers late.
    """

    host: str
    port: int = 11211
    timeout_s: float = 0.5
    connections: int = 16
    _pool: Pool[Connection] = field(init=False)

    def __post_init__(self) -> None:
        self._pool = Pool(self._connect, self.connections)

    def _connect(self, seconds: float) -> Connection:
        return Connection(
            (self.host, self.port),
            connect_timeout=self.timeout_s,
            timeout=self.timeout_s,
            no_delay=True,
            default_noreply=False,  # an invalidation has to be confirmed
        )

    def gets(self, name: str) -> Item | None:
        value, token = self.ask(lambda connection: connection.gets(name))
        return None if value is None else Item(value, token)

    def set(self, name: str, value: bytes, seconds: int) -> None:
        self.ask(lambda connection: connection.set(name, value, seconds))

    def add(self, name: str, value: bytes, seconds: int) -> bool:
        return bool(self.ask(lambda connection: connection.add(name, value, seconds)))

    def cas(self, name: str, value: bytes, token: bytes, seconds: int) -> bool:
        return bool(self.ask(lambda connection: connection.cas(name, value, token, seconds)))

    def remove(self, name: str, token: bytes) -> bool:
        # memcached's `delete` takes no token; an item that is stored as expired is gone as well.
        return self.cas(name, b"", token, -1)

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.close()

    def ask(self, ask: Callable[[Connection], T]) -> T:
        """Return the answer of the library's client. Every failure is raised as CacheUnavailable."""
        try:
            connection = self._pool.borrow(self.timeout_s)
        except PoolExhausted as error:
            raise CacheUnavailable(str(error)) from error
        try:
            return ask(connection)
        except (MemcacheError, OSError) as error:
            connection.close()  # a late answer would be taken for the next one
            raise CacheUnavailable(
                f"memcached at {self.host}:{self.port} did not answer: {error!r}"
            ) from error
        finally:
            self._pool.give_back(connection)
