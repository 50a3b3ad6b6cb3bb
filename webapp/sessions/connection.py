"""One connection to MySQL or MariaDB: the driver logs in, and this asks.

The driver's cursors describe and convert any column of any answer, packet by packet; that took two thirds of
the time of a read. Our statements have two kinds of answers, and their protocol is a page:
https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response.html
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pymysql
from pymysql.constants import COMMAND, CR

from .pool import said_something

OK, ERROR, END, NULL = 0x00, 0xFF, 0xFE, 0xFB
# An end looks like a very long value but for its length.
MAX_END_BYTES = 8


class Answer(NamedTuple):
    """The result of a statement.

    rows: of values as the server spells them, as bytes, None for NULL. carried: what LAST_INSERT_ID(…)
    brought back with the acknowledgement.
    """

    rows: Sequence[Sequence[Any]]
    matched: int
    carried: int


class Connection(pymysql.connections.Connection):
    """A driver's connection that can be given a new deadline and asked for signs of life."""

    _received = b""

    def allow(self, seconds: float) -> None:
        """Let all waiting for the server end so many seconds from now, however many waits it takes."""
        self._ends_at = time.monotonic() + seconds

    @property
    def _read_timeout(self) -> float:
        # The driver asks for this before each wait. It knows only a time per wait, of which a login has
        # half a dozen; a contract test guards the names.
        return max(self._ends_at - time.monotonic(), 0.001)

    @_read_timeout.setter
    def _read_timeout(self, seconds: float) -> None:
        self.allow(seconds)

    _write_timeout = _read_timeout

    @property
    def _socket(self) -> socket.socket:
        found: socket.socket = self._sock  # type: ignore[attr-defined]
        return found

    def ask(self, statement: str, parameters: Mapping[str, Any]) -> Answer:
        """Send one statement, each %(name)s filled in, and return what comes back.

        Raises MySQLError: what the server says is wrong; CR_SERVER_LOST when nobody knows what was done.
        """
        quoted = {name: self.escape(value) for name, value in parameters.items()}
        text = b"%c%s" % (COMMAND.COM_QUERY, (statement % quoted).encode())
        try:
            self._socket.settimeout(self._read_timeout)
            self._socket.sendall(len(text).to_bytes(4, "little") + text)
            packets = self._answer()
        except OSError as error:
            self.abandon()
            raise pymysql.err.OperationalError(CR.CR_SERVER_LOST, f"no answer: {error}") from error
        except BaseException:
            # Whoever asked next would read the rest of this answer.
            self.abandon()
            raise
        first, last = packets[0], packets[-1]
        if last[0] == ERROR:
            pymysql.err.raise_mysql_exception(last)
        if first[0] == OK:
            matched, at = _number(first, 1)
            carried, _ = _number(first, at)
            return Answer((), matched or 0, carried or 0)
        columns = first[0]
        # In between are the columns' descriptions and an end.
        rows = [_values(packet, columns) for packet in packets[columns + 2 : -1]]
        return Answer(rows, len(rows), 0)

    def _answer(self) -> list[bytes]:
        packets = [self._packet(is_first=True)]
        if packets[0][0] not in (OK, ERROR):
            ends = 0
            while ends < 2 and packets[-1][0] != ERROR:
                packets.append(self._packet())
                ends += packets[-1][0] == END and len(packets[-1]) <= MAX_END_BYTES
        return packets

    def _packet(self, *, is_first: bool = False) -> bytes:
        """Return the next packet without its header: three bytes of length and a number."""
        received = self._received
        while len(received) < 4 or len(received) < (end := 4 + int.from_bytes(received[:3], "little")):
            self._socket.settimeout(self._read_timeout)
            chunk = self._socket.recv(65536)
            if not chunk:
                raise ConnectionError("the server closed the connection")
            received += chunk
        if is_first and received[3] == 0:
            # The packets of an answer are numbered from 1, and on from 255 to 0. This is none.
            raise ConnectionError("the server said goodbye")
        self._received = received[end:]
        return received[4:end]

    def said_something(self) -> bool:
        return said_something(self._sock)  # type: ignore[attr-defined]

    def abandon(self) -> None:
        self._force_close()  # type: ignore[attr-defined]


def _number(packet: bytes, at: int) -> tuple[int | None, int]:
    """Return the length-encoded number at this place, None for NULL, and the place behind it."""
    first = packet[at]
    if first < NULL:
        return first, at + 1
    if first == NULL:
        return None, at + 1
    end = at + 1 + {0xFC: 2, 0xFD: 3, 0xFE: 8}[first]
    return int.from_bytes(packet[at + 1 : end], "little"), end


def _values(packet: bytes, columns: int) -> list[bytes | None]:
    values: list[bytes | None] = []
    at = 0
    for _ in range(columns):
        length, at = _number(packet, at)
        values.append(None if length is None else packet[at : at + length])
        at += length or 0
    return values
