"""G10: a fault costs visitors no more than its budget."""

from __future__ import annotations

import math

from verify.evidence import Run, Violation
from verify.felt import felt
from verify.history import not_as_asked


def a_fault_costs_no_more_than_its_budget(run: Run) -> list[Violation]:
    """The longest wait, the service lost and the last error stay within the budget."""
    budget, cost, found = run.budget, felt(run), []
    if budget is None:
        return []
    if budget.wait_s is not None and cost.longest is not None and cost.longest_wait_s > budget.wait_s:
        words = f"a wait of {cost.longest_wait_s:.2f} s, {budget.wait_s} s are allowed"
        found.append(Violation(words, (cost.longest,)))
    if budget.lost_s is not None and cost.service_lost_s > budget.lost_s:
        words = f"{cost.service_lost_s:.1f} s of service were lost, {budget.lost_s} s are allowed"
        found.append(Violation(words, ()))
    # The repaired part may disturb once more when it comes back; `late_s` limits that.
    for limit_s, since, until, words in (
        (budget.late_s, run.back, math.inf, "everything answers again"),
        (budget.again_s, run.struck, run.healed, "the strike"),
    ):
        end = since + round((limit_s or 0) * 1e9)
        late = [o for o in run.history if not_as_asked(o) and o.completed > end and o.invoked < until]
        if limit_s is not None and late:
            found.append(Violation(f"not as asked later than {limit_s} s after {words}", tuple(late)))
    return found
