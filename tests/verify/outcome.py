"""The rule of outcomes, for verify and for the load test: is an operation certainly done after its answer?

Standard library only: the image of the load test holds this file, and nothing else of verify.
"""

from __future__ import annotations

from typing import Literal

# Done; certainly not done (Jepsen calls that "fail"); perhaps done, or perhaps still to be done.
Outcome = Literal["ok", "refused", "unknown"]


def outcome_of(status: int, server: str | None, *, is_sent: bool = True) -> Outcome:
    """Return the outcome of a request. status 0: no answer came. is_sent False: there was no connection.

    A server's 503 to a write may come from a store that did the write and lost the answer. The balancer's
    own 503 means that no server took the request. A redirect is unknown, because the probe API has none.
    """
    if 200 <= status < 300:
        return "ok"
    if not is_sent or 400 <= status < 500 or (status, server) == (503, "balancer"):
        return "refused"
    return "unknown"
