"""G9: the balancer spreads the load and every history hopped."""

from __future__ import annotations

from collections import Counter

from verify.evidence import Run, Violation
from verify.history import History, Operation, grouped
from verify.visitor import is_server, served

# Answers after which a session with a single server counts as unhopped. By chance: 2^-19 with two servers.
WINDOW = 20


def every_history_hopped(run: Run) -> list[Violation]:
    """Each session met two servers or more, and before the fault every server had its share."""
    found = [
        Violation(
            f"{visit} was answered by {answers[0].server} only, {len(answers)} times", tuple(answers[:3])
        )
        for visit, answers in unhopped(run.history).items()
    ]
    before = Counter(served(o for o in run.history if o.completed < run.struck and o.role != "auditor"))
    if before and (len(before) < run.servers or min(before.values()) * 2 < max(before.values())):
        found.append(Violation(f"the shares before the fault are uneven: {dict(before)}", ()))
    return found


def unhopped(history: History) -> dict[str, list[Operation]]:
    """Return the visits that a single server answered, WINDOW times or more, with those answers."""
    # Visits, not visitors: with stickiness, a visitor's next session is on another server.
    answered = grouped((o for o in history if is_server(o.server)), lambda o: o.visit)
    return {
        visit: operations
        for visit, operations in answered.items()
        if len(operations) >= WINDOW and len(set(served(operations))) == 1
    }
