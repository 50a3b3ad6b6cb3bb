"""A server whose global variables break every promise, unless the handler's connections set their own."""

from __future__ import annotations

import pymysql
import pytest
from worlds import content, new_key

from hopproof.handler import Change, SessionStoreUnavailable
from hopproof.memcached.mysql_switch import MySQLSwitch
from hopproof.mysql.database import SESSION_SETTINGS

HOSTILE = {
    "autocommit": "0",
    "innodb_lock_wait_timeout": "50",
    "lock_wait_timeout": "31536000",
    "sql_mode": "'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT'",
    "time_zone": "'-07:00'",
    "sql_select_limit": "1",
    "sql_safe_updates": "1",
    "sql_big_selects": "0",
    "max_join_size": "1",
}


@pytest.fixture
def hostile_world(sql_world):
    """The world, with a pool that connects to a server whose globals are hostile."""
    with sql_world.server.admin() as admin:
        before = {name: admin.ask(f"SELECT @@GLOBAL.{name}")[0][0] for name in HOSTILE}
        for name, value in HOSTILE.items():
            admin.ask(f"SET GLOBAL {name} = {value}")
        admin.ask("SET GLOBAL TRANSACTION ISOLATION LEVEL READ UNCOMMITTED, READ ONLY")
        yield sql_world
        for name, value in before.items():
            admin.ask(f"SET GLOBAL {name} = %s", value)
        admin.ask("SET GLOBAL TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ WRITE")


@pytest.fixture
def handler(hostile_world):
    return hostile_world.new_handler(pool=hostile_world.server.web.pool())


def test_an_acknowledged_change_is_there_for_everybody(hostile_world, handler):
    key = new_key()
    handler.write(key, Change(set={"n": 1}, create=True))
    handler.write(key, Change(add=("n", 1)))

    assert content(hostile_world.new_handler(), key) == ({"n": 2}, 2, None)


def test_a_logout_is_there_for_everybody(hostile_world, handler):
    key = hostile_world.put(n=1)
    handler.destroy(key)

    assert hostile_world.new_handler().read(key) is None


def test_quotes_and_backslashes_come_back_as_they_were(handler):
    key, data = new_key(), {"it's \\": "a \"quoted\" 'word', \\n and \\"}
    handler.write(key, Change(set=data, create=True))
    handler.write(key, Change(set={"\\'": "'; DROP TABLE sessions; --"}))

    assert handler.read(key).data == data | {"\\'": "'; DROP TABLE sessions; --"}


def test_a_read_shows_nothing_that_is_not_committed(hostile_world, handler):
    key = hostile_world.put(n=1)
    with hostile_world.server.admin() as admin:
        admin.ask("START TRANSACTION READ WRITE")
        admin.ask("UPDATE sessions SET data = '{}' WHERE id = %s", key)

        assert handler.read(key).data == {"n": 1}
        admin.ask("ROLLBACK")


def test_all_sessions_of_a_user_are_listed_and_ended(hostile_world, handler):
    for _ in range(3):
        hostile_world.put("ada")

    assert len(handler.sessions_of_user("ada")) == 3
    assert handler.end_user("ada") == 3


def test_a_login_moves_the_session(hostile_world, handler):
    old, new = hostile_world.put(n=1), new_key()
    handler.write(old, Change(user="ada", rotate_to=new))

    assert content(hostile_world.new_handler(), new) == ({"n": 1}, 2, "ada")


def test_cleaning_removes_every_expired_session(hostile_world, handler):
    for _ in range(3):
        hostile_world.put()
    hostile_world.age(1800)

    assert handler.clean() == 3
    assert hostile_world.row_count() == 0


def test_the_switch_is_turned_off_for_everybody(hostile_world, handler):
    MySQLSwitch(handler).turn_off(100)

    assert MySQLSwitch(hostile_world.new_handler()).look().off_s > 50
    hostile_world.admin.ask("UPDATE cache_switch SET off_until = 0")


def test_a_locked_table_is_given_up_by_the_server_too(hostile_world):
    """Else the statement of a request that got its error long ago would be carried out in the end."""
    connection = hostile_world.server.web.pool().borrow(20)
    key = hostile_world.put(n=1)
    with hostile_world.server.admin() as locker:
        locker.ask("FLUSH TABLES WITH READ LOCK")
        with pytest.raises(pymysql.err.OperationalError, match="Lock wait timeout"):
            connection.ask("UPDATE sessions SET data = '{}' WHERE id = %(key)s", {"key": key})
        locker.ask("UNLOCK TABLES")

    assert hostile_world.new_handler().read(key).data == {"n": 1}


def test_every_setting_that_a_promise_rests_on_is_the_connections_own(hostile_world):
    connection = hostile_world.server.web.pool().borrow(20)
    asked = ", ".join(f"@@SESSION.{name}" for name in SESSION_SETTINGS)
    rows = connection.ask(f"SELECT {asked}", {}).rows

    expected = [value.strip("'") for value in SESSION_SETTINGS.values()]
    assert list(map(str, rows[0])) == expected
    names = ["tx_isolation", "tx_read_only"]
    if "MariaDB" not in connection.get_server_info():
        names = ["transaction_isolation", "transaction_read_only"]
    rows = connection.ask("SELECT " + ", ".join(f"@@SESSION.{name}" for name in names), {}).rows
    assert rows == (("REPEATABLE-READ", 0),)


# A server that is not the primary any more, or is leaving


@pytest.fixture
def pool(sql_world):
    return sql_world.server.web.pool()


@pytest.mark.parametrize("code", [1053, 1290, 1792, 1836, 1927, 3032, 3100, 6400])
def test_a_connection_that_leads_to_the_wrong_server_is_dropped(sql_world, pool, code):
    handler = sql_world.new_handler(pool=pool)
    with pytest.raises(SessionStoreUnavailable):
        handler.connection.ask(f"SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {code}, MESSAGE_TEXT = 'gone'")

    assert handler.connection.held is None
    assert pool._idle == []
    assert handler.read(new_key()) is None


def test_any_other_error_of_a_statement_keeps_the_connection(sql_world, pool):
    handler = sql_world.new_handler(pool=pool)
    with pytest.raises(SessionStoreUnavailable):
        handler.connection.ask("SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1644, MESSAGE_TEXT = 'no'")

    assert handler.connection.held is not None


def test_a_read_only_server_is_an_outage_for_writes_and_keeps_no_connection(sql_world, pool):
    key = sql_world.put(n=1)
    handler = sql_world.new_handler(pool=pool)
    sql_world.admin.ask("SET GLOBAL read_only = ON")
    try:
        with pytest.raises(SessionStoreUnavailable, match=r"read[-_]only"):
            handler.write(key, Change(set={"n": 2}))
        assert handler.connection.held is None
        assert handler.read(key).data == {"n": 1}
    finally:
        sql_world.admin.ask("SET GLOBAL read_only = OFF")

    handler.write(key, Change(set={"n": 3}))
    assert handler.read(key).data == {"n": 3}
