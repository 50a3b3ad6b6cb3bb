"""Every test with a `world` runs in each: memory, MySQL, MariaDB. With a `sql_world`: in the latter two."""

from __future__ import annotations

import os
import secrets
from collections import Counter
from collections.abc import Iterator

import pytest

# Before any container starts, so that whoever interrupts the tests can sweep by this label.
os.environ.setdefault("HOPPROOF_TEST_RUN", secrets.token_hex(4))

from crowd import Crowd
from database_server import INFRA, Admin, DatabaseServer, running
from worlds import MemoryWorld, SqlWorld, World

from sessions.handler import SessionHandler
from sessions.mysql import Connection
from sessions.pool import Pool

MEMORY = pytest.param("memory", marks=pytest.mark.memory)
WayIn = tuple[DatabaseServer, Pool[Connection], Admin]
SQL = [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("mysql", "mariadb")]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counts: Counter[str] = Counter()
    for report in terminalreporter.getreports("passed"):
        counts.update({"memory", "mysql", "mariadb"} & report.keywords.keys())
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


@pytest.fixture(params=[MEMORY, *SQL])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    yield from _world(request)


@pytest.fixture(params=SQL)
def sql_world(request: pytest.FixtureRequest) -> Iterator[SqlWorld]:
    yield from _world(request)


def _world(request: pytest.FixtureRequest) -> Iterator[MemoryWorld | SqlWorld]:
    # By name, so that no database is started for the tests of the others.
    is_memory = request.param == "memory"
    world = MemoryWorld() if is_memory else SqlWorld(*request.getfixturevalue(f"{request.param}_way_in"))
    yield world
    world.close()


@pytest.fixture
def handler(world: World) -> SessionHandler:
    """The handler of the server that gets the visitor's request."""
    return world.new_handler()


@pytest.fixture
def other(world: World) -> SessionHandler:
    """The handler of another server."""
    return world.new_handler()


@pytest.fixture(scope="session")
def crowd() -> Iterator[Crowd]:
    with Crowd() as crowd:
        yield crowd
