"""The outcome for a request whose connection breaks, before or during a statement."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from deadline import until
from our_worlds import PATIENT_S
from worlds import content, new_key

from hopproof.handler import Change, SessionStoreUnavailable
from hopproof.mysql import MySQLHandler

CHANGES = {
    "set": Change(set={"n": 2}),
    "add": Change(add=("n", 1)),
    "remove": Change(remove=frozenset({"n"})),
    "touch": Change(),
    "login": Change(user="ada", rotate_to=new_key()),
    "create": Change(set={"n": 2}, create=True),
}
each_change = pytest.mark.parametrize(
    "change", [pytest.param(change, id=name) for name, change in CHANGES.items()]
)


def connection_of(handler):
    """The id of the connection that a handler holds, as the server knows it."""
    handler.read(bytes(32))
    return handler.connection.held.thread_id()


@pytest.fixture
def pool(sql_world):
    return sql_world.server.web.pool()


@pytest.fixture
def handler(sql_world, pool):
    return sql_world.new_handler(pool=pool)


@contextmanager
def everything_locked(world):
    """Lock the table within the context: every read and write waits, and no lock wait times out."""
    with world.server.admin() as locker:
        locker.ask("LOCK TABLES sessions WRITE")
        yield
        # Explicit, because closing the connection unlocks later.
        locker.ask("UNLOCK TABLES")


def killed_in_the_midst(world, handler, act):
    """Run act in a thread; kill its connection during the statement. Return the future."""
    connection_id = connection_of(handler)
    with ThreadPoolExecutor(1) as executor, everything_locked(world):
        future = executor.submit(act)
        until(lambda: world.admin.sees(connection_id, "Waiting"))
        world.admin.kill(connection_id)
    return future


@pytest.mark.parametrize("change", [Change(set={"n": 2}), Change()], ids=["set", "touch"])
def test_a_connection_that_broke_while_idle_is_noticed_before_a_write(sql_world, pool, handler, change):
    key = sql_world.put(n=1)
    connection_id = connection_of(handler)
    handler.close()
    sql_world.admin.kill(connection_id)
    # The news takes a moment to pass the port that Docker forwards.
    until(pool._idle[0].said_something)
    handler.open()

    handler.write(key, change)
    assert handler.connection.held.thread_id() != connection_id


def test_all_connections_that_broke_while_idle_are_noticed(sql_world, pool):
    """As after a restart of the database."""
    handlers = [sql_world.new_handler(pool=pool) for _ in range(4)]
    connection_ids = [connection_of(handler) for handler in handlers]
    for handler, connection_id in zip(handlers, connection_ids, strict=True):
        handler.close()
        sql_world.admin.kill(connection_id)
    for connection in pool._idle:
        until(connection.said_something)

    late = sql_world.new_handler(pool=pool)
    assert late.write(sql_world.put(n=1), Change(add=("n", 1))) == 2


def test_a_read_that_broke_in_the_midst_is_repeated(sql_world, handler):
    key = sql_world.put(n=1)

    answer = killed_in_the_midst(sql_world, handler, lambda: handler.read(key))

    assert answer.result().data == {"n": 1}


@each_change
def test_a_write_that_broke_in_the_midst_is_an_outage(sql_world, handler, change):
    key = new_key() if change.create else sql_world.put(n=1)

    answer = killed_in_the_midst(sql_world, handler, lambda: handler.write(key, change))

    with pytest.raises(SessionStoreUnavailable):
        answer.result()


def test_a_write_that_broke_in_the_midst_is_not_repeated(sql_world, handler):
    """The write may have happened; repeated, it would count twice."""
    key = sql_world.put(n=1)

    answer = killed_in_the_midst(sql_world, handler, lambda: handler.write(key, Change(add=("n", 1))))

    assert isinstance(answer.exception(), SessionStoreUnavailable)
    assert handler.read(key).data == {"n": 1}


def test_a_logout_that_broke_in_the_midst_is_an_outage(sql_world, handler):
    key = sql_world.put(n=1)

    answer = killed_in_the_midst(sql_world, handler, lambda: handler.destroy(key))

    with pytest.raises(SessionStoreUnavailable):
        answer.result()


def test_a_handler_works_again_after_its_connection_broke(sql_world, handler):
    key = sql_world.put(n=1)
    killed_in_the_midst(sql_world, handler, lambda: handler.write(key, Change(set={"n": 2})))

    handler.write(key, Change(set={"n": 3}))
    assert content(handler, key) == ({"n": 3}, 2, None)


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(lambda handler: handler.read(new_key()), id="read"),
        pytest.param(lambda handler: handler.write(new_key(), Change(set={"n": 1})), id="write"),
    ],
)
def test_a_database_that_does_not_answer_is_an_outage_within_the_deadline(sql_world, pool, act):
    handler = MySQLHandler(pool, deadline_s=0.5)
    handler.open()
    connection_of(handler)

    with everything_locked(sql_world):
        started = time.monotonic()
        with pytest.raises(SessionStoreUnavailable):
            act(handler)
        assert time.monotonic() - started < 20
        handler.close()


def test_a_row_that_somebody_keeps_locked_is_an_outage_and_nothing_is_changed(sql_world):
    key = sql_world.put(n=1)
    handler = sql_world.new_handler(deadline_s=PATIENT_S)
    connection_id = connection_of(handler)
    with sql_world.server.admin() as admin:
        admin.ask("BEGIN")
        admin.ask("SELECT * FROM sessions WHERE id = %s FOR UPDATE", key)

        with pytest.raises(SessionStoreUnavailable, match="Lock wait timeout"):
            handler.write(key, Change(set={"n": 2}))

    assert handler.read(key).data == {"n": 1}
    handler.write(key, Change(set={"n": 3}))
    assert content(handler, key) == ({"n": 3}, 2, None)
    assert handler.connection.held.thread_id() == connection_id


def test_a_row_that_is_locked_for_a_moment_is_waited_for(sql_world):
    key = sql_world.put(n=1)
    handler = sql_world.new_handler()
    connection_id = connection_of(handler)
    with ThreadPoolExecutor(1) as executor, sql_world.server.admin() as admin:
        admin.ask("BEGIN")
        admin.ask("UPDATE sessions SET version = version + 1 WHERE id = %s", key)
        future = executor.submit(handler.write, key, Change(set={"n": 2}))
        until(lambda: sql_world.admin.sees(connection_id, "updating", "Updating"))
        admin.ask("COMMIT")

        assert future.result() is None
    assert content(handler, key) == ({"n": 2}, 3, None)


def test_a_statement_that_lost_a_deadlock_is_repeated(sql_world):
    keys = sorted(sql_world.put("ada") for _ in range(2))
    handler = sql_world.new_handler()
    connection_id = connection_of(handler)
    with ThreadPoolExecutor(1) as executor, sql_world.server.admin() as admin:
        admin.ask("BEGIN")
        # In a deadlock the database undoes the transaction that has changed fewer rows.
        for _ in range(20):
            admin.ask(
                "INSERT INTO sessions (id, version, created_at, expires_at, absolute_at)"
                " VALUES (%s, 1, 0, 0, 0)",
                new_key(),
            )
        admin.ask("SELECT * FROM sessions WHERE id = %s FOR UPDATE", keys[1])
        ended = executor.submit(handler.end_user, "ada")
        until(lambda: sql_world.admin.sees(connection_id, "updating", "Updating", "Searching"))
        admin.ask("SELECT * FROM sessions WHERE id = %s FOR UPDATE", keys[0])
        admin.ask("COMMIT")

        assert ended.result() == 2


def test_a_locked_row_lets_other_sessions_pass(sql_world, handler):
    locked, free = sql_world.put(n=1), sql_world.put(n=1)
    with sql_world.server.admin() as admin:
        admin.ask("BEGIN")
        admin.ask("SELECT * FROM sessions WHERE id = %s FOR UPDATE", locked)

        handler.write(free, Change(set={"n": 2}))
    assert handler.read(free).data == {"n": 2}


def test_a_locked_row_can_still_be_read(sql_world, handler):
    key = sql_world.put(n=1)
    with sql_world.server.admin() as admin:
        admin.ask("BEGIN")
        admin.ask("UPDATE sessions SET data = '{}' WHERE id = %s", key)

        assert handler.read(key).data == {"n": 1}


def test_closing_twice_is_no_error(handler):
    handler.read(new_key())
    handler.close()
    handler.close()


def test_closing_after_the_connection_broke_is_no_error(sql_world, handler):
    sql_world.admin.kill(connection_of(handler))
    with pytest.raises(SessionStoreUnavailable):
        handler.write(new_key(), Change(set={"n": 1}))
    handler.close()


def test_a_connection_that_was_killed_in_use_is_replaced_for_a_read(sql_world, handler):
    key = sql_world.put(n=1)
    sql_world.admin.kill(connection_of(handler))

    assert handler.read(key).data == {"n": 1}
