import os
import threading
import time
from dataclasses import replace

import pymysql
import pytest
from deadline import until
from worlds import new_key

from hopproof.handler import Change, SessionConflict, SessionGone, SessionRefused, SessionStoreUnavailable


@pytest.fixture
def one(sql_world):
    """A pool of one connection: if a test keeps it, the next borrow fails."""
    return replace(sql_world.server.web, connections=1).pool()


def test_waiting_for_a_connection_ends_with_the_deadline(sql_world, one):
    sql_world.new_handler(pool=one).read(new_key())
    second = sql_world.new_handler(pool=one, deadline_s=0.3)
    started = time.monotonic()

    with pytest.raises(SessionStoreUnavailable, match="in use"):
        second.read(new_key())
    assert time.monotonic() - started < 20


def test_a_connection_that_is_given_back_serves_the_one_who_waits(sql_world, one):
    first, second = sql_world.new_handler(pool=one), sql_world.new_handler(pool=one)
    first.read(new_key())
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(second.read(new_key())))
    waiting.start()
    first.close()
    waiting.join(10)

    assert answers == [None]


def test_a_pool_keeps_at_most_its_number_of_connections(sql_world):
    pool = replace(sql_world.server.web, connections=2).pool()
    for _ in range(5):
        handlers = [sql_world.new_handler(pool=pool) for _ in range(2)]
        for handler in handlers:
            handler.read(new_key())
        for handler in handlers:
            handler.close()

    assert len(pool._idle) == 2


def overtake(handler, key):
    handler.write(key, Change(set={"a": 2}, expected_version=7))


def create_twice(handler, key):
    handler.write(key, Change(create=True))


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (lambda handler, key: handler.write(new_key(), Change(set={"a": 1})), SessionGone),
        (overtake, SessionConflict),
        (create_twice, SessionConflict),
        (lambda handler, key: handler.write(key, Change(add=("a", 1))), SessionRefused),
        (lambda handler, key: handler.write(key, Change(set={"a": "x" * 80 * 1024})), SessionRefused),
        (lambda handler, key: handler.write(key, Change(set={"a": float("nan")})), SessionRefused),
        (lambda handler, key: handler.write(key, Change(set={"\ud800": 1})), SessionRefused),
    ],
    ids=["gone", "overtaken", "taken", "wrong type", "too large", "not I-JSON", "bad key"],
)
def test_a_request_that_fails_gives_its_connection_back(sql_world, one, act, error):
    key = sql_world.put(a="text")
    failing = sql_world.new_handler(pool=one)
    failing.read(key)
    with pytest.raises(error):
        act(failing, key)
    failing.close()

    assert sql_world.new_handler(pool=one, deadline_s=1).read(key).data == {"a": "text"}


def test_a_connection_that_was_killed_makes_room_for_another(sql_world, one):
    handler = sql_world.new_handler(pool=one)
    handler.read(new_key())
    sql_world.admin.ask(f"KILL {handler.connection.held.thread_id()}")
    with pytest.raises(SessionStoreUnavailable):
        handler.write(new_key(), Change())
    handler.close()

    assert sql_world.new_handler(pool=one, deadline_s=5).read(new_key()) is None


def test_a_wrong_password_does_not_use_up_the_connections(sql_world):
    pool = replace(sql_world.server.web, connections=1, password="wrong").pool()
    for _ in range(3):
        with pytest.raises(SessionStoreUnavailable, match="Access denied"):
            sql_world.new_handler(pool=pool, deadline_s=5).read(new_key())


def test_a_missing_table_is_an_outage_and_not_an_empty_session(sql_world):
    pool = replace(sql_world.server.root, name="mysql").pool()

    with pytest.raises(SessionStoreUnavailable, match="doesn't exist"):
        sql_world.new_handler(pool=pool).read(new_key())


def in_a_fork(act):
    """Return what act returns in a forked child."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, repr(act()).encode())
        except BaseException as error:
            os.write(writing, repr(error).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answers:
        answer = answers.read().decode()
    os.waitpid(child, 0)
    return answer


# Python warns of fork in a process with threads. The child here only talks to the database and ends.
forks = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def thread_id_of_a_read(world, pool):
    handler = world.new_handler(pool=pool)
    handler.read(new_key())
    thread_id = handler.connection.held.thread_id()
    handler.close()
    return thread_id


@forks
def test_a_forked_server_gets_a_connection_of_its_own(sql_world, one):
    of_parent = thread_id_of_a_read(sql_world, one)

    of_child = in_a_fork(lambda: thread_id_of_a_read(sql_world, one))
    assert of_child.isdigit(), of_child
    assert int(of_child) != of_parent


@forks
def test_a_forked_server_leaves_its_parents_connection_alone(sql_world, one):
    parents = thread_id_of_a_read(sql_world, one)
    in_a_fork(lambda: thread_id_of_a_read(sql_world, one))

    assert thread_id_of_a_read(sql_world, one) == parents


@forks
def test_a_forked_server_does_not_wait_for_connections_that_its_parent_uses(sql_world, one):
    sql_world.new_handler(pool=one).read(new_key())

    assert in_a_fork(lambda: thread_id_of_a_read(sql_world, one)).isdigit()


def test_a_shorter_deadline_bounds_a_statement(sql_world, one):
    """Guards the driver's private names: were they renamed, allow would do nothing."""
    connection = one.borrow(60)
    connection.allow(0.2)
    started = time.monotonic()

    with pytest.raises(pymysql.err.OperationalError, match="timed out"), connection.cursor() as cursor:
        cursor.execute("SELECT SLEEP(60)")
    assert time.monotonic() - started < 20


def test_a_longer_deadline_lets_a_statement_finish(sql_world, one):
    connection = one.borrow(0.4)
    connection.allow(20)
    with connection.cursor() as cursor:
        cursor.execute("SELECT SLEEP(0.6)")

        assert cursor.fetchone() == (0,)


def test_an_idle_connection_says_nothing(sql_world, one):
    connection = one.borrow(5)

    assert not connection.said_something()


def test_a_closed_connection_is_not_lent_again(sql_world, one):
    connection = one.borrow(5)
    connection.close()

    assert connection.said_something()


def test_a_connection_that_the_server_closes_says_so(sql_world, one):
    connection = one.borrow(5)
    sql_world.admin.ask(f"KILL {connection.thread_id()}")

    until(connection.said_something)


def test_a_closed_handler_borrows_nothing(sql_world):
    handler = sql_world.new_handler()
    handler.close()

    with pytest.raises(RuntimeError, match="between open and close"):
        handler.read(new_key())
    assert handler.connection.held is None
