"""How many visitors when: functions of the time that has passed, from 0 to 1, to a share of all visitors."""

from __future__ import annotations

from collections.abc import Callable


def steady(passed: float) -> float:
    return 1


def ramp(passed: float) -> float:
    """From one visitor to all of them, steadily: shows at which load answers become slow."""
    return passed


def spike(passed: float) -> float:
    """A fifth of the visitors, and all of them in the middle third: shows whether it recovers."""
    return 1 if 1 / 3 <= passed < 2 / 3 else 0.2


SHAPES: dict[str, Callable[[float], float]] = {"steady": steady, "ramp": ramp, "spike": spike}


def visitors_at(shape: str, seconds: float, users: int, duration_s: int) -> int | None:
    """Return how many visitors there are so many seconds after the start, None when it is over."""
    if seconds >= duration_s:
        return None
    return max(1, round(users * SHAPES[shape](seconds / duration_s)))
