"""Waits and missing service: what visitors feel of a fault.

"Recovered in" looks at answers that were not as asked. A slow one that is ok counts here alone.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from statistics import median

from verify.evidence import Run
from verify.history import Operation, not_as_asked

WINDOW_NS = 10**9
# The rate of answers is noisy: a second above this share of the usual one misses nothing.
NOTICED = 0.8
# Service is back after so many seconds in turn above this share.
BACK, BACK_WINDOWS = 0.9, 2
MOST_WINDOWS = 15
# Seconds that a strike may take to be felt.
FELT_WITHIN = 3


@dataclass(frozen=True, slots=True)
class Felt:
    """longest: the operation that took longest, of those that the strike found under way and later ones.

    missing: for each second from the strike on, the share of the usual rate of answers that is missing.
    """

    longest: Operation | None
    missing: tuple[float, ...]

    @property
    def longest_wait_s(self) -> float:
        return 0 if self.longest is None else (self.longest.completed - self.longest.invoked) / 1e9

    @property
    def service_lost_s(self) -> float:
        return sum(self.missing, 0.0)


def felt(run: Run) -> Felt:
    """Return what the visitors of a run felt, as long as they all came."""
    theirs = [o for o in run.history if o.role != "auditor" and o.invoked < run.ended]
    waited = [o for o in theirs if o.completed > run.struck]
    longest = max(waited, key=lambda o: o.completed - o.invoked, default=None)
    return Felt(longest, tuple(_missing(run, theirs)))


def _missing(run: Run, theirs: list[Operation]) -> list[float]:
    answered = sorted(o.completed for o in theirs if not not_as_asked(o))

    def number_in(start: int) -> int:
        return bisect_left(answered, start + WINDOW_NS) - bisect_left(answered, start)

    # Not the second in which the visitors come.
    first = answered[0] + WINDOW_NS if answered else run.struck
    before = [number_in(start) for start in range(run.struck - WINDOW_NS, first - 1, -WINDOW_NS)]
    usual = median(before) if before else 0
    missing: list[float] = []
    back = 0
    for start in range(run.struck, run.ended - WINDOW_NS + 1, WINDOW_NS):
        if usual == 0 or len(missing) == MOST_WINDOWS:
            break
        share = number_in(start) / usual
        missing.append(0 if share > NOTICED else 1 - share)
        back = back + 1 if share >= BACK else 0
        if back >= BACK_WINDOWS and (any(missing) or len(missing) > FELT_WITHIN):
            break
    return missing
