"""Faults of the database: while they last, the store answers 503."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from verify.deployment import Stack, until
from verify.strikes.proof import frozen, killed, proven


@contextlib.contextmanager
def database_killed(stack: Stack) -> Iterator[str]:
    try:
        with killed(stack.container("db")):
            _store_is_out(stack)
            yield "mysqld ended with 137, the store answered 503"
    finally:
        _store_is_back(stack)


@contextlib.contextmanager
def database_frozen(stack: Stack) -> Iterator[str]:
    with frozen(stack.container("db")):
        _store_is_out(stack)
        yield "mysqld stood still, the store answered 503"
    _store_is_back(stack)


@contextlib.contextmanager
def database_unreachable(stack: Stack) -> Iterator[str]:
    database = stack.container("db")
    network = stack.docker.networks.get(f"{stack.project}_store")
    try:
        network.disconnect(database)
        _store_is_out(stack)
        yield "the database was off the network, the store answered 503"
    finally:
        network.reload()
        if database not in network.containers:
            network.connect(database, aliases=["db"])
        _store_is_back(stack)


def _store_status(stack: Stack) -> int:
    return stack.visitor().ask("GET", "/healthz/store").status


def _store_is_out(stack: Stack) -> None:
    proven(_store_status(stack) == 503, "/healthz/store did not answer 503")


def _store_is_back(stack: Stack) -> None:
    until(lambda: _store_status(stack) == 200, "the store answers again", 60)
