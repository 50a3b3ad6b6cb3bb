"""The connection of one request: borrowed on first use, with one time budget for all its statements."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pymysql
from pymysql.constants import CR, ER

from .. import limits
from ..handler import SessionConflict, SessionStoreUnavailable
from ..pool import Pool, PoolExhausted
from .connection import NOT_DONE, OUTCOME_UNKNOWN, Answer, Connection

# The server has undone the statement and says so: repeating it is safe.
UNDONE = {ER.LOCK_DEADLOCK, ER.LOCK_WAIT_TIMEOUT}
# The connection broke or was dropped. A read is repeated on another one. A write is not: the broken one may
# have done it, and a database that refuses all writes needs no more of them.
BROKEN = {CR.CR_SERVER_GONE_ERROR, CR.CR_SERVER_LOST} | OUTCOME_UNKNOWN | NOT_DONE
MAX_REPEATS = 2


@dataclass(slots=True)
class Borrowed:
    """A connection of the pool, for one request: borrowed on first use, given back by close.

    deadline_s: seconds that one request may spend here in all: waiting for a connection,
    connecting, statements and their repetition.
    """

    pool: Pool[Connection]
    deadline_s: float = limits.DEADLINE_S
    _connection: Connection | None = None
    _is_open: bool = False
    _left_s: float = 0.0

    def open(self) -> None:
        self._is_open = True
        self.start_anew()

    def start_anew(self) -> None:
        """Start a new time budget, as for another request."""
        self._left_s = self.deadline_s

    def close(self) -> None:
        self._is_open = False
        self._give_back()

    @property
    def held(self) -> Connection | None:
        """The connection, None before its first use and after it broke."""
        return self._connection

    def ask(self, statement: str, *, repeatable: bool = False, **parameters: Any) -> Answer:
        """Run one statement within what is left of the budget. Parameters that it does not name are left out.

        repeatable: it may be run again although an earlier run may have been carried out.
        Raises SessionStoreUnavailable, or SessionConflict where a new key is taken.
        """
        safe = UNDONE | BROKEN if repeatable else UNDONE
        for repeats_left in reversed(range(MAX_REPEATS + 1)):
            started = time.monotonic()
            try:
                return self._run(statement, parameters)
            except (pymysql.err.MySQLError, PoolExhausted, OSError) as error:
                if _code(error) == ER.DUP_ENTRY:
                    raise SessionConflict("the new key is taken") from error
                if _code(error) not in safe or not repeats_left:
                    raise SessionStoreUnavailable(f"the session table did not answer: {error}") from error
            finally:
                self._left_s -= time.monotonic() - started
        raise AssertionError("the last repeat returns or raises")

    def _run(self, statement: str, parameters: Mapping[str, Any]) -> Answer:
        if not self._is_open:
            # A connection that is borrowed now would never be given back. A generator would do so, as it
            # runs after its route.
            raise RuntimeError("the handler is closed; use it between open and close")
        ends_at = time.monotonic() + self._left_s
        if self._connection is None and self._left_s > 0:
            self._connection = self.pool.borrow(self._left_s)
        left_s = ends_at - time.monotonic()
        if self._connection is None or left_s <= 0:
            # Not sent without time for the answer: it would be done, and the visitor would get an error.
            raise TimeoutError(f"the {self.deadline_s} s that a request may wait are used up")
        try:
            self._connection.allow(left_s)
            return self._connection.ask(statement, parameters)
        finally:
            if not self._connection.open:
                self._give_back()

    def _give_back(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self.pool.give_back(connection)


def _code(error: BaseException | None) -> int | None:
    """Return the number that the driver gives an error, None for an error of another kind."""
    first = error.args[0] if isinstance(error, pymysql.err.MySQLError) and error.args else None
    return first if isinstance(first, int) else None
