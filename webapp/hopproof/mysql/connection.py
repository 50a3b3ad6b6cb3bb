"""One connection to MySQL or MariaDB: the driver logs in, and this class asks and reads the answers.

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

from ..pool import said_something

OK, ERROR, END, NULL = 0x00, 0xFF, 0xFE, 0xFB
# Errors of a server that is not the primary any more, or is leaving. The connection is dropped, because
# the next one may lead to the server that took over.
# 1053 shutdown, 1927 connection killed (MariaDB), 3100 a replication plugin failed: it may have been done.
OUTCOME_UNKNOWN = {1053, 1927, 3100}
# 1290 and 1836 read-only server, 1792 read-only transaction, 3032 offline mode, 6400 not the primary:
# refused before anything was done.
NOT_DONE = {1290, 1792, 1836, 3032, 6400}
# The packet that ends an answer begins like a very long value. Only its length tells them apart.
MAX_END_BYTES = 8


class Answer(NamedTuple):
    """The server's answer to one statement.

    rows: of values as the server spells them, as bytes, None for NULL. matched: the number of rows.
    last_insert_id: the argument of LAST_INSERT_ID(…), unsigned, which comes back with the acknowledgement.
    """

    rows: Sequence[Sequence[Any]]
    matched: int
    last_insert_id: int


class Connection(pymysql.connections.Connection):
    """A driver's connection with a deadline for all waits together, and the interface of a pool."""

    _received = b""

    def allow(self, seconds: float) -> None:
        """Set the deadline so many seconds from now. It bounds all waits for the server together."""
        self._ends_at = time.monotonic() + seconds

    @property
    def _read_timeout(self) -> float:
        # The driver reads this before each wait. Its own time-out is per wait, and a login has half a
        # dozen of them. A contract test guards the names.
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
        """Send one statement, each %(name)s filled in, and return the answer.

        Raises MySQLError: the server's own, or CR_SERVER_LOST when the statement may have been carried out.
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
            # The next statement would read the rest of this answer.
            self.abandon()
            raise
        first, last = packets[0], packets[-1]
        if last[0] == ERROR:
            if int.from_bytes(last[1:3], "little") in OUTCOME_UNKNOWN | NOT_DONE:
                self.abandon()
            pymysql.err.raise_mysql_exception(last)
        if first[0] == OK:
            matched, at = _number(first, 1)
            last_insert_id, _ = _number(first, at)
            return Answer((), matched or 0, last_insert_id or 0)
        columns = first[0]
        # Between them stand the descriptions of the columns and an end.
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
            # The first packet of an answer has number 1. This one was sent without a question.
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
