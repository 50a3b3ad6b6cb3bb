"""Where the table is, and how a connection to it is made."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Thread

from pymysql.constants import CLIENT, CR
from pymysql.err import OperationalError

from ..pool import Pool
from .connection import Connection

# Set at connect, because a server's globals may be anything. A promise rests on each of these.
SESSION_SETTINGS = {
    # The driver's own switch trusts a status flag that is wrong when the global is 0: nothing was committed.
    "autocommit": "1",
    # Seconds; a request has 2.5 of them. The second is for FLUSH TABLES WITH READ LOCK and ALTER TABLE. Its
    # default is a year, and then a statement is carried out long after its visitor got an error.
    "innodb_lock_wait_timeout": "1",
    "lock_wait_timeout": "2",
    # Refuses a value that does not fit, and reads backslashes in literals as the driver writes them.
    "sql_mode": "'STRICT_ALL_TABLES'",
    # NOW() of the switch means another moment in a zone that puts its clocks back.
    "time_zone": "'+00:00'",
    # A user's list is never cut, and no statement is refused for how it finds its rows.
    "sql_select_limit": "18446744073709551615",
    "sql_safe_updates": "0",
    "sql_big_selects": "1",
}
SET_SESSION = "SET SESSION " + ", ".join(f"{name} = {value}" for name, value in SESSION_SETTINGS.items())
# A statement of its own: MySQL and MariaDB 10.11 call the variable by different names.
SET_TRANSACTION = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ WRITE"


@dataclass(frozen=True, slots=True)
class Database:
    """Where the table is, and how many connections this process may keep to it.

    tls: None speaks plain TCP, for an internal network. The driver's own default, TLS without a check
    of the certificate, took 20 % of the reads per second and 50 ms more per connection.
    """

    host: str
    port: int
    name: str
    user: str
    password: str = field(repr=False)
    connections: int = 8
    tls: ssl.SSLContext | None = None

    def pool(self) -> Pool[Connection]:
        """Return a pool that connects on demand; no connection is made yet."""
        return Pool(lambda seconds: _within(seconds, self._connect), self.connections)

    def _connect(self, seconds: float) -> Connection:
        connection = Connection(
            host=self.host,
            port=self.port,
            database=self.name,
            user=self.user,
            password=self.password,
            ssl=self.tls,
            ssl_disabled=self.tls is None,
            charset="utf8mb4",
            autocommit=None,  # as SET_SESSION says
            # rowcount is then "rows matched": a touch within the same second changes nothing.
            client_flag=CLIENT.FOUND_ROWS,
            # Sent by the driver, which learns from the answer how to write a backslash from now on.
            init_command=SET_SESSION,
            connect_timeout=seconds,
            read_timeout=seconds,
            write_timeout=seconds,
        )
        connection.ask(SET_TRANSACTION, {})
        return connection


def _within(seconds: float, connect: Callable[[float], Connection]) -> Connection:
    """Return the connection, or raise when the seconds are over.

    The driver's own time-outs begin when the name is found, and a resolver may take seconds to say that it is
    not. A connection that comes too late has no owner, and so the driver closes it.
    """
    made: SimpleQueue[Connection | Exception] = SimpleQueue()

    def attempt() -> None:
        try:
            made.put(connect(seconds))
        except Exception as error:
            made.put(error)

    Thread(target=attempt, daemon=True).start()
    try:
        found = made.get(timeout=seconds)
    except Empty:
        raise OperationalError(CR.CR_CONN_HOST_ERROR, f"no connection within {seconds:.1f} s") from None
    if isinstance(found, Exception):
        raise found
    return found
