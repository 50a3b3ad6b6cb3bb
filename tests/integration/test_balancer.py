"""The balancer's own part: the headers it adds and removes, and the answers it gives by itself."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import time

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


def answer_to(deployment: Deployment, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send raw bytes; return status, headers by lower-case names, and body of the answer."""
    with socket.create_connection(("127.0.0.1", deployment.port), timeout=15) as raw:
        with contextlib.suppress(OSError):  # refused before all of it was sent
            raw.sendall(request)
        answer = http.client.HTTPResponse(raw)
        answer.begin()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, headers, answer.read()


LOCAL = b" HTTP/1.1\r\nHost: localhost\r\n"
UNREADABLE = {
    "a query that gunicorn does not take": (400, b"GET /api/session?" + b"x" * 6000 + LOCAL),
    "cookies that gunicorn does not take": (400, b"GET /" + LOCAL + b"Cookie: " + b"x" * 70_000 + b"\r\n"),
    "a method in small letters": (400, b"get /" + LOCAL),
    "no HTTP": (400, b"\x16\x03\x01 hello\r\n"),
    "no host": (400, b"GET / HTTP/1.1\r\n"),
    "no host in HTTP/1.0": (400, b"GET / HTTP/1.0\r\n"),
    "an empty host": (400, b"GET / HTTP/1.1\r\nHost:\r\n"),
    "two hosts": (400, b"GET /" + LOCAL + b"Host: 127.0.0.1\r\n"),
    "three lines of cookies": (400, b"GET /" + LOCAL + b"Cookie: a=b\r\n" * 3),
    "a long address": (414, b"GET /" + b"x" * 9000 + LOCAL),
    "an address longer than a buffer": (414, b"GET /" + b"x" * 100_000 + LOCAL),
    "the name of another site": (421, b"GET / HTTP/1.1\r\nHost: evil.example:8080\r\n"),
    "an unknown coding": (422, b"POST /api/login" + LOCAL + b"Transfer-Encoding: gzip, chunked\r\n"),
    "headers longer than a buffer": (431, b"GET /" + LOCAL + b"X: " + b"x" * 98_000 + b"\r\n"),
}
# The parser answers these before a request has a number.
UNNUMBERED = {"no HTTP", "two hosts", "an address longer than a buffer", "an unknown coding"}
UNNUMBERED |= {"headers longer than a buffer"}


@pytest.mark.parametrize("what", UNREADABLE)
def test_what_cannot_be_served_is_problem_json_of_the_balancer(deployment: Deployment, what: str) -> None:
    expected, request = UNREADABLE[what]
    status, headers, body = answer_to(deployment, request + b"Connection: close\r\n\r\n")
    assert (status, json.loads(body)["status"]) == (expected, expected)
    assert headers["content-type"] == "application/problem+json"
    assert (headers["x-served-by"], headers["cache-control"]) == ("balancer", "no-store")
    assert ("x-request-id" in headers) == (what not in UNNUMBERED)


@pytest.mark.parametrize("host", ["localhost:8080", "shop.localhost", "LOCALHOST.", "[::1]:1", "balancer"])
def test_the_names_of_this_machine_are_ours(visitor: Visitor, host: str) -> None:
    assert visitor.ask("GET", "/api/stateless", headers={"Host": host}).status == 200


def test_cookies_on_two_lines_are_read_as_one(deployment: Deployment, visitor: Visitor) -> None:
    visitor.add("n")
    cookies = f"Cookie: theme=dark\r\nCookie: session={visitor.session_id}\r\n"
    request = b"POST /api/session/counters/n" + LOCAL + cookies.encode() + b"Content-Length: 0\r\n"
    status, headers, body = answer_to(deployment, request + b"Connection: close\r\n\r\n")
    assert (status, json.loads(body), headers.get("set-cookie")) == (200, {"value": 2}, None)


def test_http_2_without_tls_is_refused(deployment: Deployment) -> None:
    status, _, _ = answer_to(deployment, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9))
    assert status == 400


def test_a_visitor_gets_no_metrics_however_they_spell_the_path(visitor: Visitor) -> None:
    refused = visitor.ask("GET", "/metrics")
    assert (refused.status, refused.server, refused.body["title"]) == (404, "balancer", "not-found")
    for spelling in ("/metrics?x", "/%6detrics", "/metrics%ff", "//metrics", "/metrics/"):
        assert visitor.ask("GET", spelling).status == 404, spelling


def test_no_answer_tells_a_version(visitor: Visitor) -> None:
    for path in ("/", "/api/stateless", "/api/nothing", "/metrics"):
        headers = visitor.ask("GET", path).headers
        assert "X-Powered-By" not in headers
        assert not re.search(r"\d", headers.get("Server", ""))


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
    answer, line = deployment.ask_until_logged(lambda: visitor.ask("GET", "/api/stateless"))
    assert (line["status"], line["served_by"], line["path"]) == (200, answer.server, "/api/stateless")
    assert str(line["slot"]).startswith("web")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d{4}", str(line["time"]))


def test_a_long_address_is_logged_as_one_line(deployment: Deployment, visitor: Visitor) -> None:
    _, line = deployment.ask_until_logged(lambda: visitor.ask("GET", "/api/stateless?" + '"' * 3900))
    assert line["path"].startswith("/api/stateless")


def test_an_outage_is_logged_with_the_request_that_met_it(deployment: Deployment, visitor: Visitor) -> None:
    visitor.add("n")
    freeze(deployment.container("db"))
    try:
        request_id = visitor.show().headers["X-Request-ID"]
    finally:
        deployment.container("db").unpause()

    (line,) = until(lambda: deployment.logged("web", request_id), f"a log line of request {request_id}")
    assert line["logger"] == "hopproof.web"
    assert "did not answer" in line["message"]


def test_a_slow_upload_is_cut_off_by_the_balancer_and_reaches_no_server(deployment: Deployment) -> None:
    with socket.create_connection(("127.0.0.1", deployment.port), timeout=15) as slow:
        slow.sendall(b'PUT /api/session/data/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n"')
        answer = slow.recv(65536)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"x-served-by: balancer" in answer.lower()


# Sends the requests of all servers to a port, and their checks to the usual one.
POINT_TO = r"""
ask() { bash /etc/hopproof/ask-master "@1 $1"; }
ask "show servers state web" | while read -r _ _ _ name address _; do
  [[ $name == web[0-9]* && $address == [0-9]* ]] || continue
  ask "set server web/$name check-port 8000"
  ask "set server web/$name addr $address port $1"
done
"""


def test_a_storm_of_failed_connections_takes_no_healthy_server_out(
    deployment: Deployment, visitor: Visitor
) -> None:
    """One that is gone is out once a check has failed as well."""

    def point_to(port: int) -> None:
        command = ["bash", "-c", POINT_TO, "point-to", str(port)]
        assert deployment.container("balancer").exec_run(command).exit_code == 0

    def outages() -> int:
        return deployment.logs("balancer").count(" is DOWN")

    before = outages()
    point_to(9)
    try:
        end = time.monotonic() + 3  # two checks of each server
        while time.monotonic() < end:
            assert visitor.add("n").status == 503
    finally:
        point_to(8000)
    assert visitor.add("n").status == 200
    assert outages() == before


# Servers' connections are shared by visitors, so what one leaves there another would meet.

NOT_THEIRS = b"GET /api/stateless" + LOCAL + b"\r\n"
OF_LENGTH = b"Content-Length: %d\r\n\r\n" % len(NOT_THEIRS) + NOT_THEIRS
UNREAD = {
    "a body that no route reads": b"POST /api/nothing" + LOCAL + OF_LENGTH,
    "a body in chunks that no route reads": b"POST /api/nothing"
    + LOCAL
    + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(NOT_THEIRS), NOT_THEIRS),
    "the form of another site": b"POST /login" + LOCAL + b"Sec-Fetch-Site: cross-site\r\n" + OF_LENGTH,
    "a body that is waited for": b"POST /api/nothing" + LOCAL + b"Expect: 100-continue\r\n" + OF_LENGTH,
    "a GET with a body": b"GET /api/stateless" + LOCAL + OF_LENGTH,
    "a HEAD with a body": b"HEAD /" + LOCAL + OF_LENGTH,
    "two requests at once": b"GET /api/nothing" + LOCAL + b"\r\n" + NOT_THEIRS,
}


@pytest.mark.parametrize("what", UNREAD)
def test_no_visitor_meets_what_another_has_left_on_a_servers_connection(
    deployment: Deployment, visitor: Visitor, what: str
) -> None:
    for number in range(1, 13):
        with socket.create_connection(("127.0.0.1", deployment.port), timeout=15) as raw:
            raw.sendall(UNREAD[what])
            raw.recv(1)
            assert visitor.add("n").body == {"value": number}
