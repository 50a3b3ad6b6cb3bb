"""The statements of docs/row-contract.md, copied from the page, beside the Python handler."""

import hashlib
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql
import pytest
from worlds import content, new_key

from hopproof.handler import Change, Lifetimes, SessionGone
from hopproof.limits import MAX_INTEGER
from hopproof.mysql.changing import _path
from hopproof.web import key_of

PAGE = Path(__file__).parents[2] / "docs/row-contract.md"
BLOCKS = re.findall(r"^```sql\n-- (.+)\n([\s\S]+?)\n```$", PAGE.read_text(), re.MULTILINE)
STATEMENTS = {name: re.sub(r":(\w+)", r"%(\1)s", text) for name, text in BLOCKS}
LIFETIMES = Lifetimes()


@dataclass
class Foreigner:
    """A program in another language: it has the page and a driver, and is the servers' database user."""

    connection: Any

    def run(self, name: str, **parameters: Any) -> int:
        """Run a statement of the page and return how many rows it matched or found."""
        with self.connection.cursor() as cursor:
            found = cursor.execute(STATEMENTS[name], self._settings | parameters)
            self.rows, self.carried = cursor.fetchall(), cursor.lastrowid
        return found

    def change(self, name: str, key: bytes, path: str = "", value: str = "", **parameters: Any) -> bool:
        grows_by = len(path.encode()) + len(value.encode()) + 16
        return self.run(name, key=key, path=path, value=value, grows_by=grows_by, **parameters) == 1

    _settings = {  # noqa: RUF012
        "idle_s": LIFETIMES.idle_s,
        "absolute_s": LIFETIMES.absolute_s,
        "tombstone_s": LIFETIMES.tombstone_s,
        "max_bytes": 65536,
    }


def foreigner_in(world):
    server = world.server.web
    return Foreigner(
        pymysql.connect(
            host=server.host,
            port=server.port,
            user=server.user,
            password=server.password,
            database=server.name,
            autocommit=True,
            ssl_disabled=True,
            client_flag=pymysql.constants.CLIENT.FOUND_ROWS,
        )
    )


@pytest.fixture
def foreigner(sql_world):
    foreigner = foreigner_in(sql_world)
    yield foreigner
    foreigner.connection.close()


@pytest.fixture
def handler(sql_world):
    return sql_world.new_handler()


def created(foreigner, user=None, data='{"n":1}'):
    key = new_key()
    foreigner.run("create", key=key, data=data, user=user)
    return key


def test_every_statement_of_the_page_is_tried_here():
    tried = set(re.findall(r'(?:run|change)\(\s*"([a-z ]+)"', Path(__file__).read_text()))

    assert tried == STATEMENTS.keys()


def test_the_key_is_the_hash_of_the_cookies_text():
    cookie = "A" * 43
    assert key_of(cookie) == hashlib.sha256(cookie.encode()).digest()


def test_what_a_foreigner_creates_the_handler_reads(foreigner, handler):
    key = created(foreigner, "ada", '{"cart":["tea"],"n":1}')

    assert content(handler, key) == ({"cart": ["tea"], "n": 1}, 1, "ada")
    assert handler.read(key).ttl_s == pytest.approx(LIFETIMES.idle_s, abs=15)
    assert handler.read(key).extendable_s <= 30


def test_a_foreigner_cannot_create_what_was_ended(foreigner, handler):
    key = created(foreigner)
    handler.destroy(key)

    with pytest.raises(pymysql.err.IntegrityError):
        foreigner.run("create", key=key, data="{}", user=None)
    assert handler.read(key) is None


def test_what_the_handler_writes_a_foreigner_reads(sql_world, foreigner):
    key = sql_world.put("ada", n=1)

    assert foreigner.run("read", key=key) == 1
    data, version, user, ttl_s = foreigner.rows[0]
    assert (data.replace(" ", ""), version, user) == ('{"n":1}', 1, b"ada")
    assert ttl_s == pytest.approx(LIFETIMES.idle_s, abs=15)


def test_a_foreigner_reads_nothing_of_an_ended_or_expired_session(sql_world, foreigner, handler):
    ended, expired = sql_world.put(n=1), sql_world.put(n=1)
    handler.destroy(ended)

    assert foreigner.run("read", key=ended) == 0
    sql_world.age(10_000)
    assert foreigner.run("read", key=expired) == 0


@pytest.mark.parametrize("name", ["a", "", 'c"\\', "d.e", "[0]", "*", "é", "🍵", "-minus", "\0", "a b"])
def test_names_are_the_same_for_both(foreigner, handler, name):
    key = created(foreigner)

    assert foreigner.change("set", key, _path(name), '{"x":[1,2.5,null,true,"é"]}')
    assert handler.read(key).data == {"n": 1, name: {"x": [1, 2.5, None, True, "é"]}}
    handler.write(key, Change(set={name: 2}))
    assert foreigner.change("remove", key, _path(name))
    assert content(handler, key) == ({"n": 1}, 4, None)


def test_both_count_on_one_counter(foreigner, handler):
    key = created(foreigner, data="{}")

    for total in (1, 3, 5):
        assert foreigner.change("add", key, '$."n"', n=1)
        assert foreigner.carried == total
        assert handler.write(key, Change(add=("n", 1))) == total + 1


@pytest.mark.parametrize("value", ['"1"', "1.5", "1.0", "[]", "null", "true", str(MAX_INTEGER)])
def test_a_foreigner_counts_nothing_but_integers_that_fit(foreigner, handler, value):
    key = created(foreigner, data=f'{{"n":{value}}}')

    assert not foreigner.change("add", key, '$."n"', n=1)
    assert handler.read(key).version == 1


def test_both_append_to_one_list(foreigner, handler):
    key = created(foreigner, data="{}")

    assert foreigner.change("append", key, '$."list"', '{"a":1}')
    assert handler.write(key, Change(append=("list", "b"))) == 2
    assert foreigner.change("append", key, '$."list"', "[3]")
    assert handler.read(key).data == {"list": [{"a": 1}, "b", [3]]}


def test_a_foreigner_appends_to_nothing_but_lists(foreigner, handler):
    assert not foreigner.change("append", created(foreigner), '$."n"', "1")


@pytest.mark.parametrize("verb", ["set", "append"])
def test_a_foreigner_cannot_make_a_session_too_large(foreigner, handler, verb):
    key = created(foreigner)
    value = '"' + "x" * 40_000 + '"'

    assert foreigner.change(verb, key, '$."a"', value)
    assert not foreigner.change(verb, key, '$."b"', value)
    assert handler.read(key).data.keys() == {"n", "a"}


def test_a_touch_moves_the_expiry_forward_and_nothing_else(sql_world, foreigner, handler):
    key = created(foreigner)
    sql_world.age(100)

    assert foreigner.change("touch", key)
    assert handler.read(key).ttl_s == pytest.approx(LIFETIMES.idle_s, abs=15)
    assert content(handler, key) == ({"n": 1}, 1, None)


CHANGES = [("set", '$."a"', "1"), ("remove", '$."n"', ""), ("add", '$."n"', ""), ("append", '$."l"', "1")]


@pytest.mark.parametrize(("verb", "path", "value"), [*CHANGES, ("touch", "", "")])
def test_no_change_moves_the_expiry_back_or_beyond_its_end(sql_world, foreigner, handler, verb, path, value):
    key = created(foreigner)
    sql_world.admin.ask("UPDATE sessions SET expires_at = expires_at + 5000, absolute_at = expires_at")
    assert foreigner.change(verb, key, path, value, n=1)
    assert handler.read(key).ttl_s == pytest.approx(LIFETIMES.idle_s + 5000, abs=15)

    sql_world.admin.ask(
        "UPDATE sessions SET expires_at = UNIX_TIMESTAMP() + 50, absolute_at = expires_at + 50"
    )
    assert foreigner.change(verb, key, path, value, n=1)
    assert handler.read(key).ttl_s == pytest.approx(100, abs=15)


def test_a_session_that_rotates_is_dead_under_the_old_key(foreigner, handler):
    key, after = created(foreigner), new_key()

    assert foreigner.run("rotate", key=key, new_key=after, user="ada") > 0
    assert content(handler, after) == ({"n": 1}, 2, "ada")
    with pytest.raises(SessionGone) as gone:
        handler.write(key, Change(set={"a": 1}))
    assert gone.value.ended


def test_a_rotation_to_another_user_leaves_the_data_behind(foreigner, handler):
    key, after = created(foreigner, "alice"), new_key()

    assert foreigner.run("rotate", key=key, new_key=after, user="bob") > 0
    assert content(handler, after) == ({}, 2, "bob")


def test_a_rotation_to_a_key_that_is_taken_changes_nothing(foreigner, handler):
    key, taken = created(foreigner), created(foreigner)

    with pytest.raises(pymysql.err.IntegrityError):
        foreigner.run("rotate", key=key, new_key=taken, user="ada")
    assert [content(handler, one) for one in (key, taken)] == [({"n": 1}, 1, None)] * 2


def test_what_a_foreigner_destroys_is_dead_and_remembered(sql_world, foreigner, handler):
    key = created(foreigner, "ada")

    assert foreigner.change("destroy", key)
    assert not foreigner.change("destroy", key)
    with pytest.raises(SessionGone) as gone:
        handler.write(key, Change(set={"a": 1}))
    assert gone.value.ended
    sql_world.age(LIFETIMES.tombstone_s + 1)
    assert handler.clean() == 1


def test_a_foreigner_ends_all_of_a_user_and_nobody_else(foreigner, handler):
    keys = [created(foreigner, user) for user in ("ada", "ada", "bob")]

    assert foreigner.run("destroy everywhere", user="ada") == 2
    assert [handler.read(key) is None for key in keys] == [True, True, False]


@pytest.mark.parametrize(("verb", "path", "value"), [*CHANGES, ("touch", "", "")])
def test_a_foreigner_revives_nothing_and_learns_why(sql_world, foreigner, handler, verb, path, value):
    ended = created(foreigner)
    handler.destroy(ended)

    assert not foreigner.change(verb, ended, path, value, n=1)
    assert foreigner.run("why", key=ended) == 1
    assert foreigner.rows == ((1,),)
    sql_world.age(10_000)
    assert not foreigner.change(verb, ended, path, value, n=1)
    assert foreigner.run("why", key=ended) == 0


def test_a_dead_session_does_not_rotate(foreigner, handler):
    key, after = created(foreigner), new_key()
    handler.destroy(key)

    assert foreigner.run("rotate", key=key, new_key=after, user="ada") == 0
    assert handler.read(after) is None


@pytest.mark.parametrize(("verb", "path", "value"), CHANGES)
def test_a_broken_row_stays_as_it_is(sql_world, foreigner, verb, path, value):
    key = created(foreigner, data="[1]")

    assert not foreigner.change(verb, key, path, value, n=1)
    assert sql_world.admin.ask("SELECT data, version FROM sessions") == [("[1]", 1)]


def test_no_server_serves_a_copy_of_what_a_foreigner_changed(cached_world):
    key = cached_world.put(n=1)
    server = cached_world.new_handler()
    foreigner = foreigner_in(cached_world.behind)
    assert server.read(key).data == {"n": 1}

    foreigner.run("copies off", seconds=15)
    time.sleep(1.1)  # as the page says
    assert foreigner.change("set", key, '$."n"', "2")
    foreigner.connection.close()

    server.open()
    assert server.read(key).data == {"n": 2}
