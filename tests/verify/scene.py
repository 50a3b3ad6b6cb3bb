"""The scene of a run, shared by its visits: the stack, whether it is over, and what is left for its end."""

from __future__ import annotations

import random
import threading

from verify.deployment import Stack
from verify.tab import Tab

# Seconds between two operations of one tab. On average: a session table is not measured here, it is judged,
# and servers that are busy to the brim fail their checks by themselves.
PACE_S = 0.04


class Scene:
    """Where visits take place, for use by many threads at once."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.dead_ids: list[tuple[str, str]] = []  # (visit, id)
        self.forged_ids: list[str] = []
        self.ended_visits: list[Tab] = []  # whose sessions are to hold all that was acknowledged
        self._over = threading.Event()

    @property
    def is_over(self) -> bool:
        return self._over.is_set()

    def end(self) -> None:
        self._over.set()

    def wait(self, seconds: float) -> bool:
        """Return after so long, or at once when the run is over, and say whether it is."""
        return self._over.wait(seconds)

    def goes_on(self, dice: random.Random) -> bool:
        """Rest between two operations. False: the run is over."""
        return not self.wait(dice.uniform(0, 2 * PACE_S))

    def end_visit(self, tab: Tab) -> None:
        """Leave, and have the session read once more when all have stopped."""
        tab.visitor.leave()
        if tab.visitor.session_id is not None:
            self.ended_visits.append(tab)

    def bury(self, tab: Tab, session_id: str | None) -> None:
        """Have an id tried once more when all have stopped: its end was acknowledged to this tab."""
        if session_id is not None:
            self.dead_ids.append((tab.visit, session_id))
