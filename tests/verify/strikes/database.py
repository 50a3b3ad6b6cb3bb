"""Faults of the database: while they last, the store answers 503."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from verify.deployment import Stack, until
from verify.strikes.proof import frozen, killed, proven


@contextlib.contextmanager
def database_killed(stack: Stack) -> Iterator[str]:
    try:
        with killed(stack.container("db")):
            store_is_out(stack)
            yield "mysqld ended with 137, the store answered 503"
    finally:
        store_is_back(stack)


@contextlib.contextmanager
def database_frozen(stack: Stack) -> Iterator[str]:
    with frozen(stack.container("db")):
        store_is_out(stack)
        yield "mysqld stood still, the store answered 503"
    store_is_back(stack)


@contextlib.contextmanager
def database_unreachable(stack: Stack) -> Iterator[str]:
    database = stack.container("db")
    network = stack.docker.networks.get(f"{stack.project}_store")
    try:
        network.disconnect(database)
        store_is_out(stack)
        yield "the database was off the network, the store answered 503"
    finally:
        network.reload()
        if database not in network.containers:
            network.connect(database, aliases=["db"])
        store_is_back(stack)


# As a backup does it: no table takes writes as long as the connection stays. It ends by itself.
LOCK, HOLD = "FLUSH TABLES WITH READ LOCK", "DO SLEEP(45)"


@contextlib.contextmanager
def tables_locked(stack: Stack) -> Iterator[str]:
    visitor = stack.visitor()
    visitor.add("n")
    with ThreadPoolExecutor(1) as backup:
        try:
            backup.submit(stack.runs_sql, f"{LOCK}; {HOLD}")
            until(lambda: _connections_that(stack, HOLD), "the tables are locked", 20)
            write, read = visitor.add("n"), visitor.show()
            proven((write.status, read.status) == (503, 200), f"a write {write.status}, a read {read.status}")
            yield "the tables were locked: a write got 503, a read 200"
        finally:
            for connection in _connections_that(stack, LOCK) + _connections_that(stack, HOLD):
                stack.sql(f"KILL {connection}")
    until(lambda: visitor.add("n").status == 200, "a write succeeds again", 60)


def _connections_that(stack: Stack, statement: str) -> list[str]:
    """Return the connections whose current statement is this one."""
    rows = stack.sql(f"SELECT id FROM performance_schema.processlist WHERE info = '{statement}'")
    return [number for (number,) in rows]


def _store_status(stack: Stack) -> int:
    return stack.visitor().ask("GET", "/healthz/store").status


def store_is_out(stack: Stack) -> None:
    # Each server repeats its answer for a second.
    until(lambda: _store_status(stack) == 503, "/healthz/store answers 503", 15)


def store_is_back(stack: Stack) -> None:
    until(lambda: _store_status(stack) == 200, "the store answers again", 60)
