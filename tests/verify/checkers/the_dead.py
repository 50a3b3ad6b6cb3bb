"""G4: destroyed, rotated and expired sessions stay dead."""

from __future__ import annotations

from itertools import takewhile

from verify.checkers.reads import session_guarantees
from verify.evidence import Run, Violation
from verify.history import Operation, visits

# An ended id has a tombstone for a minute on the database's clock. Half of it, to be safe.
REMEMBERED_NS = 30 * 10**9


def the_dead_stay_dead(run: Run) -> list[Violation]:
    """An id whose end was acknowledged shows nothing and takes nothing any more."""
    deaths = {}
    for o in run.history:
        ends = o.act in ("login", "logout", "logout-everywhere", "expire")
        if ends and o.is_ok and o.sent_id is not None:
            deaths.setdefault(o.sent_id, o)
    found = []
    for o in run.history:
        death = deaths.get(o.sent_id or "")
        if death is not None and o.invoked > death.completed and (what := _signs_of_life(death, o, run)):
            found.append(Violation(f"after its {death.act} the id still {what}", (death, o)))
        elif (
            run.remembers_the_dead and o.cookie == "cleared" and o.act not in ("logout", "logout-everywhere")
        ):
            found.append(Violation("the cookie was cleared, though no visitor logged out", (o,)))
    return found + _logged_in_users_stay(run)


def _signs_of_life(death: Operation, o: Operation, run: Run) -> str | None:
    if not o.is_ok or o.act == "logout":
        return None
    if o.act == "read":
        return "shows data" if o.result["data"] or o.result["user"] else None
    if o.cookie != "set":
        return "takes changes"
    if o.act in ("add", "append") and 1 not in o.result.values():
        return "lives on under a new one"
    # A late request is refused, because the cookie may be that of a newer login by now.
    if not run.remembers_the_dead:
        return None
    is_remembered = death.act != "expire" and o.completed - death.completed < REMEMBERED_NS
    return "has the cookie replaced" if is_remembered else None


def _logged_in_users_stay(run: Run) -> list[Violation]:
    """A visitor who logged in stays logged in under the new id, and keeps the data, until they end it."""
    found = []
    for visit in visits(run.history, "leaver"):
        mine = [o for o in visit if o.tab == 0]
        stay = list(takewhile(lambda o: o.act not in ("logout", "logout-everywhere"), mine))
        login = None
        for o in stay:
            if o.act == "login" and o.is_ok:
                login = o
            elif login and o.act == "read" and o.is_ok and o.result["user"] != login.value:
                found.append(Violation(f"{login.value} is not logged in any more", (login, o)))
        found += session_guarantees(stay)
    return found
