"""G1: every server reads the writes of every other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from verify.evidence import Run, Violation
from verify.history import Operation, grouped, visits


def what_one_wrote_others_read(run: Run) -> list[Violation]:
    """Read your writes, monotonic reads, monotonic writes, writes follow reads: for visitors with one tab."""
    return [v for visit in visits(run.history, "shopper") for v in session_guarantees(visit)]


def session_guarantees(visit: list[Operation]) -> Iterator[Violation]:
    for key, operations in grouped((o for o in visit if o.key), lambda o: o.key or "").items():
        reads = [o for o in visit if o.act == "read" and o.is_ok]
        story = sorted([*operations, *reads], key=lambda o: o.invoked)
        match operations[0].act:
            case "add":
                yield from _counter_story(key, story)
            case "append":
                yield from _list_story(key, story)
            case _:
                yield from _register_story(key, story)


def _counter_story(key: str, story: list[Operation]) -> Iterator[Violation]:
    """A count is at least every count seen before, and at most all adds that may have been done."""
    seen, added, last = 0, 0, story[0]
    for o in story:
        added += o.act == "add" and o.outcome != "refused"
        if not o.is_ok:
            continue
        value = o.result["value"] if o.act == "add" else o.result["data"].get(key, 0)
        least = seen + (o.act == "add")
        if not least <= value <= added:
            yield Violation(f"{key} is {value}, expected {least} to {added}", (last, o))
        seen, last = max(seen, value), o


def _list_story(key: str, story: list[Operation]) -> Iterator[Violation]:
    """Each acknowledged or seen item stays, in order. Other items come from appends without an answer."""
    kept: list[Any] = []
    unknown: set[Any] = set()
    last = story[0]
    for o in story:
        if o.act == "append" and o.outcome == "unknown":
            unknown.add(o.value)
        if not o.is_ok:
            continue
        if o.act == "append":
            kept.append(o.value)
            length, most = o.result["length"], len(kept) + len(unknown.difference(kept))
            if not len(kept) <= length <= most:
                yield Violation(f"{key} has {length} items, expected {len(kept)} to {most}", (last, o))
        elif o.act == "read":
            items = o.result["data"].get(key, [])
            late = [item for item in items if item not in kept]
            if [item for item in items if item in kept] != kept or not _once_each(late, unknown):
                yield Violation(f"{key} is {items}, expected {kept}", (last, o))
            kept = list(items)
        last = o


def _once_each(items: list[Any], allowed: set[Any]) -> bool:
    return len(set(items)) == len(items) and allowed.issuperset(items)


def _register_story(key: str, story: list[Operation]) -> Iterator[Violation]:
    """A read shows the last value acknowledged or seen, or the value of a set without an answer."""
    current: Any = None
    unknown: list[Any] = []
    last = story[0]
    for o in story:
        if o.act in ("set", "remove"):
            if o.is_ok:
                current, last = o.value, o
            elif o.outcome == "unknown":
                unknown.append(o.value)
        elif o.act == "read":
            value = o.result["data"].get(key)
            if value != current and value not in unknown:
                yield Violation(f"{key} is {value!r}, expected {current!r}", (last, o))
            if value != current and value in unknown:
                unknown.remove(value)  # it has happened now, and happens once
            current, last = value, o
