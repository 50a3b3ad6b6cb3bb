"""Any bytes on the balancer's clear port: no 500, no server that breaks, no session without its cookie."""

from __future__ import annotations

import contextlib
import re
import socket

from hypothesis import given
from hypothesis import strategies as st

from fuzz.drawn import mangled, tried
from verify.deployment import Deployment

HEAD = b" HTTP/1.1\r\nHost: localhost\r\n"
LINES = [
    b"GET / HTTP/1.1\r\n",
    b"GET /api/session HTTP/1.1\r\n",
    b"POST /api/session/counters/n HTTP/1.1\r\n",
    b"PUT /api/session/data/a HTTP/1.1\r\n",
    b"POST /login HTTP/1.1\r\n",
    b"GET http://localhost/api/stateless HTTP/1.1\r\n",
    b"GET / HTTP/1.0\r\n",
    b"PRI * HTTP/2.0\r\n",
]
HEADERS = [
    b"Host: localhost\r\n",
    b"Host: localhost\r\n",
    b"Host: evil.example\r\n",
    b"Content-Length: 1\r\n",
    b"Content-Length: 0\r\n",
    b"Content-Length: +1\r\n",
    b"Content-Length: 99999999999999999999\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: xchunked\r\n",
    b"Transfer-Encoding : chunked\r\n",
    b"Cookie: session=" + b"A" * 43 + b"\r\n",
    b"Cookie: a=b\r\n",
    b"Connection: close, Content-Length\r\n",
    b"Expect: 100-continue\r\n",
    b"Upgrade: h2c\r\n",
    b"X: " + b"\xff\x80" * 8 + b"\r\n",
    b" folded\r\n",
    b"no colon\r\n",
]
ENDS = [
    b"\r\n",
    b"\r\n1",
    b"\r\n1\r\n7\r\n0\r\n\r\n",
    b"\r\n0\r\n\r\n",
    b"\n",
    b"\r\n\r\nGET /metrics HTTP/1.1\r\n\r\n",
]

requests = st.builds(
    lambda line, headers, end: line + b"".join(headers) + end,
    st.sampled_from(LINES) | st.binary(max_size=20),
    st.lists(st.sampled_from(HEADERS) | st.binary(max_size=20), max_size=5),
    st.sampled_from(ENDS) | st.binary(max_size=40),
)


streams = mangled(st.lists(requests, min_size=1, max_size=3).map(b"".join))


def answers_to(deployment: Deployment, stream: bytes) -> bytes:
    """Send the bytes, end the sending, and return all that comes. Fails if the connection stays for 20 s."""
    with socket.create_connection(("127.0.0.1", deployment.port), timeout=20) as raw:
        with contextlib.suppress(ConnectionError):
            raw.sendall(stream)
            raw.shutdown(socket.SHUT_WR)
        received = b""
        with contextlib.suppress(ConnectionError):
            while piece := raw.recv(65536):
                received += piece
    return received


def test_any_bytes_leave_the_deployment_as_it_was(deployment: Deployment) -> None:
    created: list[bytes] = []

    @given(streams)
    def try_bytes(stream: bytes) -> None:
        tried["streams of HTTP/1"] += 1
        received = answers_to(deployment, stream)
        statuses = re.findall(rb"^HTTP/1\.[01] (\d{3}) ", received, re.MULTILINE)
        assert statuses or not received
        assert b"500" not in statuses
        created.extend(
            re.findall(rb"^set-cookie: session=[\w-]{43};", received, re.MULTILINE | re.IGNORECASE)
        )

    rows = "SELECT COUNT(*) FROM sessions"
    before = int(deployment.sql(rows)[0][0])
    try_bytes()
    assert int(deployment.sql(rows)[0][0]) - before <= len(created)
    assert deployment.visitor().add("n").status == 200
    assert "Traceback" not in deployment.logs("web")
