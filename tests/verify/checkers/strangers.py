"""G5: no visitor sees another's data. G6: unknown ids are not adopted; reading leaves nothing behind."""

from __future__ import annotations

from typing import Any

from verify.evidence import Run, Violation


def nobody_sees_anothers_data(run: Run) -> list[Violation]:
    """Every value carries the name of the visit that wrote it; a visitor without a session sees nothing."""
    # An id that was adopted shows what its inventor stored: G6 says so, and it is nobody else's.
    changes = [o for o in run.history if o.role == "stranger" and o.act == "add" and o.is_ok]
    adopted = {o.sent_id for o in changes if o.cookie != "set"}
    found = []
    for o in run.history:
        if o.act != "read" or not o.is_ok or (o.role == "stranger" and o.sent_id in adopted):
            continue
        strings = [s for value in o.result["data"].values() for s in _strings(value)]
        if o.role == "stranger" and (o.result["data"] or o.result["user"]):
            found.append(Violation("a visitor without a session sees one", (o,)))
        elif any(s.partition("|")[0] != o.visit for s in strings):
            found.append(Violation("a visitor sees another's data", (o,)))
        elif o.result["user"] not in (None, o.visit):
            found.append(Violation("a visitor is another", (o,)))
    return found


def _strings(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [v for v in values if isinstance(v, str)]


def unknown_ids_are_not_adopted(run: Run) -> list[Violation]:
    """Reading under any id that is not ours shows nothing, sets nothing and stores nothing."""
    found = []
    for o in run.history:
        if o.role == "stranger" and o.is_ok:
            if o.act == "read" and (o.result["data"] or o.result["user"]):
                found.append(Violation("an id that no visitor was given shows a session", (o,)))
            elif o.act == "read" and o.cookie in ("set", "cleared" if run.remembers_the_dead else "set"):
                found.append(Violation("reading set a cookie", (o,)))
            elif o.act == "add" and (o.cookie != "set" or o.result["value"] != 1):
                found.append(
                    Violation("a change went to a session under an id that no visitor was given", (o,))
                )
        elif (
            o.role == "auditor" and o.act in ("rows-after-reading", "rows-of-forged") and o.result != o.value
        ):
            found.append(Violation(f"{o.act}: {o.result} rows, expected {o.value}", (o,)))
    return found
