"""G11: a primary that was replaced answers nobody."""

from __future__ import annotations

from bisect import bisect_left

from verify.evidence import Run, Violation
from verify.history import Operation

# A copy that is behind is what a secondary is for; nothing sends a visitor there.
MAY_LAG = ("read at ONLINE SECONDARY", "read at RECOVERING SECONDARY")
ROUTER = "db"
LEARNS_S = 10


def a_replaced_primary_answers_nobody(run: Run) -> list[Violation]:
    """No member that is not a secondary answers with less than what was acknowledged before it was asked.

    One that stood still cannot know, when it goes on, that it was replaced: it may answer so for LEARNS_S.
    The router sends nobody there, and so the router has no such time.
    """
    counted = [o for o in run.history if o.role == "auditor" and o.act == "acknowledged"]
    counted.sort(key=lambda o: o.completed)
    ends = [o.completed for o in counted]
    most: list[Operation] = []
    for o in counted:
        most.append(o if not most or o.result > most[-1].result else most[-1])
    found = []
    for o in run.history:
        if o.role != "auditor" or not o.act.startswith("read at ") or o.act in MAY_LAG:
            continue
        since_s = (o.invoked - run.healed) / 1e9
        if 0 <= since_s < LEARNS_S and o.server != ROUTER:
            continue
        before = bisect_left(ends, o.invoked)
        newest = most[before - 1] if before else None
        if newest and (o.result or 0) < newest.result:
            told = f"{o.server} ({o.act[8:]}) answered {o.result}"
            found.append(Violation(f"{told}, {newest.result} was acknowledged before", (newest, o)))
    return found
