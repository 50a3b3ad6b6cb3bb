"""G2: no acknowledged write is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from verify.evidence import Run, Violation
from verify.history import Operation, grouped, visits


def no_acknowledged_write_is_lost(run: Run) -> list[Violation]:
    """Compare the final content of each session with the acknowledged writes, tab by tab."""
    return [v for visit in visits(run.history, "shopper", "tabs") for v in _losses(visit)]


def _losses(visit: list[Operation]) -> Iterator[Violation]:
    finals = [o for o in visit if o.act == "read" and o.value == "final"]
    if not finals or not finals[-1].is_ok:
        if written := [o for o in visit if o.is_ok and o.act in ("add", "append", "set")]:
            yield Violation("no read at the end shows what was acknowledged", (written[-1], *finals[-1:]))
        return
    final = finals[-1]
    data = final.result["data"]
    for key, operations in grouped((o for o in visit if o.key), lambda o: o.key or "").items():
        ok = [o for o in operations if o.is_ok]
        unknown = [o for o in operations if o.outcome == "unknown"]
        match operations[0].act:
            case "add":
                value = data.get(key, 0)
                if not len(ok) <= value <= len(ok) + len(unknown):
                    what = (
                        f"{key} ends as {value}; {len(ok)} adds were acknowledged, {len(unknown)} are unknown"
                    )
                    yield Violation(what, (ok[-1] if ok else operations[-1], final))
            case "append":
                yield from _list_losses(key, data.get(key, []), ok, unknown, final)
            case _:
                if len({o.tab for o in operations}) > 1:
                    continue  # the last tab wins; linearizability decides which tab that may be
                value = data.get(key)
                if value not in [ok[-1].value if ok else None, *(o.value for o in unknown)]:
                    what = f"{key} ends as {value!r}, though another value was acknowledged last"
                    yield Violation(what, (*ok[-1:], final))


def _list_losses(
    key: str, items: list[Any], ok: list[Operation], unknown: list[Operation], final: Operation
) -> Iterator[Violation]:
    counts = Counter(items)
    for o in ok:
        if counts[o.value] != 1:
            yield Violation(f"{o.value!r} is {counts[o.value]} times in {key} at the end", (o, final))
    strange = counts.keys() - {o.value for o in [*ok, *unknown]}
    twice = [o for o in unknown if counts[o.value] > 1]
    if strange or twice:
        yield Violation(f"{key} holds what no visitor appended, or twice: {strange or twice}", (final,))
    for mine in grouped(ok, lambda o: str(o.tab)).values():
        order = [items.index(o.value) for o in mine if o.value in items]
        if order != sorted(order):
            yield Violation(f"{key} is not in the order of tab {mine[0].tab}", (mine[0], final))
