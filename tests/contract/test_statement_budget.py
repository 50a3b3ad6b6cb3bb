"""The number of statements of each verb, counted by the server on the handler's own connection."""

from dataclasses import replace

import pytest
from worlds import new_key

from hopproof.handler import Change, SessionGone, SessionRefused


class Counted:
    """A handler on a pool of one connection, whose statements the server counts."""

    def __init__(self, world):
        self.pool = replace(world.server.web, connections=1).pool()
        self.handler = world.new_handler(pool=self.pool)

    def statements(self, act):
        before_connection, before = self._so_far()
        self.handler.open()
        act(self.handler)
        self.handler.close()
        connection, after = self._so_far()
        assert connection == before_connection, "a second connection counts from zero"
        return after - before - 2  # less the two questions of this counting

    def _so_far(self):
        connection = self.pool.borrow(5)
        with connection.cursor() as cursor:
            cursor.execute("SELECT CONNECTION_ID()")
            (connection_id,) = cursor.fetchone()
            cursor.execute("SHOW SESSION STATUS LIKE 'Questions'")
            (_, questions) = cursor.fetchone()
        self.pool.give_back(connection)
        return connection_id, int(questions)


CHANGES = {
    "set": Change(set={"a": 2}),
    "set of several": Change(set={"a": 2, "b": 3, "c": 4}),
    "remove": Change(remove=frozenset({"a"})),
    "add": Change(add=("n", 1)),
    "append": Change(append=("list", 1)),
    "everything": Change(set={"a": 2}, remove=frozenset({"b"}), add=("n", 1), user="ada"),
    "expected version": Change(set={"a": 2}, expected_version=1),
    "touch": Change(),
    "login": Change(user="ada", rotate_to=new_key()),
    "login with changes": Change(set={"a": 2}, user="ada", rotate_to=new_key()),
}


def test_an_untouched_session_costs_no_statement_and_no_connection(sql_world):
    class NoPool:
        def borrow(self, seconds):
            raise AssertionError("nobody asked for anything")

    handler = sql_world.new_handler(pool=NoPool())
    handler.open()
    handler.close()


def test_counting_nothing_yields_zero(sql_world):
    assert Counted(sql_world).statements(lambda handler: None) == 0


def test_a_read_costs_one_statement(sql_world):
    key = sql_world.put(a=1)

    assert Counted(sql_world).statements(lambda handler: handler.read(key)) == 1


def test_a_read_of_an_unknown_key_costs_one_statement(sql_world):
    assert Counted(sql_world).statements(lambda handler: handler.read(new_key())) == 1


@pytest.mark.parametrize("change", [pytest.param(change, id=name) for name, change in CHANGES.items()])
def test_a_change_costs_one_statement(sql_world, change):
    key = sql_world.put(a=1, b=2)

    assert Counted(sql_world).statements(lambda handler: handler.write(key, change)) == 1


def test_a_new_session_costs_one_statement(sql_world):
    change = Change(set={"a": 1}, user="ada", create=True)

    assert Counted(sql_world).statements(lambda handler: handler.write(new_key(), change)) == 1


def test_ending_costs_one_statement(sql_world):
    key = sql_world.put(a=1)

    assert Counted(sql_world).statements(lambda handler: handler.destroy(key)) == 1


def test_logging_out_everywhere_costs_one_statement(sql_world):
    for _ in range(3):
        sql_world.put("ada")

    assert Counted(sql_world).statements(lambda handler: handler.end_user("ada")) == 1


def test_a_login_beyond_the_limit_of_a_user_costs_two_statements_more_and_others_one(sql_world):
    keys = [sql_world.put("ada") for _ in range(3)]

    def limit(keep):
        return Counted(sql_world).statements(lambda handler: handler.end_oldest_of_user("ada", keep, keys[0]))

    assert (limit(3), limit(1)) == (1, 2)


def test_listing_the_sessions_of_a_user_costs_one_statement(sql_world):
    assert Counted(sql_world).statements(lambda handler: handler.sessions_of_user("ada")) == 1


def test_ending_one_session_of_a_user_costs_one_statement(sql_world):
    key = sql_world.put("ada")

    assert Counted(sql_world).statements(lambda handler: handler.end_one_of_user("ada", key)) == 1


def test_a_change_of_a_session_that_is_gone_costs_one_more_to_learn_why(sql_world):
    def write_late(handler):
        with pytest.raises(SessionGone):
            handler.write(new_key(), Change(set={"a": 1}))

    assert Counted(sql_world).statements(write_late) == 2


def test_a_change_that_is_not_i_json_costs_no_statement(sql_world):
    def write_badly(handler):
        with pytest.raises(SessionRefused):
            handler.write(new_key(), Change(set={"a": float("nan")}))

    assert Counted(sql_world).statements(write_badly) == 0


def test_a_second_request_reuses_the_connection(sql_world):
    counted = Counted(sql_world)
    key = sql_world.put(a=1)
    counted.statements(lambda handler: handler.read(key))

    assert counted.statements(lambda handler: handler.read(key)) == 1
