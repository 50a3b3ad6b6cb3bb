"""A cache that is away costs one request now and then a little time, and all others none."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from .cached import Cache, CacheUnavailable, Item

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(slots=True)
class Breaker:
    """The cache, unless it has just failed: then nobody asks for a while, and then one does.

    One per process. first_rest_s, longest_rest_s: seconds until that one asks; they double with each failure.
    """

    cache: Cache
    first_rest_s: float = 1.0
    longest_rest_s: float = 8.0
    now: Callable[[], float] = time.monotonic
    _rest_s: float = 0.0  # 0: the cache answers
    _until: float = 0.0

    def gets(self, name: str) -> Item | None:
        return self._ask(lambda: self.cache.gets(name))

    def set(self, name: str, value: bytes, seconds: int) -> None:
        self._ask(lambda: self.cache.set(name, value, seconds))

    def add(self, name: str, value: bytes, seconds: int) -> bool:
        return self._ask(lambda: self.cache.add(name, value, seconds))

    def cas(self, name: str, value: bytes, token: bytes, seconds: int) -> bool:
        return self._ask(lambda: self.cache.cas(name, value, token, seconds))

    def remove(self, name: str, token: bytes) -> bool:
        return self._ask(lambda: self.cache.remove(name, token))

    def _ask(self, ask: Callable[[], T]) -> T:
        if self._rest_s:
            if self.now() < self._until:
                raise CacheUnavailable("the cache has just failed; nobody asks it for a while")
            self._until = self.now() + self._rest_s  # so that the others do not try as well
        try:
            answer = ask()
        except CacheUnavailable as error:
            if not self._rest_s:
                log.warning("going on without the cache: %s", error)
            self._rest_s = min(max(2 * self._rest_s, self.first_rest_s), self.longest_rest_s)
            self._until = self.now() + self._rest_s
            raise
        if self._rest_s:
            log.warning("the cache answers again")
            self._rest_s = 0.0
        return answer
