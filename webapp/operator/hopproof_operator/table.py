"""The sessions table, walked from the first key to the last in bites that live traffic does not feel.

Each bite is one short SELECT by the primary key, outside of any transaction: nothing is locked, no snapshot
is kept open (an old one keeps InnoDB from purging what was changed since), and only one bite is in memory.
After each bite the walk rests three times as long as that took: it has the database a quarter of the time.
A change during the walk may be seen or missed, so the figures of one walk are not of one moment.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pymysql

from hopproof.handler import SessionStoreUnavailable
from hopproof.mysql.connection import Connection
from hopproof.mysql.row import ROW_INVARIANTS
from hopproof.pool import Pool, PoolExhausted

State = Literal["live", "expired", "ended"]

# Rows per SELECT: a few ms of the database each, and with their data (64 KiB at most) some MB of ours.
# With 1,000 and a rest as long as the SELECT, the p99 of live traffic rose by 1.4 times (make bench-scale).
BITE = 200
BITE_WITH_DATA = 50
RESTS = 3
# Seconds for one SELECT, connecting included.
DEADLINE_S = 10

# OCTET_LENGTH is the measure of SESSION_MAX_BYTES. Only export and show read the data themselves.
COLUMNS = f"""id, `user`, version, created_at, expires_at, absolute_at, UNIX_TIMESTAMP(), OCTET_LENGTH(data),
    {", ".join(ROW_INVARIANTS.values())}"""
WALK = "SELECT {columns} FROM sessions WHERE id > %(after)s{of_user} ORDER BY id LIMIT %(bite)s"
FIND = "SELECT {columns} FROM sessions WHERE id BETWEEN %(first)s AND %(last)s ORDER BY id LIMIT %(bite)s"
# From the end of the index: the sessions used last, except those near the absolute timeout.
USED_LAST = "SELECT {columns} FROM sessions ORDER BY expires_at DESC LIMIT %(bite)s"
# Both read nothing but the index on expires_at.
COUNT_EXPIRED = "SELECT COUNT(*) FROM sessions WHERE expires_at <= UNIX_TIMESTAMP()"
COUNT_UNEXPIRED = "SELECT COUNT(*) FROM sessions WHERE expires_at > UNIX_TIMESTAMP()"
# The first entry of the same index, and no other.
NOW_AND_FIRST_EXPIRY = "SELECT UNIX_TIMESTAMP(), MIN(expires_at) FROM sessions"


@dataclass(frozen=True, slots=True)
class Row:
    """A row that keeps the row contract. Times: seconds since the epoch on the database's clock.

    json_bytes: 0 of an ended session. data: its JSON text, where that was asked for.
    """

    key: bytes
    user: str | None
    version: int
    created_at: int
    expires_at: int
    absolute_at: int
    read_at: int
    json_bytes: int
    state: State
    data: str | None = None

    @property
    def age_s(self) -> int:
        return self.read_at - self.created_at

    def idle_s(self, timeout_s: int) -> int:
        """Return the seconds since the last use, at most; timeout_s: SESSION_IDLE_S.

        As exact as expires_at: that moves on once in SESSION_TOUCH_S, and not beyond the absolute timeout.
        """
        return max(self.read_at - (self.expires_at - timeout_s), 0)


@dataclass(frozen=True, slots=True)
class BrokenRow:
    """A row that breaks the row contract, and the rule that it breaks."""

    key: bytes
    complaint: str


@dataclass(frozen=True, slots=True)
class Table:
    """The table, read only. Every method may raise SessionStoreUnavailable."""

    pool: Pool[Connection]
    sleep: Callable[[float], None] = time.sleep

    def walk(
        self, *, user: str | None = None, after: bytes = b"", with_data: bool = False, bite: int | None = None
    ) -> Iterator[Row | BrokenRow]:
        """Yield every row after the key `after`, in the order of the keys; user: only the rows of this user.

        Keys are hashes, so a key says how much of the table is done: see share_done.
        """
        bite = bite or (BITE_WITH_DATA if with_data else BITE)
        named = {} if user is None else {"user": user.encode()}
        of_user = "" if user is None else " AND `user` = %(user)s"
        while True:
            started = time.monotonic()
            rows = self._rows(WALK, with_data, of_user=of_user, after=after, bite=bite, **named)
            took_s = time.monotonic() - started
            yield from rows
            if len(rows) < bite:
                return
            after = rows[-1].key
            self.sleep(RESTS * took_s)

    def find(self, prefix: str, *, with_data: bool = False) -> list[Row | BrokenRow]:
        """Return the row whose key begins with these hexadecimal digits: none, one, or two of several."""
        first, last = bytes.fromhex(prefix.ljust(64, "0")), bytes.fromhex(prefix.ljust(64, "f"))
        return self._rows(FIND, with_data, first=first, last=last, bite=2)

    def used_last(self, count: int) -> list[Row | BrokenRow]:
        """Return the rows that expire last, which are mostly those that were used last."""
        return self._rows(USED_LAST, bite=count)

    def count_expired(self) -> int:
        return int(self._ask(COUNT_EXPIRED)[0][0])

    def count_unexpired(self) -> int:
        """Return the number of live sessions plus tombstones."""
        return int(self._ask(COUNT_UNEXPIRED)[0][0])

    def now_and_first_expiry(self) -> tuple[int, int | None]:
        """Return the time on the database's clock, and the smallest expires_at, None of an empty table."""
        now, first = self._ask(NOW_AND_FIRST_EXPIRY)[0]
        return int(now), None if first is None else int(first)

    def _rows(
        self, statement: str, with_data: bool = False, *, of_user: str = "", **parameters: Any
    ) -> list[Row | BrokenRow]:
        columns = f"{COLUMNS}, data" if with_data else COLUMNS
        rows = self._ask(statement.format(columns=columns, of_user=of_user), **parameters)
        return [_row(values, with_data) for values in rows]

    def _ask(self, statement: str, **parameters: Any) -> Sequence[Sequence[Any]]:
        connection = None
        try:
            connection = self.pool.borrow(DEADLINE_S)
            connection.allow(DEADLINE_S)
            return connection.ask(statement, parameters).rows
        except (pymysql.err.MySQLError, PoolExhausted, OSError) as error:
            raise SessionStoreUnavailable(f"the session table did not answer: {error}") from error
        finally:
            if connection is not None:
                self.pool.give_back(connection)


def share_done(key: bytes) -> float:
    """Return how much of the table lies before the key, 0 to 1: hashes are spread evenly."""
    return int.from_bytes(key[:4]) / 2**32


def _row(values: Sequence[Any], with_data: bool) -> Row | BrokenRow:
    key, name, *numbers = values[:7]
    json_bytes, *verdicts = values[7 : 8 + len(ROW_INVARIANTS)]
    version, created_at, expires_at, absolute_at, read_at = map(int, numbers)
    is_ended = json_bytes is None  # then the other columns mean nothing
    complaints = [
        rule for rule, holds in zip(ROW_INVARIANTS, verdicts, strict=True) if not holds and not is_ended
    ]
    try:
        user = None if name is None else name.decode()
    except UnicodeDecodeError:
        user = ""
    if user == "":
        complaints.append("its user is no name in UTF-8")
    if complaints:
        return BrokenRow(key, ", ".join(complaints))
    state: State = "ended" if is_ended else "live" if expires_at > read_at else "expired"
    data = values[-1] if with_data else None
    return Row(
        key, user, version, created_at, expires_at, absolute_at, read_at, int(json_bytes or 0), state, data
    )
