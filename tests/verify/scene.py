"""The scene of a run, shared by its visits: the subject, the end of the run, and the work left for then."""

from __future__ import annotations

import random
import threading

from verify.subject import Subject
from verify.tab import Tab

# Seconds between two operations of one tab, on average. The speed is not measured here, and servers under
# full load would fail their health checks.
PACE_S = 0.04


class Scene:
    """The state that visits share, for use by many threads at once."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.dead_ids: list[tuple[str, str]] = []  # (visit, id)
        self.forged_ids: list[str] = []
        self.ended_visits: list[Tab] = []  # their sessions must hold every acknowledged write
        self._over = threading.Event()

    @property
    def is_over(self) -> bool:
        return self._over.is_set()

    def end(self) -> None:
        self._over.set()

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until the run is over; return whether it is over."""
        return self._over.wait(seconds)

    def goes_on(self, dice: random.Random) -> bool:
        """Pause between two operations; return False when the run is over."""
        return not self.wait(dice.uniform(0, 2 * PACE_S))

    def end_visit(self, tab: Tab) -> None:
        """Leave. The session is read once more when all visitors have stopped."""
        tab.visitor.leave()
        if tab.visitor.session_id is not None:
            self.ended_visits.append(tab)

    def bury(self, tab: Tab, session_id: str | None) -> None:
        """Note an id whose end was acknowledged to this tab. It is tried when all visitors have stopped."""
        if session_id is not None:
            self.dead_ids.append((tab.visit, session_id))
