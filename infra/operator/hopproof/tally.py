"""What a walk of the table adds up to, in constant memory."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from hopproof.table import Row

MINUTE, HOUR, DAY, KIB = 60, 3600, 86400, 1024

# The upper ends of a histogram's bars, exclusive, each with its name; the last bar has none.
SECONDS = {
    "< 1 min": MINUTE,
    "< 5 min": 5 * MINUTE,
    "< 15 min": 15 * MINUTE,
    "< 1 h": HOUR,
    "< 4 h": 4 * HOUR,
    "< 1 day": DAY,
    "longer": None,
}
BYTES = {
    "< 256 B": KIB // 4,
    "< 1 KiB": KIB,
    "< 4 KiB": 4 * KIB,
    "< 16 KiB": 16 * KIB,
    "< 64 KiB": 64 * KIB,
    "larger": None,
}

# Users counted one by one. Beyond that, the rarest give way, and the counts become lower bounds.
MAX_USERS = 50_000


@dataclass
class Histogram:
    bars: dict[str, int | None]
    counts: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.counts = [0] * len(self.bars)
        self._ends = [end for end in self.bars.values() if end is not None]

    def add(self, value: int) -> None:
        self.counts[bisect_right(self._ends, value)] += 1

    def named(self) -> Sequence[tuple[str, int]]:
        return list(zip(self.bars, self.counts, strict=True))


@dataclass
class Tally:
    """What has been seen so far. idle_timeout_s: SESSION_IDLE_S."""

    idle_timeout_s: int
    live: int = 0
    logged_in: int = 0
    expired: int = 0
    ended: int = 0
    live_bytes: int = 0
    broken: int = 0
    users_missed: int = 0
    age: Histogram = field(default_factory=lambda: Histogram(SECONDS))
    idle: Histogram = field(default_factory=lambda: Histogram(SECONDS))
    size: Histogram = field(default_factory=lambda: Histogram(BYTES))
    _users: Counter[str] = field(default_factory=Counter)

    def add(self, row: Row) -> None:
        if row.state == "ended":
            self.ended += 1
        elif row.state == "expired":
            self.expired += 1
        else:
            self.live += 1
            self.live_bytes += row.json_bytes
            self.age.add(row.age_s)
            self.idle.add(row.idle_s(self.idle_timeout_s))
            self.size.add(row.json_bytes)
            if row.user is not None:
                self.logged_in += 1
                self._count(row.user)

    def top_users(self, count: int = 10) -> list[tuple[str, int]]:
        """Return who has most live sessions. Each count may be too low by users_missed."""
        return sorted(self._users.items(), key=lambda pair: (-pair[1], pair[0]))[:count]

    def _count(self, user: str) -> None:
        self._users[user] += 1
        if len(self._users) > MAX_USERS:
            # Misra and Gries, 1982: who has many sessions stays, and is counted one too low per round.
            self._users = Counter({name: n - 1 for name, n in self._users.items() if n > 1})
            self.users_missed += 1
