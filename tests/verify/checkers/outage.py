"""G7: an outage is an error, never an empty session."""

from __future__ import annotations

from verify.evidence import Run, Violation
from verify.history import visits


def an_outage_is_an_error(run: Run) -> list[Violation]:
    """No acknowledged session reads as empty; no error changes the cookie; no error comes late."""
    found = []
    for visit in visits(run.history, "shopper", "tabs"):
        removed = {o.key for o in visit if o.act == "remove"}
        written = [o for o in visit if o.is_ok and o.act in ("add", "append", "set") and o.key not in removed]
        for o in visit:
            is_empty = o.act == "read" and o.is_ok and not o.result["data"]
            if is_empty and written and written[0].completed < o.invoked:
                found.append(Violation("the session reads as empty", (written[0], o)))
    meanwhile = [o for o in run.history if run.store_is_out and run.struck < o.invoked < run.healed]
    # The delay of the machine itself: a busy machine delays errors like all answers.
    slowest_ns = max((o.completed - o.invoked for o in meanwhile if o.act == "stateless"), default=0)
    slowest_ns = min(slowest_ns, 2 * 10**9)  # slower than that is no excuse
    for o in run.history:
        if o.outcome != "ok" and o.cookie != "kept" and o.sent_id is not None:
            found.append(Violation("an error touched the cookie", (o,)))
    within_s = run.error_within_s
    if within_s is None:
        return found
    for o in meanwhile:
        if not o.is_ok and o.act == "stateless":
            found.append(Violation("a route without a session failed with the store", (o,)))
        elif not o.is_ok and min(o.completed, run.healed) - o.invoked > within_s * 1e9 + slowest_ns:
            found.append(Violation(f"the error took more than {within_s:g} s", (o,)))
    return found
