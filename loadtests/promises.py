"""The promises that a visitor was given, and the answers that contradict them. Pure: no Locust, no HTTP.

An answer makes a promise ("your counter is 7"); a lost answer widens it ("7 or 8"). An answer outside of that
is a finding: `lost` when an acknowledged write is missing, `wrong` when the session shows more than the
visitor has asked for, or something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from verify.outcome import Outcome


@dataclass(frozen=True)
class Finding:
    kind: Literal["lost", "wrong"]
    text: str


@dataclass
class Number:
    """A number that only this visitor raises: the least and the most that it can be by now."""

    name: str
    low: int = 0
    high: int = 0

    def raised(self, outcome: Outcome, answer: int | None = None) -> Finding | None:
        """Note an attempt to add one. answer: the new count, if an answer with it came."""
        if outcome == "unknown":
            self.high += 1
        if answer is None:
            return None
        self.low, self.high = self.low + 1, self.high + 1
        return self.seen(answer)

    def seen(self, answer: int) -> Finding | None:
        """Compare the number shown with the possible ones. From then on only this one is possible."""
        low, high = self.low, self.high
        self.low = self.high = answer
        if answer < low:
            return Finding("lost", f"the {self.name} went back from {low} to {answer}")
        if answer > high:
            return Finding("wrong", f"the {self.name} is {answer}, but cannot be more than {high}")
        return None


@dataclass
class Promises:
    """One visitor with one tab. owner marks everything that they store."""

    owner: str
    user: str | None = None
    counter: Number = field(default_factory=lambda: Number("counter"))
    cart: Number = field(default_factory=lambda: Number("cart's length"))

    def shown(self, session: Mapping[str, Any]) -> Finding | None:
        """Compare an answer of GET /api/session with all promises."""
        data = session["data"]
        if session["user"] != self.user:
            kind = "lost" if session["user"] is None else "wrong"
            return Finding(kind, f"the session is {session['user']!r}'s, but {self.user!r} is logged in")
        if strangers := [item for item in data.get("cart", []) if not str(item).startswith(self.owner)]:
            return Finding("wrong", f"{strangers[0]!r} is in the cart of {self.owner!r}")
        numbers = [item.partition("#")[2] for item in data.get("cart", [])]
        if numbers != sorted(set(numbers), key=int):
            return Finding("wrong", f"the cart has items twice or out of order: {numbers}")
        return self.counter.seen(data.get("counter", 0)) or self.cart.seen(len(numbers))


def empty(session: Mapping[str, Any], whose: str) -> Finding | None:
    """Return a finding if the session is not empty. It must be: it was ended, or never began."""
    if session["data"] or session["user"]:
        return Finding("wrong", f"{whose} shows {session['user']!r} and {sorted(session['data'])}")
    return None
