"""Searches for one order of a session's operations, consistent with real time, that explains every answer.

The search is Wing and Gong's, with Lowe's memory of configurations already seen ("Testing for
linearizability", 2017). A whole session is one object: a read shows all its names at one moment.
Sessions are independent, so each is searched alone, which keeps the searches small.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from verify.history import Operation

# A session's data as a value that can be hashed: sorted (key, value) pairs, lists as tuples.
State = tuple[tuple[str, Any], ...]

FOREVER = 2**63
MAX_CONFIGURATIONS = 200_000


class Undecided(Exception):
    """The search was given up: too many operations with an unknown outcome overlap."""


def unexplained(operations: Sequence[Operation]) -> Operation | None:
    """Return the first operation, in order of completion, that no order explains; None if all are explained.

    The operations of one session, in any order. Raises Undecided.
    """
    relevant = [o for o in operations if o.outcome != "refused" and (o.is_ok or o.act != "read")]
    if _is_linearizable(relevant):
        return None
    # A cut of the history after a completion makes the operations under way unknown. The shortest cut that
    # cannot be explained ends with the culprit. Shorter cuts of it are good, so halving finds it.
    answered = sorted((o for o in relevant if o.is_ok), key=lambda o: o.completed)
    good, bad = 0, len(answered)
    while bad - good > 1:
        middle = (good + bad) // 2
        if _is_linearizable(relevant, until=answered[middle - 1].completed):
            good = middle
        else:
            bad = middle
    return answered[bad - 1]


def _is_linearizable(operations: Sequence[Operation], until: int = FOREVER) -> bool:
    def is_known(o: Operation) -> bool:
        return o.is_ok and o.completed <= until

    # An operation without an answer may take effect at any later time, or never. Left out are reads, which
    # have no effect, and sets that no read shows, which explain nothing.
    shown = [v for o in operations if o.act == "read" and is_known(o) for v in o.result["data"].values()]
    begun = [o for o in operations if o.invoked <= until]
    never_seen = _never_seen(operations, [o for o in operations if is_known(o)])
    calls = [
        o
        for o in begun
        if is_known(o)
        or (o.act != "read" and (o.act != "set" or o.value in shown) and (o.key, o.value) not in never_seen)
    ]
    calls.sort(key=lambda o: o.invoked)
    known = [is_known(o) for o in calls]
    ends = [o.completed if is_known(o) else FOREVER for o in calls]
    expected = [_expected(o) if is_known(o) else None for o in calls]
    twins = _twins(calls, known)
    goal = sum(1 << i for i, sure in enumerate(known) if sure)

    # A configuration: the operations that have taken effect, and the session after them.
    stack: list[tuple[int, State]] = [(0, ())]
    seen = {stack[0]}
    while stack:
        done, state = stack.pop()
        if done & goal == goal:
            return True
        first_end = min(end for i, end in enumerate(ends) if not done >> i & 1)
        following = []
        for i, call in enumerate(calls):
            if call.invoked > first_end:
                break  # another operation had completed before this one began, so that came first
            twin = twins[i]
            if done >> i & 1 or (twin is not None and not done >> twin & 1):
                continue
            after = _applied(call, state, expected[i])
            configuration = (done | 1 << i, after)
            if after is not None and configuration not in seen:
                seen.add(configuration)
                # The stack is served from its end, so acknowledged operations are tried first.
                following.append((known[i], -ends[i], configuration))
        if len(seen) > MAX_CONFIGURATIONS:
            raise Undecided(f"{len(calls)} operations of {calls[0].visit}")
        stack.extend(configuration for *_, configuration in sorted(following, key=lambda f: f[:2]))
    return False


def _never_seen(operations: Sequence[Operation], known: Sequence[Operation]) -> set[tuple[str | None, Any]]:
    """Return the (key, value) of appends that had not taken effect when the last answer, a read, came.

    A list that is neither set nor removed only grows, so an item that the last read lacks was never in it.
    No answer shows a later effect of such an append. Leaving them out keeps an outage's searches small.
    """
    last = max(known, key=lambda o: o.invoked, default=None)
    if last is None or last.act != "read" or any(o.completed > last.invoked for o in known if o is not last):
        return set()
    shrinking = {o.key for o in operations if o.act in ("set", "remove")}
    appends = {(o.key, o.value) for o in operations if o.act == "append" and o.key not in shrinking}
    return {(key, value) for key, value in appends if value not in last.result["data"].get(key, ())}


def _twins(calls: Sequence[Operation], known: Sequence[bool]) -> list[int | None]:
    """Return for each operation with an unknown outcome an earlier one with the same effect, or None.

    No answer tells two such adds apart, so one order of them is enough.
    """
    last: dict[tuple[str, str | None], int] = {}
    twins: list[int | None] = []
    for i, call in enumerate(calls):
        same = (call.act, call.key)
        twins.append(last.get(same) if call.act == "add" and not known[i] else None)
        if call.act == "add" and not known[i]:
            last[same] = i
    return twins


def _expected(call: Operation) -> Any:
    """Return the content of the session that the answer shows."""
    match call.act:
        case "add":
            return call.result["value"]
        case "append":
            return call.result["length"]
        case "read":
            return frozen(call.result["data"])
    return None


def frozen(data: dict[str, Any]) -> State:
    return tuple(sorted((k, tuple(v) if isinstance(v, list) else v) for k, v in data.items()))


def _applied(call: Operation, state: State, expected: Any) -> State | None:
    """Return the session after the operation, None if its answer cannot have come from this state.

    expected None: the answer is not known.
    """
    if call.act == "read":
        return state if state == expected else None
    data = dict(state)
    key = call.key or ""
    match call.act:
        case "add":
            data[key] = answered = data.get(key, 0) + 1
        case "append":
            data[key] = (*data.get(key, ()), call.value)
            answered = len(data[key])
        case "set":
            data[key] = call.value
            answered = None
        case "remove":
            data.pop(key, None)
            answered = None
        case _:
            raise ValueError(f"no model of {call.act!r}")
    return tuple(sorted(data.items())) if expected in (None, answered) else None
