"""One connection to MySQL or MariaDB, and what its answer to a statement is."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pymysql

from ..pool import said_something

# Errors of a server that is not the primary any more, or is leaving. The connection is dropped, because
# the next one may lead to the server that took over.
# 1053 shutdown, 1927 connection killed (MariaDB), 3100 a replication plugin failed: it may have been done.
OUTCOME_UNKNOWN = {1053, 1927, 3100}
# 1290 and 1836 read-only server, 1792 read-only transaction, 3032 offline mode, 6400 not the primary:
# refused before anything was done.
NOT_DONE = {1290, 1792, 1836, 3032, 6400}


class Answer(NamedTuple):
    """The server's answer to one statement.

    rows: of values as the driver converts them. matched: the number of rows.
    last_insert_id: the argument of LAST_INSERT_ID(…), unsigned, which comes back with the acknowledgement.
    """

    rows: Sequence[Sequence[Any]]
    matched: int
    last_insert_id: int


class Connection(pymysql.connections.Connection):
    """A driver's connection with a deadline for all waits together, and the interface of a pool."""

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

    def ask(self, statement: str, parameters: Mapping[str, Any]) -> Answer:
        """Send one statement, each %(name)s filled in, and return the answer.

        Raises MySQLError: the server's own, or CR_SERVER_LOST or CR_SERVER_GONE_ERROR when the statement may
        have been carried out.
        """
        try:
            with self.cursor() as cursor:
                matched = cursor.execute(statement, parameters)
                return Answer(cursor.fetchall(), matched, cursor.lastrowid)
        except pymysql.err.MySQLError as error:
            if error.args and error.args[0] in OUTCOME_UNKNOWN | NOT_DONE:
                self.abandon()
            raise
        except BaseException:
            # The next statement would read the rest of this answer.
            self.abandon()
            raise

    def said_something(self) -> bool:
        return said_something(self._sock)  # type: ignore[attr-defined]

    def abandon(self) -> None:
        self._force_close()  # type: ignore[attr-defined]
