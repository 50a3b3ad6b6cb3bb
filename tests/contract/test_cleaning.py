from concurrent.futures import ThreadPoolExecutor

import pytest
from deadline import until

from hopproof.handler import SessionConflict, SessionStoreUnavailable


def test_cleaning_removes_expired_sessions_and_tells_how_many(world, handler):
    for _ in range(3):
        world.put(a=1)
    world.age(10_000)

    assert handler.clean() == 3
    assert world.row_count() == 0


def test_cleaning_removes_more_rows_than_the_packets_of_an_answer_have_numbers(sql_world):
    for _ in range(600):  # a packet number has 256 values, then it begins again
        sql_world.put()
    sql_world.age(10_000)

    assert sql_world.new_handler(clean_batch=500).clean() == 600


def test_cleaning_spares_every_live_session(world, handler):
    world.put(a=1)
    world.age(10_000)
    live = [world.put("ada", a=2), world.put()]
    handler.clean()

    assert [handler.read(key).data for key in live] == [{"a": 2}, {}]


def test_cleaning_spares_a_session_in_its_last_seconds(world, handler):
    key = world.put(a=1)
    world.age(1795)

    assert handler.clean() == 0
    assert handler.read(key).data == {"a": 1}


def test_cleaning_spares_a_tombstone_while_it_is_needed(world, handler):
    handler.destroy(world.put(a=1))

    assert handler.clean() == 0
    assert world.row_count() == 1


def test_cleaning_removes_a_tombstone_afterwards(world, handler):
    handler.destroy(world.put(a=1))
    world.age(61)

    assert handler.clean() == 1
    assert world.row_count() == 0


def test_cleaning_nothing_is_no_error(handler):
    assert handler.clean() == 0


def test_cleaning_again_finds_nothing(world, handler, other):
    world.put(a=1)
    world.age(10_000)
    handler.clean()

    assert other.clean() == 0


@pytest.mark.parametrize("expired", [4, 5, 6, 10, 23], ids="{}_expired".format)
def test_cleaning_takes_as_many_batches_of_five_as_it_needs(sql_world, expired):
    for _ in range(expired):
        sql_world.put(a=1)
    sql_world.age(10_000)
    live = sql_world.put(a=2)
    handler = sql_world.new_handler(clean_batch=5)

    assert handler.clean() == expired
    assert handler.read(live).data == {"a": 2}


def test_a_cleaner_leaves_the_work_to_one_that_is_at_it(sql_world):
    sql_world.put(a=1)
    sql_world.age(10_000)

    with sql_world.server.admin() as admin:
        admin.ask("SELECT GET_LOCK(CONCAT('sessions.clean.', LEFT(SHA2('hopproof', 256), 40)), 0)")
        with pytest.raises(SessionConflict, match="another cleaner"):
            sql_world.new_handler().clean()
    assert sql_world.row_count() == 1


def test_cleaning_with_a_grace_spares_what_expired_within_it(world):
    key = world.put(a=1)
    world.age(1800 + 3590)
    patient = world.new_handler(clean_grace_s=3600)

    assert patient.clean() == 0
    assert world.row_count() == 1
    assert patient.read(key) is None  # dead all the same


def test_cleaning_with_a_grace_removes_what_expired_before_it(world):
    world.put(a=1)
    world.age(1800 + 3600)

    assert world.new_handler(clean_grace_s=3600).clean() == 1
    assert world.row_count() == 0


def test_cleaning_that_is_told_to_stop_ends_after_its_batch_and_leaves_the_rest_to_the_next(sql_world):
    for _ in range(12):
        sql_world.put(a=1)
    sql_world.age(10_000)

    assert sql_world.new_handler(clean_batch=5, should_continue=lambda: False).clean() == 5
    assert sql_world.new_handler(clean_batch=5).clean() == 7


def test_cleaning_waits_for_no_live_session(sql_world):
    """A DELETE by range would: it locks the first row beyond the range as well."""
    for _ in range(3):
        sql_world.put(a=1)
    sql_world.age(10_000)
    live = [sql_world.put(a=2) for _ in range(3)]
    with sql_world.server.admin() as admin:
        admin.ask("BEGIN")
        admin.ask("UPDATE sessions SET expires_at = expires_at + 1 WHERE id IN %s", live)

        assert sql_world.new_handler().clean() == 3


def test_cleaning_spares_a_session_that_was_touched_while_it_looked(sql_world):
    key = sql_world.put(a=1)
    sql_world.age(1800)
    handler = sql_world.new_handler()
    handler.read(key)
    connection_id = handler.connection.held.thread_id()
    with sql_world.server.admin() as admin, ThreadPoolExecutor(1) as executor:
        admin.ask("BEGIN")
        admin.ask("UPDATE sessions SET expires_at = expires_at + 1000 WHERE id = %s", key)
        removed = executor.submit(handler.clean)
        until(lambda: sql_world.admin.sees(connection_id, "updating", "Updating"))
        admin.ask("COMMIT")

        assert removed.result() == 0
    assert handler.read(key).data == {"a": 1}


def test_a_cleaner_lets_the_next_one_work(sql_world):
    sql_world.new_handler().clean()

    with sql_world.server.admin() as admin:
        assert admin.ask(
            "SELECT IS_FREE_LOCK(CONCAT('sessions.clean.', LEFT(SHA2('hopproof', 256), 40)))"
        ) == [(1,)]


def test_a_cleaner_that_fails_lets_the_next_one_work(sql_world):
    key = sql_world.put(a=1)
    sql_world.age(10_000)
    handler = sql_world.new_handler()
    handler.read(key)
    connection_id = handler.connection.held.thread_id()
    with sql_world.server.admin() as admin, ThreadPoolExecutor(1) as executor:
        admin.ask("BEGIN")
        admin.ask("SELECT * FROM sessions FOR UPDATE")
        removed = executor.submit(handler.clean)
        until(lambda: sql_world.admin.sees(connection_id, "updating", "Updating"))
        sql_world.admin.ask(f"KILL QUERY {connection_id}")

        assert isinstance(removed.exception(), SessionStoreUnavailable)
    assert sql_world.admin.ask(
        "SELECT IS_FREE_LOCK(CONCAT('sessions.clean.', LEFT(SHA2('hopproof', 256), 40)))"
    ) == [(1,)]


def test_a_cleaner_needs_no_more_rights_than_to_look_and_to_remove(sql_world):
    sql_world.put(a=1)
    sql_world.age(10_000)

    assert sql_world.new_handler(pool=sql_world.server.janitor.pool()).clean() == 1
