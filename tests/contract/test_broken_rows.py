"""Rows that another program wrote, past the handler, and wrote wrongly."""

import pytest
from worlds import new_key

from hopproof.handler import Change, SessionBroken, SessionGone

LIVE = {
    "data": '{"n": 1}',
    "version": 1,
    "user": b"ada",
    "created_at": -60,
    "expires_at": 600,
    "absolute_at": 900,
}
BROKEN = {
    "an array": {"data": "[1]"},
    "a string": {"data": '"x"'},
    "a number": {"data": "7"},
    "null": {"data": "null"},
    "version 0": {"version": 0},
    "no next version": {"version": 2**32 - 1},
    "ends before it began": {"created_at": 700},
    "ends after its absolute end": {"absolute_at": 300},
}
# A reader notices these. A change, which neither reads nor writes the name, does not.
BROKEN_NAMES = {
    "no UTF-8": {"user": b"ad\xff"},
    "half a character": {"user": b"\xe6\x97"},
    "no name": {"user": b""},
}
# MariaDB keeps JSON as text, and checks it only if it is told to.
NO_JSON = ["", '{"n": 1', '{"n": [1, ', "nonsense", '{"n": NaN}', '{"n": 1} and more']
CHANGES = [
    pytest.param(Change(set={"a": 2}), id="set"),
    pytest.param(Change(remove=frozenset({"n"})), id="remove"),
    pytest.param(Change(add=("n", 1)), id="add"),
    pytest.param(Change(append=("list", 1)), id="append"),
    pytest.param(Change(user="eve", rotate_to=new_key()), id="login"),
    pytest.param(Change(set={"a": 2}, expected_version=1), id="expected version"),
]


def put_row(world, **wrong):
    """Return the key of a live row with the given wrong columns. Times: seconds from now."""
    row, key = {**LIVE, **wrong}, new_key()
    world.admin.ask(
        "INSERT INTO sessions (id, data, version, `user`, created_at, expires_at, absolute_at) VALUES "
        "(%s, %s, %s, %s, UNIX_TIMESTAMP() + %s, UNIX_TIMESTAMP() + %s, UNIX_TIMESTAMP() + %s)",
        key,
        *row.values(),
    )
    return key


def row_of(world, key):
    return world.admin.ask("SELECT data, version, `user`, expires_at FROM sessions WHERE id = %s", key)


def assert_it_can_be_ended(world, handler, key):
    handler.destroy(key)

    assert handler.read(key) is None
    with pytest.raises(SessionGone) as gone:
        handler.write(key, Change(set={"a": 1}))
    assert gone.value.ended


def test_a_row_that_keeps_the_contract_is_a_session(sql_world):
    key = put_row(sql_world)

    assert sql_world.new_handler().read(key).data == {"n": 1}


@pytest.mark.parametrize("wrong", [*BROKEN.values(), *BROKEN_NAMES.values()], ids=[*BROKEN, *BROKEN_NAMES])
def test_a_broken_row_is_no_session_to_read(sql_world, wrong):
    key = put_row(sql_world, **wrong)

    with pytest.raises(SessionBroken) as broken:
        sql_world.new_handler().read(key)
    assert broken.value.key == key
    assert key.hex() in str(broken.value)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("wrong", BROKEN.values(), ids=BROKEN)
def test_a_change_of_a_broken_row_is_refused_and_changes_nothing(sql_world, wrong, change):
    key = put_row(sql_world, **wrong)
    before = row_of(sql_world, key)

    with pytest.raises(SessionBroken):
        sql_world.new_handler().write(key, change)
    assert row_of(sql_world, key) == before


@pytest.mark.parametrize("wrong", [*BROKEN.values(), *BROKEN_NAMES.values()], ids=[*BROKEN, *BROKEN_NAMES])
def test_a_broken_row_can_be_ended(sql_world, wrong):
    assert_it_can_be_ended(sql_world, sql_world.new_handler(), put_row(sql_world, **wrong))


def test_a_broken_row_is_cleaned_when_it_has_expired(sql_world):
    put_row(sql_world, data="[1]")
    sql_world.age(10_000)

    assert sql_world.new_handler().clean() == 1


def test_a_broken_row_spoils_no_other(sql_world):
    put_row(sql_world, data="[1]")
    intact = put_row(sql_world)
    handler = sql_world.new_handler()

    assert handler.end_user("ada") == 2
    assert handler.read(intact) is None


@pytest.mark.parametrize("text", NO_JSON, ids=repr)
def test_text_that_is_no_json_is_no_session(unchecked_world, text):
    key = put_row(unchecked_world, data=text)
    handler = unchecked_world.new_handler()

    with pytest.raises(SessionBroken):
        handler.read(key)
    for change in (Change(set={"a": 2}), Change(add=("n", 1)), Change(remove=frozenset({"n"}))):
        with pytest.raises(SessionBroken):
            handler.write(key, change)
    assert row_of(unchecked_world, key)[0][0] == text
    assert_it_can_be_ended(unchecked_world, handler, key)


def test_json_that_only_python_cannot_read_is_no_session(unchecked_world):
    key = put_row(unchecked_world, data='{"n": ' + "9" * 5000 + "}")

    with pytest.raises(SessionBroken):
        unchecked_world.new_handler().read(key)


def test_a_broken_row_behind_a_cache_is_no_session_either(cached_world):
    key = put_row(cached_world.behind, data="[1]")
    handler = cached_world.new_handler()

    for _ in range(2):
        with pytest.raises(SessionBroken):
            handler.read(key)
        with pytest.raises(SessionBroken):
            handler.write(key, Change(set={"a": 1}))
    assert_it_can_be_ended(cached_world, handler, key)
