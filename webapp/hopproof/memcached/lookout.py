"""The switch that turns off all copies, and what one process knows of it.

A server serves copies only while its last look at the switch is recent and showed it on. So a writer that
cannot reach the cache turns the switch off, waits until every such look is too old, and goes on.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from ..handler import SessionStoreUnavailable

# Seconds added where two clocks are compared, because their speeds differ a little.
MARGIN_S = 0.1


@dataclass(frozen=True, slots=True)
class SwitchSeen:
    """The database's clock, in seconds since the epoch, and the seconds until the switch is on again."""

    store_time: float
    off_s: float


class Switch(Protocol):
    """The switch of all servers, kept beside the sessions. Both verbs may raise SessionStoreUnavailable."""

    def look(self) -> SwitchSeen:
        """Return the state of the switch."""

    def turn_off(self, seconds: float) -> None:
        """Turn it off for at least so many seconds from now. Never shortens a longer time."""


@dataclass(frozen=True, slots=True)
class _Look:
    sent: float
    received: float
    store_time: float


@dataclass(slots=True)
class Lookout:
    """The knowledge of one process about the switch, and so whether it may serve copies at this moment.

    ttl_s: how old a copy may be. A longer time keeps the cache off longer after an outage; a shorter
    one reads the table more often. horizon_s: how old the last look may be. The first write of an
    outage waits that long; half of it is the time between two looks.
    """

    ttl_s: float = 5.0
    horizon_s: float = 1.0
    now: Callable[[], float] = time.monotonic
    _seen_on: _Look | None = None
    # On this process's clock. The switch is off at least from _off_since to _off_until.
    _off_since: float = -math.inf
    _off_until: float = -math.inf
    _looking: threading.Lock = field(default_factory=threading.Lock)

    def look(self, switch: Switch) -> None:
        """Look at the switch if that is due and no other request is at it."""
        if not self._is_due() or not self._looking.acquire(blocking=False):
            return
        try:
            # An outage needs no error here: the permission runs out, and reading the table fails by itself.
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

    # Bounds, because the database read its clock at some moment between question and answer.

    def earliest_store_time(self) -> float:
        assert self._seen_on is not None, "ask may_serve first"
        return self._seen_on.store_time + self.now() - self._seen_on.received

    def latest_store_time(self) -> float:
        assert self._seen_on is not None, "ask may_serve first"
        return self._seen_on.store_time + self.now() - self._seen_on.sent
