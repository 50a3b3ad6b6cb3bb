"""Servers of Flask, Django and FastAPI in the same rotation, in their usual servers, on the real table."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from counting import CountingVisitors
from turns import asked_of, kind_of, new_visitors, visitor_of

from verify.deployment import Deployment, ask_every_server, freeze, readable_secrets
from verify.faults import FAULTS
from verify.guarantees import GUARANTEES
from verify.matrix import line
from verify.trial import QUICK, strike
from verify.verdict import column
from verify.visitor import Visitor

FRAMEWORKS = ("flask", "django", "fastapi")
KINDS = ("web", *FRAMEWORKS)
# Requests in which each server of a rotation of six gets its turn five times.
FIVE_ROUNDS = 30


@pytest.fixture(scope="module", autouse=True)
def _all_kinds_are_in_rotation(deployment: Deployment) -> Iterator[None]:
    before = os.environ.get("PROFILES", "")
    os.environ["PROFILES"] = "frameworks"
    deployment.script("infra/compose", "build", "--quiet", "flask")
    deployment.script("infra/compose", "up", "--detach", "--wait", "--no-deps", *FRAMEWORKS, "balancer")
    deployment.wait_for_servers(deployment.servers)
    yield
    deployment.script("infra/compose", "rm", "--stop", "--force", *FRAMEWORKS)
    os.environ["PROFILES"] = before
    deployment.script("infra/compose", "up", "--detach", "--wait", "--no-deps", "balancer")
    deployment.wait_for_servers(deployment.servers)


def test_a_counter_rises_by_one_while_the_kinds_change(visitor: Visitor) -> None:
    answers = [visitor.add("n") for _ in range(FIVE_ROUNDS)]

    assert [answer.body for answer in answers] == [{"value": n} for n in range(1, FIVE_ROUNDS + 1)]
    assert [answer.set_cookie is not None for answer in answers] == [True] + [False] * (FIVE_ROUNDS - 1)
    assert {kind_of(answer) for answer in answers} == set(KINDS)


def test_each_server_gets_the_same_share(deployment: Deployment, visitor: Visitor) -> None:
    names = deployment.server_names()
    served = [visitor.stateless().server for _ in range(5 * len(names))]

    assert {name: served.count(name) for name in names} == dict.fromkeys(names, 5)


def test_the_page_is_on_bottle_servers_alone(deployment: Deployment, visitor: Visitor) -> None:
    answers = [visitor.ask("GET", "/") for _ in range(2 * len(deployment.server_names()))]

    assert {(answer.status, kind_of(answer)) for answer in answers} == {(200, "web")}


@pytest.mark.parametrize("kind", FRAMEWORKS)
def test_a_framework_reads_the_password_of_the_web_servers_and_no_other(
    deployment: Deployment, kind: str
) -> None:
    assert readable_secrets(deployment.container(kind)) == ["db_web_password"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_one_kind_did_every_server_shows(deployment: Deployment, kind: str) -> None:
    visitor = visitor_of(deployment, kind, lambda visitor: visitor.put("cart", {"tea": [2, None, 1.5, "é"]}))
    asked_of(kind, lambda: visitor.append("items", {}))
    asked_of(kind, lambda: visitor.put("gone", 1))
    asked_of(kind, lambda: visitor.remove("gone"))
    appended = sum(answer.path.endswith("items") for answer in visitor.history)

    for answer in ask_every_server(deployment, visitor.show).values():
        assert answer.body["data"] == {"cart": {"tea": [2, None, 1.5, "é"]}, "items": [{}] * appended}


@pytest.mark.parametrize("kind", KINDS)
def test_a_login_on_one_kind_holds_on_every_server_and_ends_the_old_id(
    deployment: Deployment, kind: str
) -> None:
    for visitor in new_visitors(deployment):
        visitor.put("cart", ["Sencha"])
        old = visitor.another_tab()
        if kind_of(visitor.login("ada")) == kind:
            break
    for answer in ask_every_server(deployment, visitor.show).values():
        assert (answer.body["user"], answer.body["data"]) == ("ada", {"cart": ["Sencha"]})
    for answer in ask_every_server(deployment, old.show).values():
        assert (answer.body["user"], answer.body["data"], answer.set_cookie) == (None, {}, None)
    for change in (lambda: old.add("n"), lambda: old.put("x", 1), lambda: old.append("l", 1)):
        for answer in ask_every_server(deployment, change).values():
            assert (answer.status, answer.body["title"], answer.set_cookie) == (409, "session-gone", None)


@pytest.mark.parametrize("kind", KINDS)
def test_a_logout_on_one_kind_ends_the_session_on_every_server(deployment: Deployment, kind: str) -> None:
    for visitor in new_visitors(deployment):
        visitor.login("ada")
        kept = visitor.another_tab()
        if kind_of(visitor.logout()) == kind:
            break
    assert visitor.session_id is None
    for answer in ask_every_server(deployment, kept.show).values():
        assert (answer.body["user"], answer.body["data"]) == (None, {})


# Statements of a request with a live session, by the database's own count; docs/frameworks.md says why.
BUDGET = {
    "untouched": {"web": 0, "flask": 0, "django": 0, "fastapi": 0},
    "read": {"web": 1, "flask": 1, "django": 1, "fastapi": 1},
    "set": {"web": 1, "flask": 1, "django": 2, "fastapi": 1},
    "add": {"web": 1, "flask": 1, "django": 2, "fastapi": 1},
    # With the question whether the user has too many sessions.
    "login": {"web": 2, "flask": 3, "django": 3, "fastapi": 2},
}
ACTS = {
    "untouched": lambda visitor: visitor.stateless(),
    "read": lambda visitor: visitor.show(),
    "set": lambda visitor: visitor.put("a", 1),
    "add": lambda visitor: visitor.add("n"),
    "login": lambda visitor: visitor.login("ada"),
}


def statements(deployment: Deployment) -> int:
    spent = deployment.statements_of("web").items()
    return sum(number for event, number in spent if event.startswith("sql/"))


@pytest.mark.parametrize("act", BUDGET)
def test_the_statements_of_a_request(deployment: Deployment, visitor: Visitor, act: str) -> None:
    ask_every_server(deployment, visitor.show)  # each has its connection
    counted: dict[str, set[int]] = {}
    for one in new_visitors(deployment):
        one.put("a", 0)
        before = statements(deployment)
        answer = ACTS[act](one)
        counted.setdefault(kind_of(answer), set()).add(statements(deployment) - before)
        if counted.keys() == set(KINDS):
            break

    assert counted == {kind: {number} for kind, number in BUDGET[act].items()}


def test_without_its_database_each_kind_says_503_and_leaves_the_cookie_alone(deployment: Deployment) -> None:
    visitors = [deployment.visitor() for _ in range(4 * len(deployment.server_names()))]
    for visitor in visitors:
        visitor.add("n")
    database = deployment.container("db")
    freeze(database)
    try:
        with ThreadPoolExecutor(len(visitors)) as at_once:
            asked = [
                at_once.submit(visitor.show if number % 2 else partial(visitor.add, "n"))
                for number, visitor in enumerate(visitors)
            ]
            answers = [answer.result() for answer in asked]
        without_session = [asked_of(kind, visitors[0].stateless).status for kind in FRAMEWORKS]
    finally:
        database.unpause()
    deployment.make_whole()

    assert {kind_of(answer) for answer in answers} == set(KINDS)
    told = {(answer.status, answer.headers["Retry-After"], answer.set_cookie) for answer in answers}
    assert told == {(503, "1", None)}
    assert {answer.body["title"] for answer in answers} == {"store-unavailable"}
    assert without_session == [200, 200, 200]


@pytest.mark.parametrize("kind", FRAMEWORKS)
def test_a_stopped_server_fails_no_request(
    deployment: Deployment, crowd: CountingVisitors, kind: str
) -> None:
    server = deployment.container(kind)
    server.stop()
    deployment.wait_for_servers(deployment.servers - 1)
    crowd.get_around()
    crowd.assert_nothing_lost()
    assert crowd.not_ok() == []
    server.reload()
    assert server.attrs["State"]["ExitCode"] == 0


def test_every_guarantee_holds_while_a_server_in_uvicorn_is_killed(deployment: Deployment) -> None:
    fault = "fastapi-server-killed"
    trial = strike(deployment, FAULTS[fault], os.environ["HOPPROOF_TEST_RUN"], QUICK)
    cells = column(fault, trial, GUARANTEES)

    assert [line(cell) for cell in cells if cell.verdict not in ("held", "n/a")] == []
    assert {o.server.partition("-")[0] for o in trial.run.history} >= set(KINDS)
