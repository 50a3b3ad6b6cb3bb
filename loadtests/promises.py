"""The promises made to a visitor so far, and the answers that contradict them. Pure: no Locust, no HTTP.

An answer makes a promise ("your counter is 7"); a lost answer widens it ("7 or 8"). Whatever an answer shows
outside of that is a finding: `lost` when something acknowledged is missing, `wrong` when there is more, or
something else, than anybody has asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Outcome = Literal["ok", "failed", "unknown"]


def outcome_of(status: int, server: str | None) -> Outcome:
    """Say what is certain after an answer: done, not done, or that nobody knows (status 0: no answer came).

    A 503 to a write may come from a store that did the write and lost the answer; the balancer's own means
    that no server took the request.
    """
    if 200 <= status < 300:
        return "ok"
    if 400 <= status < 500 or (status, server) == (503, "balancer"):
        return "failed"
    return "unknown"


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
        """Take note of an attempt to add one; answer: what it became, if it succeeded and told."""
        if outcome == "unknown":
            self.high += 1
        if answer is None:
            return None
        self.low, self.high = self.low + 1, self.high + 1
        return self.seen(answer)

    def seen(self, answer: int) -> Finding | None:
        """Compare what was shown with what is possible. From then on it is what was shown."""
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
        """Compare an answer of GET /api/session with all that is known."""
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
    """Say what a session shows that must show nothing: an ended one, or none at all."""
    if session["data"] or session["user"]:
        return Finding("wrong", f"{whose} shows {session['user']!r} and {sorted(session['data'])}")
    return None
