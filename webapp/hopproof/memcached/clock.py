"""memcached's clock, for sessions that are kept in memcached alone."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Protocol

from .client import Memcached


class Clock(Protocol):
    def now(self) -> float:
        """Return the seconds since the epoch, on the store's clock. May raise CacheUnavailable."""


@dataclass(slots=True)
class MemcachedClock:
    """memcached's clock, as one process knows it. The servers' own clocks differ.

    It is asked once in every_s. Each answer is up to a second late, so the answer that was least
    late counts.
    """

    memcached: Memcached
    every_s: float = 10.0
    _ahead_s: float = -math.inf  # of time.monotonic(); a lower bound
    _started: float = 0.0
    _asked: float = -math.inf
    _asking: threading.Lock = field(default_factory=threading.Lock)

    def now(self) -> float:
        with self._asking:
            if time.monotonic() - self._asked > self.every_s:
                self._ask()
        return time.monotonic() + self._ahead_s

    def _ask(self) -> None:
        stats: dict[bytes, Any] = self.memcached.ask(lambda connection: connection.stats())
        now, started = float(stats[b"time"]), float(stats[b"time"]) - float(stats[b"uptime"])
        self._asked = time.monotonic()
        ahead_s = now - self._asked
        # memcached has restarted, perhaps with another clock. The items from before are gone as well.
        is_same = abs(started - self._started) <= 1
        self._ahead_s = max(self._ahead_s, ahead_s) if is_same else ahead_s
        self._started = started
