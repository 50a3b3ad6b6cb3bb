"""One pure function per guarantee: what was recorded in, what contradicts the guarantee out.

A checker takes a Run and returns its violations, an empty list when the guarantee held. It asks
nothing of the deployment, so it can be tried on histories made by hand, bad ones above all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from harness import linearizability
from harness.history import History, Operation, grouped, visits
from harness.visitor import is_server, served

# A session that was answered so often by one server only did not hop: the chance of that is 2^-19 with two.
WINDOW = 20
# An id that a visitor ended has a tombstone for a minute. Half of it, as the minute is the database's.
REMEMBERED_NS = 30 * 10**9


@dataclass(frozen=True, slots=True)
class Run:
    """The record of the time in which one fault struck.

    struck, healed: monotonic ns. store_is_out: the fault takes the database away.
    servers: how many there were before it struck.
    """

    history: History
    struck: int
    healed: int
    store_is_out: bool = False
    servers: int = 0


@dataclass(frozen=True, slots=True)
class Violation:
    """One contradiction: in words, and the operations that show it."""

    what: str
    operations: tuple[Operation, ...]

    def __str__(self) -> str:
        return "\n".join([self.what, *(f"    {operation}" for operation in self.operations)])


# G1


def what_one_wrote_others_read(run: Run) -> list[Violation]:
    """Read your writes, monotonic reads, monotonic writes, writes follow reads: for visitors with one tab."""
    return [v for visit in visits(run.history, "shopper") for v in _session_guarantees(visit)]


def _session_guarantees(visit: list[Operation]) -> Iterator[Violation]:
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
    """A count lies above all that was seen before, and below all that may have been added."""
    seen, added, last = 0, 0, story[0]
    for o in story:
        added += o.act == "add" and o.outcome != "failed"
        if not o.is_ok:
            continue
        value = o.result["value"] if o.act == "add" else o.result["data"].get(key, 0)
        least = seen + (o.act == "add")
        if not least <= value <= added:
            yield Violation(f"{key} is {value}, expected {least} to {added}", (last, o))
        seen, last = max(seen, value), o


def _list_story(key: str, story: list[Operation]) -> Iterator[Violation]:
    """Every item that was acknowledged or seen stays, in order; others are of appends nobody answered."""
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
    """A read shows the last value acknowledged or seen, or one whose set nobody answered."""
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


# G2


def no_acknowledged_write_is_lost(run: Run) -> list[Violation]:
    """Compare what each session holds at the end with what was acknowledged, tab by tab."""
    return [v for visit in visits(run.history, "shopper", "tabs") for v in _losses(visit)]


def _losses(visit: list[Operation]) -> Iterator[Violation]:
    finals = [o for o in visit if o.act == "read" and o.value == "final"]
    if not finals or not finals[-1].is_ok:
        if written := [o for o in visit if o.is_ok and o.act in ("add", "append", "set")]:
            yield Violation("nobody could read at the end what was acknowledged", (written[-1], *finals[-1:]))
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
                    continue  # whoever was last has won; linearizability says who may have been
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
        yield Violation(f"{key} holds what nobody appended, or twice: {strange or twice}", (final,))
    for mine in grouped(ok, lambda o: str(o.tab)).values():
        order = [items.index(o.value) for o in mine if o.value in items]
        if order != sorted(order):
            yield Violation(f"{key} is not in the order of tab {mine[0].tab}", (mine[0], final))


# G3


def one_session_behaves_as_one_copy(run: Run) -> list[Violation]:
    """Linearizability, session by session, of all its keys together.

    Raises Undecided if a search was given up and no other session contradicts the claim.
    """
    found, undecided = [], None
    for visit in visits(run.history, "tabs", "shopper"):
        try:
            found += _not_one_copy(visit)
        except linearizability.Undecided as given_up:
            undecided = given_up
    if undecided and not found:
        raise undecided
    return found


def _not_one_copy(visit: list[Operation]) -> Iterator[Violation]:
    culprit = linearizability.unexplained(visit)
    if culprit is not None:
        before = [o for o in visit if o.invoked < culprit.completed and o is not culprit]
        related = [o for o in before if o.key is None or culprit.key in (None, o.key)]
        yield Violation(
            f"no order of {len(before) + 1} operations explains the last", (*related[-6:], culprit)
        )


# G4


def the_dead_stay_dead(run: Run) -> list[Violation]:
    """An id whose end was acknowledged shows nothing, and takes no write."""
    deaths = {}
    for o in run.history:
        ends = o.act in ("login", "logout", "logout-everywhere", "expire")
        if ends and o.is_ok and o.sent_id is not None:
            deaths.setdefault(o.sent_id, o)
    found = []
    for o in run.history:
        death = deaths.get(o.sent_id or "")
        if death is not None and o.invoked > death.completed and (what := _signs_of_life(death, o)):
            found.append(Violation(f"after its {death.act} the id still {what}", (death, o)))
        elif o.cookie == "cleared" and o.act not in ("logout", "logout-everywhere"):
            found.append(Violation("the cookie was cleared, though nobody logged out", (o,)))
    return found + _logged_in_users_stay(run)


def _signs_of_life(death: Operation, o: Operation) -> str | None:
    if not o.is_ok or o.act == "logout":
        return None
    if o.act == "read":
        return "shows data" if o.result["data"] or o.result["user"] else None
    if o.cookie != "set":
        return "takes changes"
    if o.act in ("add", "append") and 1 not in o.result.values():
        return "lives on under a new one"
    # Who comes late is refused, for the cookie may be that of a newer login by now.
    is_remembered = death.act != "expire" and o.completed - death.completed < REMEMBERED_NS
    return "has the cookie replaced" if is_remembered else None


def _logged_in_users_stay(run: Run) -> list[Violation]:
    """A visitor who logged in stays so under the new id, with what the session held, until they end it."""
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
        found += _session_guarantees(stay)
    return found


# G5


def nobody_sees_anothers_data(run: Run) -> list[Violation]:
    """Every value carries the name of the visit that wrote it; who has no session sees nothing."""
    found = []
    for o in run.history:
        if o.act != "read" or not o.is_ok:
            continue
        strings = [s for value in o.result["data"].values() for s in _strings(value)]
        if o.role == "stranger" and (o.result["data"] or o.result["user"]):
            found.append(Violation("who has no session sees one", (o,)))
        elif any(s.partition("|")[0] != o.visit for s in strings):
            found.append(Violation("a visitor sees another's data", (o,)))
        elif o.result["user"] not in (None, o.visit):
            found.append(Violation("a visitor is another", (o,)))
    return found


def _strings(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [v for v in values if isinstance(v, str)]


# G6


def unknown_ids_are_not_adopted(run: Run) -> list[Violation]:
    """Reading under any id that is not ours shows nothing, sets nothing and stores nothing."""
    found = []
    for o in run.history:
        if o.role == "stranger" and o.is_ok:
            if o.act == "read" and (o.result["data"] or o.result["user"]):
                found.append(Violation("an id that nobody was given shows a session", (o,)))
            elif o.act == "read" and o.cookie != "kept":
                found.append(Violation("reading set a cookie", (o,)))
            elif o.act == "add" and (o.cookie != "set" or o.result["value"] != 1):
                found.append(Violation("a change went to the session of an id that nobody was given", (o,)))
        elif (
            o.role == "auditor" and o.act in ("rows-after-reading", "rows-of-forged") and o.result != o.value
        ):
            found.append(Violation(f"{o.act}: {o.result} rows, expected {o.value}", (o,)))
    return found


# G7


def an_outage_is_an_error(run: Run) -> list[Violation]:
    """No acknowledged session reads as empty; no error touches the cookie; errors come soon."""
    found = []
    for visit in visits(run.history, "shopper", "tabs"):
        removed = {o.key for o in visit if o.act == "remove"}
        written = [o for o in visit if o.is_ok and o.act in ("add", "append", "set") and o.key not in removed]
        for o in visit:
            is_empty = o.act == "read" and o.is_ok and not o.result["data"]
            if is_empty and written and written[0].completed < o.invoked:
                found.append(Violation("the session reads as empty", (written[0], o)))
    meanwhile = [o for o in run.history if run.store_is_out and run.struck < o.invoked < run.healed]
    # How slow the machine was by itself: a busy one delays an error as much as any other answer.
    slowest_ns = max((o.completed - o.invoked for o in meanwhile if o.act == "stateless"), default=0)
    slowest_ns = min(slowest_ns, 2 * 10**9)  # slower than that is no excuse
    for o in run.history:
        if o.outcome != "ok" and o.cookie != "kept" and o.sent_id is not None:
            found.append(Violation("an error touched the cookie", (o,)))
    for o in meanwhile:
        if not o.is_ok and o.act == "stateless":
            found.append(Violation("a route without a session failed with the store", (o,)))
        elif not o.is_ok and min(o.completed, run.healed) - o.invoked > 3e9 + slowest_ns:
            found.append(Violation("the error took more than 3 s", (o,)))
    return found


# G8


def clean_removes_only_the_expired(run: Run) -> list[Violation]:
    """Of the rows planted, all expired ones are gone and all live ones are there."""
    return [
        Violation(f"{o.act}: {o.result}, expected {o.value}", (o,))
        for o in run.history
        if o.act in ("expired-rows-left", "live-rows-left") and o.result != o.value
    ]


# G9


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
    """Return the visits that one server alone answered, WINDOW times or more, with those answers."""
    # Visits, not visitors: with stickiness, a visitor's next session is on another server.
    answered = grouped((o for o in history if is_server(o.server)), lambda o: o.visit)
    return {
        visit: operations
        for visit, operations in answered.items()
        if len(operations) >= WINDOW and len(set(served(operations))) == 1
    }
