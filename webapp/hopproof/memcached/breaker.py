"""Circuit breaker around a cache: during an outage of the cache only a few requests wait for it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from .cache import Cache, CacheUnavailable, Item

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(slots=True)
class Breaker:
    """A cache that is not asked for a pause after a failure; then a single request probes it.

    One per process. The pause doubles with each failure in a row, from first_pause_s to longest_pause_s.
    """

    cache: Cache
    first_pause_s: float = 1.0
    longest_pause_s: float = 8.0
    now: Callable[[], float] = time.monotonic
    _pause_s: float = 0.0  # 0: the cache answers
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
        if self._pause_s:
            if self.now() < self._until:
                raise CacheUnavailable("the cache has just failed and is not asked for a while")
            self._until = self.now() + self._pause_s  # so that other requests do not probe as well
        try:
            answer = ask()
        except CacheUnavailable as error:
            if not self._pause_s:
                log.warning("going on without the cache: %s", error)
            self._pause_s = min(max(2 * self._pause_s, self.first_pause_s), self.longest_pause_s)
            self._until = self.now() + self._pause_s
            raise
        if self._pause_s:
            log.warning("the cache answers again")
            self._pause_s = 0.0
        return answer
