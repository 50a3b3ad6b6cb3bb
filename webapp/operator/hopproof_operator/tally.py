"""Sums over one walk of the table, in constant memory."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from hopproof_operator.table import Row

MINUTE, HOUR, DAY, KIB = 60, 3600, 86400, 1024

# The upper ends of a histogram's bars, inclusive as in Prometheus, by their names; None: no end.
SECONDS = {
    "up to 1 min": MINUTE,
    "up to 5 min": 5 * MINUTE,
    "up to 15 min": 15 * MINUTE,
    "up to 1 h": HOUR,
    "up to 4 h": 4 * HOUR,
    "up to 1 day": DAY,
    "longer": None,
}
BYTES = {
    "up to 256 B": KIB // 4,
    "up to 1 KiB": KIB,
    "up to 4 KiB": 4 * KIB,
    "up to 16 KiB": 16 * KIB,
    "up to 64 KiB": 64 * KIB,
    "larger": None,
}

# Users counted one by one. Beyond that, the rarest are dropped, and the counts become lower bounds.
MAX_USERS = 50_000
# Up to so many, distinct users are counted exactly; beyond that with a standard error of 0.5 %.
MAX_DISTINCT = 50_000
HASHES = 2**64


@dataclass
class Histogram:
    bars: dict[str, int | None]
    counts: list[int] = field(init=False)
    total: int = 0

    def __post_init__(self) -> None:
        self.counts = [0] * len(self.bars)
        self._ends = [end for end in self.bars.values() if end is not None]

    def add(self, value: int) -> None:
        self.counts[bisect_left(self._ends, value)] += 1
        self.total += value

    def named(self) -> Sequence[tuple[str, int]]:
        return list(zip(self.bars, self.counts, strict=True))


class Distinct:
    """Counts different names in constant memory: adaptive sampling (Wegman; Flajolet, 1990).

    It keeps the hashes of the names below a limit. When they are too many, the limit is halved: hashes are
    spread evenly, so half of the names stay.
    """

    def __init__(self, most: int = MAX_DISTINCT) -> None:
        self._most = most
        self._limit = HASHES
        self._kept: set[int] = set()

    def add(self, name: str) -> None:
        hashed = int.from_bytes(blake2b(name.encode(), digest_size=8).digest())
        if hashed < self._limit:
            self._kept.add(hashed)
            while len(self._kept) > self._most:
                self._limit //= 2
                self._kept = {each for each in self._kept if each < self._limit}

    def __len__(self) -> int:
        return len(self._kept) * (HASHES // self._limit)


@dataclass
class Tally:
    """The sums so far. idle_timeout_s: SESSION_IDLE_S."""

    idle_timeout_s: int
    live: int = 0
    logged_in: int = 0
    expired: int = 0
    ended: int = 0
    broken: int = 0
    users_missed: int = 0
    age: Histogram = field(default_factory=lambda: Histogram(SECONDS))
    idle: Histogram = field(default_factory=lambda: Histogram(SECONDS))
    size: Histogram = field(default_factory=lambda: Histogram(BYTES))
    users: Distinct = field(default_factory=Distinct)
    _users: Counter[str] = field(default_factory=Counter)

    def add(self, row: Row) -> None:
        if row.state == "ended":
            self.ended += 1
        elif row.state == "expired":
            self.expired += 1
        else:
            self.live += 1
            self.age.add(row.age_s)
            self.idle.add(row.idle_s(self.idle_timeout_s))
            self.size.add(row.json_bytes)
            if row.user is not None:
                self.logged_in += 1
                self.users.add(row.user)
                self._count(row.user)

    @property
    def live_bytes(self) -> int:
        return self.size.total

    def top_users(self, count: int = 10) -> list[tuple[str, int]]:
        """Return the users with most live sessions. Each count may be too low by users_missed."""
        return sorted(self._users.items(), key=lambda pair: (-pair[1], pair[0]))[:count]

    def _count(self, user: str) -> None:
        self._users[user] += 1
        if len(self._users) > MAX_USERS:
            # Misra and Gries, 1982: users with many sessions stay, and are counted one too low per round.
            self._users = Counter({name: n - 1 for name, n in self._users.items() if n > 1})
            self.users_missed += 1
