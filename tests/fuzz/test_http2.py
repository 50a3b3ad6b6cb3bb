"""Any frames of HTTP/2 over TLS: no 500, no server that breaks, nothing stored unasked."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
from collections.abc import Iterator
from typing import TypeVar

import hpack
from hypothesis import given
from hypothesis import strategies as st

from fuzz.drawn import METHODS, PATHS, mangled, tried
from verify.deployment import Deployment
from verify.hostile import HEADERS, SETTINGS, frame

T = TypeVar("T")
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, PRIORITY, RST_STREAM, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 2, 3, 5, 6, 7, 8, 9
END_STREAM, END_HEADERS, PADDED, HAS_PRIORITY = 1, 4, 8, 0x20
FRAME_HEAD_BYTES = 9

streams = st.sampled_from([1, 1, 1, 3, 5, 0, 2, 2**31 - 1])
flags = st.sampled_from(
    [END_HEADERS | END_STREAM, END_HEADERS, END_STREAM, 0, END_HEADERS | PADDED, END_HEADERS | HAS_PRIORITY]
)
fields = st.sampled_from(
    [
        (":method", "CONNECT"),
        (":path", ""),
        (":scheme", "http"),
        (":authority", "evil.example"),
        (":protocol", "websocket"),
        (":unknown", "x"),
        ("host", "evil.example"),
        ("Host", "localhost"),
        ("cookie", "session=" + "A" * 43),
        ("cookie", "a=b"),
        ("content-length", "1"),
        ("content-length", "-1"),
        ("transfer-encoding", "chunked"),
        ("connection", "close"),
        ("upgrade", "h2c"),
        ("expect", "100-continue"),
        ("x", "a\r\nx-served-by: me"),
        ("x", "\x00"),
        ("x" * 300, "x" * 3000),
        ("", "x"),
    ]
)


def mostly(usual: st.SearchStrategy[T], other: st.SearchStrategy[T]) -> st.SearchStrategy[T]:
    """Four of five are usual. The first frame that breaks the rules ends a connection."""
    return st.integers(0, 4).flatmap(lambda drawn: other if drawn == 4 else usual)


def block(pairs: list[tuple[str, str]]) -> bytes:
    """Return the headers in a form that does not depend on what was sent before."""
    encoded: bytes = hpack.Encoder().encode([hpack.NeverIndexedHeaderTuple(*pair) for pair in pairs])
    return encoded


requests = st.builds(
    lambda method, path, more: block(
        [(":method", method), (":scheme", "https"), (":path", path), (":authority", "localhost"), *more]
    ),
    st.sampled_from(METHODS),
    st.sampled_from([*PATHS, "*", "//", "/?" + "x" * 300]),
    mostly(st.just([]), st.lists(fields, max_size=3)),
)
blocks = requests | st.lists(fields, max_size=5).map(block) | st.binary(max_size=40)
settings = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from([0, 1, 100, 16_383, 2**31, 2**32 - 1])), max_size=3
).map(lambda pairs: b"".join(struct.pack(">HI", *pair) for pair in pairs))
frames = st.one_of(
    st.builds(frame, st.just(HEADERS), flags, streams, blocks),
    st.builds(frame, st.just(HEADERS), st.just(END_HEADERS | END_STREAM), streams, requests),
    st.builds(frame, st.just(CONTINUATION), flags, streams, blocks),
    st.builds(frame, st.just(DATA), flags, streams, st.binary(max_size=40)),
    st.builds(frame, st.just(SETTINGS), st.integers(0, 1), st.sampled_from([0, 0, 0, 1]), settings),
    st.builds(frame, st.just(PING), st.integers(0, 1), st.sampled_from([0, 0, 1]), st.binary(max_size=9)),
    st.builds(
        frame,
        st.sampled_from([PRIORITY, RST_STREAM, PUSH_PROMISE, GOAWAY, WINDOW_UPDATE, 77]),
        st.integers(0, 255),
        streams,
        st.sampled_from([struct.pack(">I", number) for number in (0, 1, 2**31 - 1)]) | st.binary(max_size=12),
    ),
)
whole = st.tuples(requests, st.none() | st.binary(max_size=40))
pieces = st.lists(mostly(whole, frames), min_size=1, max_size=4)


def connection_of(pieces: list[bytes | tuple[bytes, bytes | None]]) -> bytes:
    """Return a client's bytes: a piece is a frame, or headers and body of a request on the next stream."""
    sent, stream = PREFACE + frame(SETTINGS, 0, 0, b""), 1
    for piece in pieces:
        if isinstance(piece, bytes):
            sent += piece
            continue
        head, body = piece
        sent += frame(HEADERS, END_HEADERS | (END_STREAM if body is None else 0), stream, head)
        if body is not None:
            sent += frame(DATA, END_STREAM, stream, body)
        stream += 2
    return sent


connections = pieces.map(connection_of)
bytes_sent = mostly(connections, mangled(connections) | st.binary(max_size=40))
LAST_STREAM = 2**31 - 3
GET = [(":method", "GET"), (":scheme", "https"), (":path", "/api/stateless"), (":authority", "localhost")]
LAST = frame(HEADERS, END_HEADERS | END_STREAM, LAST_STREAM, block(GET))


def answers_to(deployment: Deployment, sent: bytes) -> dict[int, dict[str, str]]:
    """Send the bytes and one request more; return the headers of each answer by its stream.

    The end of the sending comes after the last answer, because HAProxy then gives no other. Fails if nothing
    comes for 20 s after it.
    """
    answers: dict[int, dict[str, str]] = {}
    with deployment.visitor().connect("h2") as connection, contextlib.suppress(ConnectionError):
        connection.sendall(sent + LAST)
        for stream, headers in answers_on(connection):
            answers[stream] = headers
            if stream == LAST_STREAM:
                connection.settimeout(0.1)  # for those that take longer
        connection.settimeout(20)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass
    return answers


def answers_on(connection: socket.socket) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield stream and headers of each answer, until nothing comes for half a second."""
    connection.settimeout(0.5)
    decoder, received = hpack.Decoder(), b""
    with contextlib.suppress(TimeoutError):
        while piece := connection.recv(65536):
            received += piece
            while len(received) >= (end := FRAME_HEAD_BYTES + int.from_bytes(received[:3], "big")):
                if received[3] == HEADERS:
                    headers = dict(decoder.decode(received[FRAME_HEAD_BYTES:end]))
                    yield int.from_bytes(received[5:FRAME_HEAD_BYTES], "big"), headers
                received = received[end:]


def may_have_stored(deployment: Deployment) -> int:
    """Return how many requests were answered that store something."""
    lines = [json.loads(line) for line in deployment.logs("balancer").splitlines() if line[:1] == "{"]
    answered = [line for line in lines if line["status"] < 400]
    return sum(line["method"] in ("POST", "PUT", "DELETE") or line["path"] == "/" for line in answered)


def test_any_frames_leave_the_deployment_as_it_was(tls_deployment: Deployment) -> None:
    @given(bytes_sent)
    def try_frames(sent: bytes) -> None:
        tried["connections of HTTP/2"] += 1
        for answer in answers_to(tls_deployment, sent).values():
            assert answer[":status"] != "500"
            assert "x-request-id" in answer

    rows = "SELECT COUNT(*) FROM sessions"
    before, asked_before = int(tls_deployment.sql(rows)[0][0]), may_have_stored(tls_deployment)
    try_frames()
    stored = int(tls_deployment.sql(rows)[0][0]) - before
    assert stored <= may_have_stored(tls_deployment) - asked_before
    assert tls_deployment.visitor().add("n").status == 200
    assert "Traceback" not in tls_deployment.logs("web")
