import pytest
from worlds import content, new_key

from hopproof.handler import NOBODY, Change, Lifetimes, SessionConflict


def test_a_new_session_starts_at_version_one(handler):
    key = new_key()
    handler.write(key, Change(set={"n": 1}, create=True))

    assert handler.read(key).version == 1


def test_a_new_session_may_be_empty(handler):
    key = new_key()
    handler.write(key, Change(create=True))

    assert handler.read(key).data == {}


def test_a_new_session_may_start_with_a_count(handler):
    key = new_key()

    assert handler.write(key, Change(add=("n", 5), create=True)) == 5
    assert handler.read(key).data == {"n": 5}


def test_a_new_session_may_start_with_a_list(handler):
    key = new_key()

    assert handler.write(key, Change(append=("list", "a"), create=True)) == 1
    assert handler.read(key).data == {"list": ["a"]}


def test_a_new_session_may_start_with_everything_at_once(handler):
    key = new_key()
    handler.write(key, Change(set={"a": 1}, add=("n", -2), user="ada", create=True))

    assert handler.read(key).data == {"a": 1, "n": -2}
    assert handler.read(key).user == "ada"


def test_a_key_that_is_taken_is_refused(world, handler):
    key = world.put("ada", n=1)

    with pytest.raises(SessionConflict):
        handler.write(key, Change(set={"n": 2}, create=True))


def test_a_refused_creation_leaves_the_other_session_as_it_was(world, handler):
    key = world.put("ada", n=1)
    before = content(handler, key)
    with pytest.raises(SessionConflict):
        handler.write(key, Change(set={"n": 2, "more": 1}, user="eve", create=True))

    assert content(handler, key) == before


def test_creating_does_not_revive_a_session_that_was_ended(world, handler):
    key = world.put(n=1)
    handler.destroy(key)
    with pytest.raises(SessionConflict):
        handler.write(key, Change(set={"n": 2}, create=True))

    assert handler.read(key) is None


def test_no_session_is_idle_for_longer_than_its_absolute_timeout(world):
    handler = world.new_handler(lifetimes=Lifetimes(idle_s=1000, absolute_s=100))
    key = new_key()
    handler.write(key, Change(set={"n": 1}, create=True))

    assert handler.read(key).ttl_s <= 100


def test_a_session_may_begin_empty(world, handler, other):
    key = new_key()

    assert handler.write(key, Change(create=True)) is None
    assert content(other, key) == ({}, 1, None)


def test_a_session_that_begins_without_a_user_may_say_so(world, handler, other):
    key = new_key()
    handler.write(key, Change(user=NOBODY, create=True))

    assert content(other, key) == ({}, 1, None)
