"""Every test with a `world` runs in each of them. With a `sql_world`: on MySQL and on MariaDB."""

from __future__ import annotations

import os
import secrets
import socket
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

# Before any container starts, so that whoever interrupts the tests can sweep by this label.
os.environ.setdefault("HOPPROOF_TEST_RUN", secrets.token_hex(4))

from crowd import Crowd
from database_server import INFRA, Admin, DatabaseServer, running
from memcached_server import MemcachedServer, running_memcached
from our_worlds import CachedWorld, MemcachedWorld, MemoryWorld, SqlWorld
from worlds import World

from hopproof.handler import SessionHandler
from hopproof.mysql.connection import Connection
from hopproof.pool import Pool

WayIn = tuple[DatabaseServer, Pool[Connection], Admin]


def _worlds(*names: str) -> list[Any]:
    return [pytest.param(name, marks=getattr(pytest.mark, name)) for name in names]


SQL = _worlds("mysql", "mariadb")
NAMES = ("memory", "mysql", "mariadb", "cached", "memcached")

# Tests of the contract that the others pass and memcached alone cannot.
CLEANING = "memcached removes what has expired by itself, by its own clock, which no test can move"
NOT_IN_MEMCACHED = {
    "test_cleaning_removes_expired_sessions_and_tells_how_many": CLEANING,
    "test_cleaning_removes_a_tombstone_afterwards": CLEANING,
    "test_cleaning_with_a_grace_spares_what_expired_within_it": CLEANING,
    "test_a_cleaning_that_failed_does_not_look_like_one_that_found_nothing": CLEANING,
    "test_cleaning_with_a_grace_removes_what_expired_before_it": CLEANING,
}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counts: Counter[str] = Counter()
    for report in terminalreporter.getreports("passed"):
        counts.update(report.keywords.keys() & set(NAMES))
    if counts:
        terminalreporter.write_line(
            "the contract holds: " + ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
        )


@pytest.fixture(scope="session")
def mysql() -> Iterator[DatabaseServer]:
    with running("MYSQL_IMAGE", settings=INFRA / "my.cnf") as server:
        yield server


@pytest.fixture(scope="session")
def mariadb() -> Iterator[DatabaseServer]:
    with running("MARIADB_IMAGE") as server:
        yield server


@pytest.fixture(scope="session")
def mysql_way_in(mysql: DatabaseServer) -> Iterator[WayIn]:
    with mysql.admin() as admin:
        yield mysql, mysql.web.pool(), admin


@pytest.fixture(scope="session")
def mariadb_way_in(mariadb: DatabaseServer) -> Iterator[WayIn]:
    with mariadb.admin() as admin:
        yield mariadb, mariadb.web.pool(), admin


@pytest.fixture(scope="session")
def memcached() -> Iterator[MemcachedServer]:
    with running_memcached() as server:
        yield server


@pytest.fixture(params=_worlds(*NAMES))
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    yield from _world(request)


@pytest.fixture(params=SQL)
def sql_world(request: pytest.FixtureRequest) -> Iterator[SqlWorld]:
    yield from _world(request)


def _world(request: pytest.FixtureRequest) -> Iterator[Any]:
    # By name, so that no server is started for the tests of the others.
    world: MemoryWorld | SqlWorld | CachedWorld | MemcachedWorld
    if request.param == "memcached" and (reason := NOT_IN_MEMCACHED.get(request.node.originalname)):
        pytest.skip(reason)
    if request.param == "memory" and request.node.path.stem == "test_store_outage":
        pytest.skip("a dict in this process always answers")
    match request.param:
        case "memory":
            world = MemoryWorld()
        case "cached":
            behind = SqlWorld(*request.getfixturevalue("mysql_way_in"))
            world = CachedWorld(behind, request.getfixturevalue("memcached").client)
        case "memcached":
            world = MemcachedWorld(request.getfixturevalue("memcached").client)
        case name:
            world = SqlWorld(*request.getfixturevalue(f"{name}_way_in"))
    yield world
    world.close()


@pytest.fixture
def cached_world(mysql_way_in: WayIn, memcached: MemcachedServer) -> Iterator[CachedWorld]:
    world = CachedWorld(SqlWorld(*mysql_way_in), memcached.client)
    yield world
    world.close()


@pytest.fixture
def unchecked_world(mariadb_way_in: WayIn) -> Iterator[SqlWorld]:
    """MariaDB, whose admin may store text that is no JSON, as in a table that was made without the check."""
    world = SqlWorld(*mariadb_way_in)
    world.admin.ask("SET check_constraint_checks = 0")
    yield world
    world.admin.ask("SET check_constraint_checks = 1")
    world.close()


@pytest.fixture
def handler(world: World) -> SessionHandler:
    """The handler of the server that gets the visitor's request."""
    return world.new_handler()


@pytest.fixture
def other(world: World) -> SessionHandler:
    """The handler of another server."""
    return world.new_handler()


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Accepts, as the kernel does for a process that hangs, and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture(scope="session")
def crowd() -> Iterator[Crowd]:
    with Crowd() as crowd:
        yield crowd
