"""The subject of a judgement: its way in for visitors, and as much of its inside as it lets us see."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from verify.probe import OURS, Probe
from verify.visitor import Visitor


class Subject:
    """A deployment under judgement: this project's own (deployment.py), or anybody's (target.py)."""

    # The number of servers, 0 if that is not known.
    servers = 0
    # Guarantees that are not judged, with the reason.
    not_judged: Mapping[str, str] = {}
    # An error of the store is late after so many seconds; None: at no time.
    error_within_s: float | None = 3
    # A late request with an ended id leaves the cookie alone, because that may be the one of a newer login.
    remembers_the_dead = True
    # The run ends after so many seconds; None: with the last fault.
    ends_after_s: float | None = None
    # Visitors may come on a clock, however many still wait.
    takes_arrivals = True

    def __init__(self, url: str, ca: str | None = None, probe: Probe = OURS) -> None:
        """ca: the file of the authority behind an https URL, None for those that this machine trusts."""
        self.url = url
        self.ca = ca
        self.probe = probe

    @property
    def acts(self) -> frozenset[str]:
        """The acts that visitors may do. "expire": their sessions can be made to end by age."""
        return self.probe.acts | {"expire"}

    @property
    def services(self) -> set[str]:
        """The parts that are there to be struck."""
        raise NotImplementedError

    def visitor(self) -> Visitor:
        return self.visitor_with(None)

    def visitor_with(self, session_id: str | None) -> Visitor:
        return Visitor(self.url, session_id, self.ca, self.probe)

    def server_names(self) -> set[str]:
        """The names of the servers that answer visitors; empty if no answer tells."""
        raise NotImplementedError

    def make_whole(self) -> None:
        """Let everything run that should, and wait until visitors are served. Raises AssertionError."""
        raise NotImplementedError

    def expire(self, session_id: str, wait: Callable[[float], bool]) -> bool:
        """End the life of a session by age. Return False if that could not be done.

        wait: waits so many seconds, or less, and returns whether the run is over.
        """
        raise NotImplementedError
