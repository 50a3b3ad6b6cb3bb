"""Several tabs of one visitor at once, each a real process."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from verify.deployment import Deployment
from verify.visitor import Visitor

TABS = 8


def count(url: str, session_id: str, tab: int) -> tuple[list[int], set[str]]:
    visitor = Visitor(url, session_id)
    return [visitor.add("n").body["value"] for _ in range(25)], visitor.servers


def append(url: str, session_id: str, tab: int) -> set[str]:
    visitor = Visitor(url, session_id)
    for number in range(15):
        assert visitor.append("items", [tab, number]).status == 200
    return visitor.servers


def put_own_keys(url: str, session_id: str, tab: int) -> set[str]:
    visitor = Visitor(url, session_id)
    for number in range(10):
        assert visitor.put(f"{tab}.{number}", [tab, number]).status == 204
    return visitor.servers


def visit_page(url: str, session_id: str, tab: int) -> set[str]:
    visitor = Visitor(url, session_id)
    for _ in range(5):
        assert visitor.ask("GET", "/").status == 200
    return visitor.servers


def login(url: str, session_id: str, tab: int) -> tuple[int, str | None, set[str]]:
    visitor = Visitor(url, session_id)
    status = visitor.login(f"tab-{tab}").status
    return status, visitor.session_id, visitor.servers


def at_once(deployment: Deployment, visitor: Visitor, act: Callable[..., Any]) -> list[Any]:
    with ProcessPoolExecutor(TABS, mp_context=get_context("spawn")) as tabs:
        running = [tabs.submit(act, deployment.url, visitor.session_id, tab) for tab in range(TABS)]
        return [tab.result(timeout=60) for tab in running]


def test_eight_tabs_that_count_on_one_counter_lose_nothing(deployment: Deployment, visitor: Visitor) -> None:
    visitor.put("x", 0)
    answers = at_once(deployment, visitor, count)
    values = sorted(value for counted, _ in answers for value in counted)
    assert values == list(range(1, TABS * 25 + 1)), "every answer is another number"
    assert visitor.show().body["data"]["n"] == TABS * 25
    assert len(set.union(*(servers for _, servers in answers))) >= 3


def test_eight_tabs_that_append_to_one_list_lose_nothing_and_keep_their_order(
    deployment: Deployment, visitor: Visitor
) -> None:
    visitor.put("x", 0)
    servers = at_once(deployment, visitor, append)
    items = visitor.show().body["data"]["items"]
    assert len(items) == TABS * 15
    for tab in range(TABS):
        assert [number for of, number in items if of == tab] == list(range(15))
    assert len(set.union(*servers)) >= 3


def test_tabs_that_set_different_keys_all_keep_theirs(deployment: Deployment, visitor: Visitor) -> None:
    visitor.put("x", 0)
    servers = at_once(deployment, visitor, put_own_keys)
    expected = {f"{tab}.{number}": [tab, number] for tab in range(TABS) for number in range(10)}
    assert visitor.show().body["data"] == {"x": 0, **expected}
    assert len(set.union(*servers)) >= 3


def test_tabs_that_reload_the_page_count_every_visit(deployment: Deployment, visitor: Visitor) -> None:
    visitor.put("x", 0)
    servers = at_once(deployment, visitor, visit_page)
    visits = visitor.show().body["data"]["visits"]
    assert visits["count"] == TABS * 5
    assert len(set.union(*servers)) >= 3


def test_of_tabs_that_log_in_at_once_exactly_one_gets_the_session(
    deployment: Deployment, visitor: Visitor
) -> None:
    visitor.put("x", "kept")
    answers = at_once(deployment, visitor, login)
    winners = [(tab, session_id) for tab, (status, session_id, _) in enumerate(answers) if status == 200]
    assert len(winners) == 1
    assert sorted(status for status, _, _ in answers) == [200] + [409] * (TABS - 1)
    tab, session_id = winners[0]
    shown = deployment.visitor_with(session_id).show().body
    assert (shown["user"], shown["data"]) == (f"tab-{tab}", {"x": "kept"})
    assert visitor.show().body["data"] == {}
