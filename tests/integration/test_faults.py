"""Parts fail while visitors click: acknowledged writes stay, and errors are errors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import docker
import pytest
from counting import VISITORS, CountingVisitors

from verify.deployment import Deployment, ask_every_server, freeze, until
from verify.visitor import Visitor


def test_a_stopped_server_fails_no_request(deployment: Deployment, crowd: CountingVisitors) -> None:
    deployment.containers("web")[0].stop()
    crowd.get_around()
    assert crowd.not_ok() == []
    crowd.assert_nothing_lost()


def test_a_visitor_stays_logged_in_when_their_server_is_killed(
    deployment: Deployment, visitor: Visitor
) -> None:
    visitor.put("cart", ["Sencha"])
    server = visitor.login("ada").server
    deployment.container_named(server).kill()
    deployment.wait_for_servers(deployment.servers - 1)
    answers = ask_every_server(deployment, visitor.show)
    assert server not in answers
    assert all((a.body["user"], a.body["data"]) == ("ada", {"cart": ["Sencha"]}) for a in answers.values())


def test_a_killed_server_takes_no_acknowledged_write_with_it(
    deployment: Deployment, crowd: CountingVisitors
) -> None:
    deployment.containers("web")[0].kill()
    crowd.get_around()
    crowd.assert_nothing_lost()
    # Lost are the answers to requests in flight on that server: at most one per visitor, and one more that
    # was routed to it before the balancer noticed.
    assert len(crowd.not_ok()) <= 2 * VISITORS, crowd.not_ok()


def test_an_added_server_joins_without_a_failed_request(
    deployment: Deployment, crowd: CountingVisitors
) -> None:
    deployment.script("infra/scale", "4")
    try:
        crowd.get_around()
        newest = f"web-{deployment.containers('web')[-1].id[:12]}"
        until(lambda: any(newest in v.servers for v in crowd.visitors), "an answer of the new server")
    finally:
        deployment.script("infra/scale", str(deployment.servers))
    crowd.get_around()
    assert crowd.not_ok() == []
    crowd.assert_nothing_lost()


def test_a_restarted_database_loses_nothing_and_empties_no_session(
    deployment: Deployment, crowd: CountingVisitors
) -> None:
    deployment.container("db").restart()
    until(lambda: all(v.history[-1].status == 200 for v in crowd.visitors), "everybody is served again", 60)
    crowd.get_around()
    assert {answer.status for answer in crowd.not_ok()} <= {503}
    assert all(answer.set_cookie is None for answer in crowd.not_ok())
    crowd.assert_nothing_lost()


@pytest.mark.parametrize("fault", ["killed", "frozen", "unreachable"])
def test_without_its_database_a_session_is_an_error_in_time_and_never_empty(
    deployment: Deployment, visitor: Visitor, fault: str
) -> None:
    visitor.login("ada")
    visitor.add("n")
    session_id = visitor.session_id
    with database(deployment, fault):
        answers = ask_every_server(deployment, visitor.show)
        for answer in [*answers.values(), visitor.add("n"), visitor.login("bob"), visitor.logout()]:
            # In time: after 4.5 s the balancer would have answered 504 instead.
            assert (answer.status, answer.body["status"]) == (503, 503), answer
            assert answer.headers["Retry-After"] == "1"
            assert answer.set_cookie is None
        stateless = ask_every_server(deployment, lambda: visitor.ask("GET", "/api/stateless"))
        assert {answer.status for answer in stateless.values()} == {200}
        until(lambda: visitor.ask("GET", "/healthz/store").status == 503, "the store is told to be out", 10)
        page = visitor.ask("GET", "/", headers={"Accept": "text/html"})
        assert (page.status, "text/html" in page.headers["Content-Type"]) == (503, True)
    assert visitor.session_id == session_id
    until(lambda: visitor.show().status == 200, "the database answers again", 60)
    shown = visitor.show().body
    assert shown["user"] in ("ada", None), "the logout that got 503 may have happened"


@contextlib.contextmanager
def database(deployment: Deployment, fault: str) -> Iterator[None]:
    container = deployment.container("db")
    network = docker.from_env().networks.get(f"{deployment.project}_store")
    strike: Any = {"killed": container.kill, "frozen": lambda: freeze(container)}.get(
        fault, lambda: network.disconnect(container)
    )
    heal: Any = {"killed": container.start, "frozen": container.unpause}.get(
        fault, lambda: network.connect(container, aliases=["db"])
    )
    strike()
    try:
        yield
    finally:
        heal()


def test_without_any_server_the_balancer_answers_for_itself(deployment: Deployment, visitor: Visitor) -> None:
    visitor.add("n")
    for container in deployment.containers("web"):
        container.kill()
    deployment.wait_for_servers(0)
    answer = visitor.show()
    assert (answer.status, answer.server) == (503, "balancer")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Retry-After"] == "1"
    assert answer.body["type"].endswith(":no-server")
    assert answer.set_cookie is None
    for container in deployment.containers("web"):
        container.start()
    deployment.wait_for_servers(deployment.servers)
    assert visitor.show().body["data"] == {"n": 1}
