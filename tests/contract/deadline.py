"""Waiting for a condition instead of a fixed time."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(
    condition: Callable[[], object],
    seconds: float = 10,
    seen: Callable[[], str] = lambda: "nothing more",
    pause_s: float = 0.01,
) -> None:
    """Return as soon as the condition holds; fail after so many seconds, with the last state seen."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain; seen: {seen()}")
        time.sleep(pause_s)
