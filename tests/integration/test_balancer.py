"""The balancer's own part: the headers it adds and removes, and the answers it gives by itself."""

from __future__ import annotations

import json
import socket

import pytest

from verify.deployment import Deployment, freeze, until
from verify.visitor import Visitor


def test_every_request_has_an_id_of_the_balancers_making(visitor: Visitor) -> None:
    ids = [
        visitor.ask("GET", "/api/stateless", headers={"X-Request-ID": "forged"}).headers["X-Request-ID"]
        for _ in range(3)
    ]
    assert len(set(ids)) == 3
    assert "forged" not in ids


def test_a_visitor_cannot_name_the_server(visitor: Visitor) -> None:
    answer = visitor.ask("GET", "/api/stateless", headers={"X-Served-By": "web-forged"})
    assert "forged" not in answer.server


@pytest.mark.parametrize(
    ("request_line", "header"),
    [
        ("GET /api/session?" + "x" * 6000, "X: y"),
        ("GET /api/session", "Cookie: " + "x" * 70_000),
        ("get /", "X: y"),
    ],
)
def test_what_gunicorn_cannot_read_is_problem_json_as_well(
    deployment: Deployment, request_line: str, header: str
) -> None:
    with socket.create_connection(("127.0.0.1", deployment.port), timeout=15) as raw:
        raw.sendall(f"{request_line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{header}\r\n\r\n".encode())
        answer = raw.makefile("rb").read()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"x-served-by: balancer" in head.lower()
    assert json.loads(body)["status"] == 400


def test_a_visitor_gets_no_metrics_however_they_spell_the_path(visitor: Visitor) -> None:
    refused = visitor.ask("GET", "/metrics")
    assert (refused.status, refused.server, refused.body["title"]) == (404, "balancer", "not-found")
    for spelling in ("/metrics?x", "/%6detrics", "/metrics%ff", "//metrics", "/metrics/"):
        assert visitor.ask("GET", spelling).status == 404, spelling


def test_a_redirect_names_no_scheme_and_no_host(visitor: Visitor) -> None:
    # The balancer cannot know whether TLS ends in front of it, and a visitor can forge the host.
    answer = visitor.ask("POST", "/logout", headers={"X-Forwarded-Host": "evil.example"})
    assert (answer.status, answer.headers["Location"]) == (303, "/")


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
def test_another_site_cannot_log_a_visitor_in_or_out(visitor: Visitor, headers: dict[str, str]) -> None:
    visitor.login("ada")
    for path in ("/login", "/logout", "/end-session", "/api/logout"):
        answer = visitor.ask("POST", path, data={"user": "mallory"}, headers=headers)
        assert (answer.status, answer.set_cookie) == (403, None)
    assert visitor.show().body["user"] == "ada"


def test_the_visitors_own_page_can(deployment: Deployment, visitor: Visitor) -> None:
    for headers in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": deployment.url}):
        assert visitor.ask("POST", "/login", data={"user": "ada"}, headers=headers).status == 303


def test_a_body_in_chunks_is_read_like_any_other(visitor: Visitor) -> None:
    assert visitor.ask("PUT", "/api/session/data/x", data=iter([b"[1,", b"2]"])).status == 204
    assert visitor.show().body["data"] == {"x": [1, 2]}


def test_the_log_joins_request_server_and_slot(deployment: Deployment, visitor: Visitor) -> None:
    answer = visitor.ask("GET", "/api/stateless")
    request_id = answer.headers["X-Request-ID"]

    def logged() -> dict[str, object] | None:
        lines = (line for line in deployment.logs("balancer").splitlines() if request_id in line)
        return next(map(json.loads, lines), None)

    line = until(logged, f"a log line of request {request_id}")
    assert (line["status"], line["served_by"], line["path"]) == (200, answer.server, "/api/stateless")
    assert str(line["slot"]).startswith("web")


def test_an_outage_is_logged_with_the_request_that_met_it(deployment: Deployment, visitor: Visitor) -> None:
    visitor.add("n")
    freeze(deployment.container("db"))
    try:
        request_id = visitor.show().headers["X-Request-ID"]
    finally:
        deployment.container("db").unpause()

    def logged() -> list[dict[str, str]]:
        lines = (line for line in deployment.logs("web").splitlines() if request_id in line)
        return [json.loads(line) for line in lines]

    (line,) = until(logged, f"a log line of request {request_id}")
    assert line["logger"] == "hopproof.web"
    assert "did not answer" in line["message"]


def test_a_slow_upload_is_cut_off_by_the_balancer_and_reaches_no_server(deployment: Deployment) -> None:
    with socket.create_connection(("127.0.0.1", deployment.port), timeout=15) as slow:
        slow.sendall(b'PUT /api/session/data/x HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"')
        answer = slow.recv(65536)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"x-served-by: balancer" in answer.lower()
