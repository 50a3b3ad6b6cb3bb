"""An unreachable database. The tests need no container."""

import socket
import time

import pytest
from worlds import new_key

from hopproof.handler import Change, SessionStoreUnavailable
from hopproof.mysql import Database, MySQLHandler
from hopproof.mysql.connection import Connection

DEADLINE_S = 0.5
# A slow machine's time, far below for ever.
GENEROUS_S = 20

VERBS = {
    "read": lambda handler: handler.read(new_key()),
    "write": lambda handler: handler.write(new_key(), Change(set={"a": 1})),
    "create": lambda handler: handler.write(new_key(), Change(set={"a": 1}, create=True)),
    "touch": lambda handler: handler.write(new_key(), Change()),
    "destroy": lambda handler: handler.destroy(new_key()),
    "sessions_of_user": lambda handler: handler.sessions_of_user("ada"),
    "end_one_of_user": lambda handler: handler.end_one_of_user("ada", new_key()),
    "end_user": lambda handler: handler.end_user("ada"),
    "end_oldest_of_user": lambda handler: handler.end_oldest_of_user("ada", 1, new_key()),
    "clean": lambda handler: handler.clean(),
}
each_verb = pytest.mark.parametrize("verb", [pytest.param(verb, id=name) for name, verb in VERBS.items()])


def handler_at(port, connections=8):
    handler = MySQLHandler(
        Database("127.0.0.1", port, "hopproof", "web", "secret", connections).pool(), deadline_s=DEADLINE_S
    )
    handler.open()
    return handler


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@each_verb
def test_a_refused_connection_is_an_outage(verb):
    with pytest.raises(SessionStoreUnavailable):
        verb(handler_at(free_port()))


@each_verb
def test_a_server_that_accepts_and_stays_silent_is_an_outage_within_the_deadline(silent_port, verb):
    handler = handler_at(silent_port)
    started = time.monotonic()

    with pytest.raises(SessionStoreUnavailable):
        verb(handler)
    assert time.monotonic() - started < GENEROUS_S


def test_a_second_verb_of_the_same_request_has_no_second_deadline(silent_port):
    handler = handler_at(silent_port)
    with pytest.raises(SessionStoreUnavailable):
        handler.read(new_key())

    with pytest.raises(SessionStoreUnavailable, match="used up"):
        handler.read(new_key())


def test_the_next_request_has_a_deadline_of_its_own():
    handler = handler_at(free_port())
    handler.connection._left_s = 0
    handler.open()

    with pytest.raises(SessionStoreUnavailable, match="Can't connect"):
        handler.read(new_key())


def test_an_outage_does_not_use_up_the_connections():
    handler = handler_at(free_port(), connections=1)
    for _ in range(3):
        with pytest.raises(SessionStoreUnavailable, match="Can't connect"):
            handler.read(new_key())


def test_a_host_that_cannot_be_found_is_an_outage():
    handler = MySQLHandler(Database("database.invalid", 3306, "a", "b", "c").pool(), deadline_s=5)
    handler.open()

    with pytest.raises(SessionStoreUnavailable):
        handler.read(new_key())


def test_closing_during_an_outage_is_no_error():
    handler = handler_at(free_port())
    with pytest.raises(SessionStoreUnavailable):
        handler.read(new_key())
    handler.close()
    handler.close()


def test_an_outage_tells_what_was_attempted_and_no_password():
    with pytest.raises(SessionStoreUnavailable) as outage:
        handler_at(free_port()).read(new_key())

    assert "session table" in str(outage.value)
    assert "secret" not in repr(outage.value) + repr(outage.value.__cause__)


def test_the_password_shows_in_no_representation():
    database = Database("db", 3306, "hopproof", "web", "secret")

    assert "secret" not in repr(database) + repr(database.pool()) + repr(MySQLHandler(database.pool()))


def test_a_new_deadline_bounds_how_long_a_full_line_is_waited_for():
    """Guards the driver's private names: were they renamed, allow would do nothing."""
    here, there = socket.socketpair()
    with here, there:
        connection = Connection(defer_connect=True, read_timeout=60, write_timeout=60)
        connection._sock = here
        connection._current_timeout = None
        connection.allow(0.2)
        started = time.monotonic()

        with pytest.raises(Exception, match="gone away"):
            connection._write_bytes(b"x" * 10_000_000)
        assert time.monotonic() - started < GENEROUS_S
