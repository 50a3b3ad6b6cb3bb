"""What the balancer adds, removes and says."""

from __future__ import annotations

import json
import socket

from deployment import Deployment, until
from visitor import Visitor


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


def test_a_visitor_cannot_forge_where_a_request_came_from(deployment: Deployment, visitor: Visitor) -> None:
    # Bottle builds absolute addresses from these headers, so a redirect shows what it believed.
    forged = {
        "X-Forwarded-Host": "evil.example",
        "Forwarded": "host=evil.example",
        "X-Forwarded-Proto": "gopher",
    }
    answer = visitor.ask("POST", "/logout", headers=forged)
    assert answer.status == 303
    assert answer.headers["Location"] == f"http://127.0.0.1:{deployment.port}/"


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
    deployment.container("db").pause()
    request_id = visitor.show().headers["X-Request-ID"]
    deployment.container("db").unpause()
    lines = [json.loads(line) for line in deployment.logs("web").splitlines() if request_id in line]
    assert [line["logger"] for line in lines] == ["plugin"]
    assert "did not answer" in lines[0]["message"]


def test_a_slow_upload_is_cut_off_by_the_balancer_and_reaches_no_server(deployment: Deployment) -> None:
    with socket.create_connection(("127.0.0.1", deployment.port), timeout=15) as slow:
        slow.sendall(b'PUT /api/session/data/x HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"')
        answer = slow.recv(65536)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"x-served-by: balancer" in answer.lower()
