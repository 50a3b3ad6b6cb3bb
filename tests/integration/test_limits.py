"""Limits for each source of visitors, tried by a neighbour with an address of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from verify.deployment import Deployment, until
from verify.neighbour import Neighbour, neighbour_of

LIMITS = {"LIMIT_CONNECTIONS": "20", "LIMIT_REQUESTS": "300", "LIMIT_NEW_SESSIONS": "30"}
BALANCER = ("infra/compose", "up", "--detach", "--wait", "--no-deps", "balancer")


@pytest.fixture(scope="module", autouse=True)
def _limits_are_low(deployment: Deployment) -> Iterator[None]:
    before = dict(deployment.variables)
    deployment.variables |= LIMITS
    deployment.script(*BALANCER)
    yield
    deployment.variables = before
    deployment.script(*BALANCER)


@pytest.fixture
def neighbour(deployment: Deployment) -> Iterator[Neighbour]:
    """A neighbour that nothing is counted of yet."""
    for table in ("connections_of_source", "requests_of_source"):
        command = f'bash /etc/hopproof/ask-master "@1 clear table {table}"'
        deployment.container("balancer").exec_run(["bash", "-c", command])
    with neighbour_of(deployment) as neighbour:
        yield neighbour


# Prints how many of the requests got each status.
MANY = """
import collections, http.client, sys
method, path, number, cookie = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
statuses, connection = collections.Counter(), http.client.HTTPConnection("balancer", 8080, timeout=20)
for _ in range(number):
    connection.request(method, path, headers={"Cookie": cookie} if cookie else {})
    answer = connection.getresponse()
    answer.read()
    statuses[answer.status] += 1
import json; print(json.dumps(statuses))
"""


def many(neighbour: Neighbour, method: str, path: str, number: int, cookie: str = "") -> dict[str, int]:
    said: dict[str, int] = json.loads(neighbour.run(MANY, method, path, str(number), cookie))
    return said


@pytest.mark.parametrize(("path", "usual"), [("/api/stateless", "200"), ("/metrics", "404")])
def test_a_source_that_asks_too_often_is_refused_and_told_when_to_come_again(
    deployment: Deployment, neighbour: Neighbour, path: str, usual: str
) -> None:
    statuses = many(neighbour, "GET", path, 400)
    assert statuses.keys() == {usual, "429"}
    assert statuses[usual] <= 301
    status, headers, body = neighbour.ask("GET", "/api/stateless")
    assert (status, headers["retry-after"], headers["content-type"]) == (
        429,
        "10",
        "application/problem+json",
    )
    assert (json.loads(body)["title"], headers["x-served-by"]) == ("too-many-requests", "balancer")
    assert deployment.visitor().stateless().status == 200, "another source is served"


@pytest.mark.parametrize(("method", "path"), [("POST", "/api/session/counters/n"), ("GET", "/")])
def test_a_source_makes_no_more_sessions_than_its_limit(
    deployment: Deployment, neighbour: Neighbour, method: str, path: str
) -> None:
    rows = "SELECT COUNT(*) FROM sessions"
    before = int(deployment.sql(rows)[0][0])
    statuses = many(neighbour, method, path, 60)
    assert statuses.keys() == {"200", "429"}
    assert int(deployment.sql(rows)[0][0]) - before <= int(LIMITS["LIMIT_NEW_SESSIONS"]) + 1
    status, headers, body = neighbour.ask("POST", "/api/session/counters/n")
    assert (status, headers["retry-after"], json.loads(body)["title"]) == (429, "60", "too-many-sessions")
    assert neighbour.ask("GET", "/api/session")[0] == 200, "reading makes no session"


def test_made_up_ids_make_no_more_sessions_than_twice_the_limit(
    deployment: Deployment, neighbour: Neighbour
) -> None:
    rows = "SELECT COUNT(*) FROM sessions"
    before = int(deployment.sql(rows)[0][0])
    forged = "session=" + "A" * 43
    statuses = many(neighbour, "POST", "/api/session/counters/n", 100, forged)
    assert statuses.keys() == {"200", "429"}
    assert int(deployment.sql(rows)[0][0]) - before <= 2 * int(LIMITS["LIMIT_NEW_SESSIONS"]) + 1


def test_a_visitor_with_a_session_goes_on_beside_one_who_makes_many(
    deployment: Deployment, neighbour: Neighbour
) -> None:
    """Both behind one address."""
    _, headers, _ = neighbour.ask("POST", "/api/session/counters/n")
    cookie = headers["set-cookie"].partition(";")[0]
    many(neighbour, "POST", "/api/session/counters/n", 60)
    assert neighbour.ask("POST", "/api/session/counters/n", {"Cookie": cookie})[::2] == (200, '{"value": 2}')


# Opens connections and prints how many are open after the balancer had time to close some.
HOLD = """
import socket, sys
held = []
for _ in range(int(sys.argv[1])):
    try:
        held.append(socket.create_connection(("balancer", 8080), 10))
    except ConnectionResetError:
        pass
open_ = 0
for connection in held:
    try:
        connection.sendall(b"GET /api/stateless HTTP/1.1\\r\\nHost: balancer\\r\\n\\r\\n")
        open_ += connection.recv(12) == b"HTTP/1.1 200"
    except OSError:
        pass
print(open_)
"""


def test_a_source_holds_no_more_connections_than_its_limit(
    deployment: Deployment, neighbour: Neighbour
) -> None:
    assert int(neighbour.run(HOLD, "60")) == int(LIMITS["LIMIT_CONNECTIONS"])
    assert deployment.visitor().stateless().status == 200, "another source is served"


def test_visitors_from_this_machine_have_no_limits(deployment: Deployment) -> None:
    visitor = deployment.visitor()
    statuses = {visitor.stateless().status for _ in range(400)}
    assert statuses == {200}
    assert {deployment.visitor().add("n").status for _ in range(70)} == {200}


def test_what_is_refused_by_a_limit_leaves_no_log_line(deployment: Deployment, neighbour: Neighbour) -> None:
    many(neighbour, "GET", "/api/stateless", 320)
    neighbour.container.reload()
    address = next(iter(neighbour.container.attrs["NetworkSettings"]["Networks"].values()))["IPAddress"]
    statuses = {line["status"] for line in deployment.logged("balancer", f'"{address}"')}
    assert statuses
    assert 429 not in statuses


# Asks for large answers, and reads 600 bytes of them five times a second. Anew every 15 s, up to 8 times:
# the requests of tests before it may leave it no more than refusals.
SLOW_READER = """
import contextlib, socket, sys, time
request = f"GET /api/session HTTP/1.1\\r\\nHost: balancer\\r\\nCookie: {sys.argv[1]}\\r\\n\\r\\n"
for _ in range(8):
    with contextlib.suppress(OSError), socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        connection.settimeout(15)
        connection.connect(("balancer", 8080))
        connection.sendall(request.encode() * 40)
        for _ in range(75):
            connection.recv(600)
            time.sleep(0.2)
"""
# The program that runs in the balancer all the time, for two minutes with a shorter limit.
ENDING = ["env", "LIMIT_ANSWER_S=1", "bash", "/etc/hopproof/edge/end-slow-answers", "sleep", "120"]


def test_an_answer_that_is_read_too_slowly_is_cut_off(deployment: Deployment, neighbour: Neighbour) -> None:
    large = {"Content-Type": "application/json"}
    status, headers, _ = neighbour.ask("PUT", "/api/session/data/large", large, json.dumps("x" * 60_000))
    assert status == 204
    cookie = headers["set-cookie"].partition(";")[0]
    deployment.container("balancer").exec_run(ENDING, detach=True)
    neighbour.start(SLOW_READER, cookie)
    # K: the connection was ended from HAProxy's command line.
    until(lambda: deployment.logged("balancer", '"end": "K'), "a log line of the answer that was cut off", 90)


def test_the_program_that_ends_slow_answers_runs_beside_the_balancer(deployment: Deployment) -> None:
    processes = deployment.container("balancer").top()["Processes"]
    assert any("end-slow-answers haproxy" in " ".join(process) for process in processes)
