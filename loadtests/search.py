"""The search for the highest load that is answered in time: tried rates in, the next one out. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

FIRST_RATE = 40.0  # requests/s
GROWTH = 1.5
# The search ends when the lowest rate that was too high is so near to the highest that was not.
NEAR = 1.1
# A machine that others use has slow moments, so one slow trial proves nothing.
MAX_TRIES = 2
MAX_TRIALS = 30


@dataclass(frozen=True, slots=True)
class Trial:
    """rate: arrivals/s. p99_ms: from the moment at which a request was due to its answer."""

    rate: float
    p50_ms: float
    p99_ms: float
    in_time: bool


def highest(trials: list[Trial]) -> float:
    """Return the highest rate that was in time, below all that were not; 0 if none was."""
    return max(
        (trial.rate for trial in trials if trial.in_time and trial.rate < _ceiling(trials)), default=0.0
    )


def next_rate(trials: list[Trial]) -> float | None:
    """Return the rate to try next, None when the search is over."""
    if len(trials) >= MAX_TRIALS:
        return None
    if trials and not trials[-1].in_time and _failures(trials, trials[-1].rate) < MAX_TRIES:
        return trials[-1].rate
    low, high = highest(trials), _ceiling(trials)
    if not low:
        return None if high <= 1 else min(FIRST_RATE, high / 2)
    if math.isinf(high):
        return low * GROWTH
    return None if high / low <= NEAR else math.sqrt(low * high)


def _ceiling(trials: list[Trial]) -> float:
    """Return the lowest rate that was never in time, in all the tries that it gets."""
    passed = {trial.rate for trial in trials if trial.in_time}
    too_high = [
        trial.rate
        for trial in trials
        if trial.rate not in passed and _failures(trials, trial.rate) >= MAX_TRIES
    ]
    return min(too_high, default=math.inf)


def _failures(trials: list[Trial], rate: float) -> int:
    return sum(trial.rate == rate and not trial.in_time for trial in trials)
