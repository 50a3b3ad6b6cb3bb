"""The search finds an order where one exists, or names the first operation that no order explains."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import permutations
from typing import Any

import pytest
from histories import Visit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from verify import linearizability
from verify.history import Operation
from verify.linearizability import Undecided, unexplained

me = Visit("tabs-0.0")
LOST = 503  # from a server: done or not, which is unknown

EXPLAINED = {
    "nothing happened": [],
    "one after the other": [
        *(me.read(), me.add(1), me.add(2), me.append("a", 1), me.set("b"), me.remove(), me.remove()),
        me.read({"n": 2, "items": ["a"]}),
    ],
    "two adds at once": [me.add(2, at=(0, 3)), me.add(1, at=(1, 4))],
    "two appends at once": [
        *(me.append("a", 2, at=(0, 3)), me.append("b", 1, at=(1, 4))),
        me.read({"items": ["b", "a"]}, at=(5, 6)),
    ],
    "reads at the moment of a set": [
        *(me.set("a", at=(0, 5)), me.read(at=(1, 2)), me.read({"last": "a"}, at=(3, 4))),
    ],
    "a slow set": [
        *(me.set("a", at=(0, 9)), me.set("b", at=(1, 2))),
        *(me.read({"last": "b"}, at=(3, 4)), me.read({"last": "a"}, at=(5, 6))),
    ],
    "one began in the instant in which the other ended": [me.set("a", at=(0, 1)), me.read(at=(1, 2))],
    "an unknown add took effect at once": [me.add(status=LOST), me.read({"n": 1}), me.add(2)],
    "an unknown add took effect late": [me.add(status=LOST), me.add(1), me.read({"n": 1}), me.add(3)],
    "an unknown add never took effect": [me.add(status=LOST), me.add(1), me.add(2)],
    "two of three unknown adds took effect": [*(me.add(status=LOST) for _ in range(3)), me.add(3), me.add(4)],
    "an unknown append took effect late": [
        *(me.append("a", status=LOST), me.append("b", 1)),
        *(me.read({"items": ["b"]}), me.read({"items": ["b", "a"]})),
    ],
    "an unknown append that was counted and never read": [me.append("a", status=LOST), me.append("b", 2)],
    "an unknown set took effect late": [
        *(me.set("a", status=LOST), me.set("b"), me.read({"last": "b"}), me.read({"last": "a"})),
    ],
    "an unknown remove took effect late": [
        *(me.remove(status=LOST), me.set("a"), me.read({"last": "a"}), me.read()),
    ],
    "what failed did nothing": [me.set("a", status=409), me.add(status=409), me.read(), me.add(1)],
    "reads that failed say nothing": [me.add(1), me.read(status=LOST), me.read(status=409)],
}


@pytest.mark.parametrize("story", EXPLAINED.values(), ids=EXPLAINED.keys())
def test_what_some_order_explains_is_explained(story: list[Operation]) -> None:
    assert unexplained(story) is None


# Each with the place of the operation from which on no order explains the answers.
UNEXPLAINED = {
    "a stale read": (2, [me.set("a"), me.set("b"), me.read({"last": "a"})]),
    "a lost update": (2, [me.add(1), me.add(2), me.read({"n": 1})]),
    "two adds with the same answer": (1, [me.add(1, at=(0, 3)), me.add(1, at=(1, 4))]),
    "an add with an answer too many": (1, [me.add(1), me.add(3), me.add(3)]),
    "a removed value back": (3, [me.set("a"), me.remove(), me.read(), me.read({"last": "a"})]),
    "a remove that removed nothing": (2, [me.set("a"), me.remove(), me.read({"last": "a"})]),
    "appends out of order": (*(2, [me.append("a", 1), me.append("b", 2), me.read({"items": ["b", "a"]})]),),
    "an append that counted wrong": (1, [me.append("a", 1), me.append("b", 1)]),
    "an append that is twice in the list": (1, [me.append("a", 1), me.read({"items": ["a", "a"]})]),
    "a value before it was set": (0, [me.read({"last": "a"}, at=(0, 1)), me.set("a", at=(2, 3))]),
    "a read that went back": (
        2,
        [me.set("a", at=(0, 9)), me.read({"last": "a"}, at=(1, 2)), me.read(at=(3, 4)), me.add(1, at=(5, 6))],
    ),
    "a read of the second operation without the first": (
        2,
        [me.add(1, at=(1, 2)), me.set("a", at=(3, 4)), me.read({"last": "a"}, at=(0, 5))],
    ),
    "two reads that saw two sets in two orders": (
        3,
        [
            *(me.set("a", "x", at=(0, 9)), me.set("b", "y", at=(0, 9))),
            *(me.read({"x": "a"}, at=(1, 5)), me.read({"y": "b"}, at=(1, 6))),
        ],
    ),
    "an unknown add that took effect twice": (1, [me.add(status=LOST), me.read({"n": 2})]),
    "an unknown append that took effect twice": (
        *(1, [me.append("a", status=LOST), me.read({"items": ["a", "a"]})]),
    ),
    "an unknown set that took effect twice": (
        4,
        [
            *(me.set("a", status=LOST), me.set("b"), me.read({"last": "a"})),
            *(me.set("c"), me.read({"last": "a"})),
        ],
    ),
    "an unknown add before it was sent": (0, [me.add(2), me.add(status=LOST)]),
    "a failed add that took effect": (1, [me.add(status=409), me.read({"n": 1})]),
    "what nobody did": (0, [me.read({"n": 1})]),
}


@pytest.mark.parametrize(("place", "story"), UNEXPLAINED.values(), ids=UNEXPLAINED.keys())
def test_what_no_order_explains_is_found_where_it_shows(place: int, story: list[Operation]) -> None:
    assert unexplained(story) is story[place]
    assert unexplained(story[::-1]) is story[place]


def test_a_search_given_up_is_undecided_and_neither_good_nor_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = [me.append(str(i), at=(0, 1), status=LOST) for i in range(8)]
    monkeypatch.setattr(linearizability, "MAX_CONFIGURATIONS", 100)
    with pytest.raises(Undecided, match="9 operations of tabs-0"):
        unexplained([*at_once, me.append("9", 10, at=(2, 3))])


# Against a real dict

the_same_examples = partial(
    settings,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@dataclass(frozen=True)
class Plan:
    """The plan of one of several tabs: ask after a gap, wait for a length, be served after a delay.

    The answer is lost if the delay is longer than the wait, or None.
    """

    tab: int
    act: str
    gap: int
    length: int
    delay: int | None


KEYS = {"read": None, "add": "n", "append": "items", "set": "last", "remove": "last"}


def lived(plans: Iterable[Plan], visit: Visit = me) -> list[Operation]:
    """Return the operations of tabs that share a dict, which serves one at a time."""
    clocks: dict[int, int] = {}
    asked = []
    for number, plan in enumerate(plans):
        invoked = clocks.get(plan.tab, 0) + plan.gap
        completed = clocks[plan.tab] = invoked + plan.length
        served = None if plan.delay is None else invoked + plan.delay
        asked.append((served, number, plan, invoked, completed))
    data: dict[str, Any] = {}
    seen = []
    for served, number, plan, invoked, completed in sorted(asked, key=lambda a: (a[0] is None, a[:2])):
        value = f"{number}" if plan.act in ("set", "append") else None
        result = None if served is None else answer(data, plan.act, KEYS[plan.act], value)
        is_lost = served is None or served > completed
        how = {"at": (invoked, completed), "tab": plan.tab, "status": LOST if is_lost else 200}
        seen.append(visit.did(plan.act, KEYS[plan.act], value, result, **how))
    return seen


def answer(data: dict[str, Any], act: str, key: str | None, value: Any) -> Any:
    """Apply the operation to the data and return the answer of the probe API."""
    if act == "read":
        return {"user": None, "data": {k: v[:] if isinstance(v, list) else v for k, v in data.items()}}
    if act == "add":
        data[key] = data.get(key, 0) + 1
        return {"value": data[key]}
    if act == "append":
        data[key] = [*data.get(key, []), value]
        return {"length": len(data[key])}
    if act == "set":
        data[key] = value
    if act == "remove":
        data.pop(key, None)
    return ""


def is_explained(operations: Sequence[Operation]) -> bool:
    """Say whether some order explains all, by trying every order of every choice."""
    sure = [o for o in operations if o.is_ok]
    perhaps = [o for o in operations if o.outcome == "unknown" and o.act != "read"]
    return any(
        set(map(id, sure)) <= set(map(id, order)) and explains(order)
        for count in range(len(sure), len(sure) + len(perhaps) + 1)
        for order in permutations([*sure, *perhaps], count)
    )


def explains(order: Sequence[Operation]) -> bool:
    data: dict[str, Any] = {}
    for place, o in enumerate(order):
        if any(later.is_ok and later.completed < o.invoked for later in order[place + 1 :]):
            return False
        result = answer(data, o.act, o.key, o.value)
        if o.is_ok and result != o.result:
            return False
    return True


def plans(most: int) -> st.SearchStrategy[list[Plan]]:
    few = st.integers(0, 4)
    plan = st.builds(Plan, st.integers(0, 2), st.sampled_from(sorted(KEYS)), few, few, few | st.none())
    return st.lists(plan, max_size=most)


@given(plans(most=30))
@the_same_examples(max_examples=100)
def test_whatever_tabs_see_of_one_dict_is_explained(planned: list[Plan]) -> None:
    assert unexplained(lived(planned)) is None


@given(plans(most=6), st.data())
@the_same_examples(max_examples=300)
def test_the_search_agrees_with_trying_every_order(planned: list[Plan], data: st.DataObject) -> None:
    story = lived(planned)
    answered = [place for place, o in enumerate(story) if o.is_ok and o.result]
    if answered:
        place = data.draw(st.sampled_from(answered))
        like_it = [story[other].result for other in answered if story[other].act == story[place].act]
        result = data.draw(st.sampled_from([*like_it, *others(story[place].result)]))
        story[place] = replace(story[place], result=result)

    culprit = unexplained(story)
    assert (culprit is None) == is_explained(story)
    if culprit is not None:
        assert culprit in story
        assert not is_explained(cut(story, culprit.completed))
        assert is_explained(cut(story, culprit.completed - 1))


def others(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Return answers that differ a little from this one."""
    if "data" not in result:
        return [{name: number + by} for name, number in result.items() for by in (-1, 1)]
    data = result["data"]
    fewer = [{k: v for k, v in data.items() if k != gone} for gone in data]
    return [{"user": None, "data": d} for d in (*fewer, data | {"n": 1}, data | {"items": ["0"]})]


def cut(story: Sequence[Operation], until: int) -> list[Operation]:
    """Return the history as known at that time: operations without an answer yet are unknown."""
    return [o if o.completed <= until else replace(o, outcome="unknown") for o in story if o.invoked <= until]


def test_10_000_operations_in_200_sessions_are_decided() -> None:
    dice = random.Random(1)
    for session in range(200):
        tabs = range(dice.randint(3, 5))
        planned = [
            Plan(
                dice.choice(tabs),
                *dice.choices(list(KEYS), [5, 3, 3, 3, 1]),
                gap=dice.randint(0, 40),
                length=30,
                # One of 50 answers gets lost: its request is served later or not at all.
                delay=dice.randint(0, 30) if dice.random() < 0.98 else dice.choice([None, 60, 120]),
            )
            for _ in range(50)
        ]
        assert unexplained(lived(planned, Visit(f"tabs-0.{session}"))) is None


def test_many_appends_that_an_outage_swallowed_leave_the_search_small(monkeypatch):
    """As when the database is killed on a slow machine: each alone may or may not have happened."""
    monkeypatch.setattr(linearizability, "MAX_CONFIGURATIONS", 1000)
    lost = [me.append(f"lost {n}", status=LOST, at=(1, 9)) for n in range(14)]
    story = [me.append("a", 1, at=(0, 0.5)), *lost, me.append("b", 2, at=(2, 3))]

    assert unexplained([*story, me.read({"items": ["a", "b"]}, at=(4, 5))]) is None
    wrong = me.read({"items": ["b"]}, at=(4, 5))
    assert unexplained([*story, wrong]) is wrong


def test_an_append_whose_answer_was_lost_may_still_be_in_the_list():
    lost = me.append("lost", status=LOST, at=(1, 9))
    seen = me.read({"items": ["lost", "b"]}, at=(4, 5))

    assert unexplained([lost, me.append("b", 2, at=(2, 3)), seen]) is None
