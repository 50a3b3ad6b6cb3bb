"""The SQL of docs/cleaning.md, run as it stands there: the database cleans by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from deadline import until
from our_worlds import SqlWorld

DOCUMENT = (Path(__file__).parents[2] / "docs/cleaning.md").read_text()
EVENT, SWITCH = re.findall(r"^```sql\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)


@pytest.fixture
def event_world(sql_world: SqlWorld) -> Iterator[SqlWorld]:
    sql_world.admin.ask(SWITCH)
    yield sql_world
    sql_world.admin.ask("DROP EVENT IF EXISTS clean_sessions")
    until(lambda: not runs(sql_world), 10)


def create(world: SqlWorld) -> None:
    # The client interprets DELIMITER itself; the server gets the statement alone.
    (statement,) = re.findall(r"DELIMITER //\n(.*)//\nDELIMITER ;", EVENT, re.DOTALL)
    world.admin.ask(statement)


def runs(world: SqlWorld) -> bool:
    held = world.admin.ask(
        "SELECT IS_USED_LOCK(CONCAT('sessions.clean.', LEFT(SHA2('hopproof', 256), 40))) IS NOT NULL"
    )
    return held == [(1,)]


def was_run(world: SqlWorld) -> bool:
    asked = (
        "SELECT last_executed IS NOT NULL FROM information_schema.events WHERE event_name = 'clean_sessions'"
    )
    return world.admin.ask(asked) == [(1,)]


def test_the_event_removes_every_expired_session_in_batches_and_spares_the_rest(
    event_world: SqlWorld,
) -> None:
    for _ in range(250):
        event_world.put(a=1)
    event_world.age(10_000)
    live = [event_world.put(a=2) for _ in range(3)]
    event_world.new_handler().destroy(event_world.put(a=3))
    create(event_world)

    until(lambda: event_world.row_count() == 4, 20, lambda: f"{event_world.row_count()} rows")
    assert [event_world.new_handler().read(key).data for key in live] == [{"a": 2}] * 3
    until(lambda: not runs(event_world), 10)  # and lets the next one work


def test_the_event_leaves_the_work_to_a_janitor_that_is_at_it(event_world: SqlWorld) -> None:
    event_world.put(a=1)
    event_world.age(10_000)
    with event_world.server.admin() as janitor:
        janitor.ask("SELECT GET_LOCK(CONCAT('sessions.clean.', LEFT(SHA2('hopproof', 256), 40)), 0)")
        create(event_world)
        until(lambda: was_run(event_world), 20)

        assert event_world.row_count() == 1


def test_the_event_waits_for_no_live_session(event_world: SqlWorld) -> None:
    """A DELETE by range would: it locks the first row beyond the range as well."""
    for _ in range(3):
        event_world.put(a=1)
    event_world.age(10_000)
    live = [event_world.put(a=2) for _ in range(3)]
    with event_world.server.admin() as admin:
        admin.ask("BEGIN")
        admin.ask("UPDATE sessions SET expires_at = expires_at + 1 WHERE id IN %s", live)
        create(event_world)

        until(lambda: event_world.row_count() == 3, 20, lambda: f"{event_world.row_count()} rows")
