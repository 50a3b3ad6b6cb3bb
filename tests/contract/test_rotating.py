from itertools import pairwise

import pytest
from worlds import content, new_key

from hopproof.handler import NOBODY, Change, Lifetimes, SessionConflict, SessionGone, SessionRefused


def test_a_session_lives_on_under_its_new_key(world, handler):
    old, new = world.put(a=1, b=[2]), new_key()
    handler.write(old, Change(rotate_to=new))

    assert handler.read(new).data == {"a": 1, "b": [2]}


def test_the_old_key_is_ended(world, handler):
    old = world.put(a=1)
    handler.write(old, Change(rotate_to=new_key()))

    assert handler.read(old) is None


def test_the_new_key_works_on_another_server(world, handler, other):
    old, new = world.put(a=1), new_key()
    handler.write(old, Change(rotate_to=new))
    other.write(new, Change(set={"b": 2}))

    assert handler.read(new).data == {"a": 1, "b": 2}


def test_pending_changes_move_along(world, handler):
    old, new = world.put(a=1, gone=2), new_key()
    handler.write(old, Change(set={"b": 3}, remove=frozenset({"gone"}), user="ada", rotate_to=new))

    assert handler.read(new).data == {"a": 1, "b": 3}


def test_a_count_can_be_part_of_a_login(world, handler):
    old, new = world.put(n=1), new_key()

    assert handler.write(old, Change(add=("n", 1), rotate_to=new)) == 2
    assert handler.read(new).data == {"n": 2}


def test_a_login_sets_the_user(world, handler):
    old, new = world.put(a=1), new_key()
    handler.write(old, Change(user="ada", rotate_to=new))

    assert handler.read(new).user == "ada"


def test_a_second_user_gets_nothing_of_the_first(world, handler):
    """Two people at one browser: the second logs in where the first did not log out."""
    old, new = world.put("alice", diary="private"), new_key()
    handler.write(old, Change(user="bob", rotate_to=new))

    assert (handler.read(new).user, handler.read(new).data) == ("bob", {})


def test_a_second_user_gets_nothing_of_the_first_without_a_new_key_either(world, handler):
    key = world.put("alice", diary="private")
    handler.write(key, Change(user="bob"))

    assert (handler.read(key).user, handler.read(key).data) == ("bob", {})


def test_a_second_user_keeps_what_comes_with_the_login(world, handler):
    old, new = world.put("alice", n=7, list=[1], gone=1), new_key()
    change = Change(set={"a": 1}, remove=frozenset({"gone"}), add=("n", 1), user="bob", rotate_to=new)

    assert handler.write(old, change) == 1
    assert handler.read(new).data == {"a": 1, "n": 1}


def test_the_data_that_a_second_user_does_not_get_do_not_count_as_theirs(world):
    old, new = world.put("alice", diary="x" * 2000), new_key()
    world.new_handler(max_bytes=1000).write(old, Change(set={"a": 1}, user="bob", rotate_to=new))

    assert world.new_handler().read(new).data == {"a": 1}


def test_a_second_login_of_one_user_keeps_the_data(world, handler):
    old, new = world.put("ada", a=1), new_key()
    handler.write(old, Change(user="ada", rotate_to=new))

    assert handler.read(new).data == {"a": 1}


def test_a_rotation_without_a_user_keeps_who_was_logged_in(world, handler):
    old, new = world.put("ada", a=1), new_key()
    handler.write(old, Change(rotate_to=new))

    assert handler.read(new).user == "ada"


def test_a_rotation_makes_the_next_version(world, handler):
    old, new = world.put(a=1), new_key()

    handler.write(old, Change(rotate_to=new))
    assert handler.read(new).version == 2


def test_a_login_starts_the_absolute_lifetime_anew(world):
    handler = world.new_handler(lifetimes=Lifetimes(idle_s=100, absolute_s=150))
    old, new = new_key(), new_key()
    handler.write(old, Change(set={"a": 1}, create=True))
    world.age(90)
    handler.write(old, Change(user="ada", rotate_to=new))
    world.age(90)
    handler.write(new, Change())

    assert handler.read(new).ttl_s == pytest.approx(60, abs=15)


def test_a_slow_write_does_not_revive_the_old_key_of_a_login(world, handler, other):
    old, new = world.put(a=1), new_key()
    other.read(old)
    handler.write(old, Change(user="ada", rotate_to=new))

    with pytest.raises(SessionGone) as gone:
        other.write(old, Change(set={"a": 2}))
    assert gone.value.ended
    assert other.read(old) is None


def test_a_slow_write_with_the_old_key_leaves_the_new_session_alone(world, handler, other):
    old, new = world.put(a=1), new_key()
    handler.write(old, Change(user="ada", rotate_to=new))
    with pytest.raises(SessionGone):
        other.write(old, Change(set={"a": 2}))

    assert handler.read(new).data == {"a": 1}
    assert handler.read(new).user == "ada"


def test_a_slow_logout_with_the_old_key_leaves_the_new_session_alone(world, handler, other):
    old, new = world.put(a=1), new_key()
    handler.write(old, Change(user="ada", rotate_to=new))
    other.destroy(old)

    assert handler.read(new).user == "ada"


def test_a_second_login_with_the_old_key_is_refused(world, handler, other):
    old, late = world.put(a=1), new_key()
    handler.write(old, Change(user="ada", rotate_to=new_key()))

    with pytest.raises(SessionGone) as gone:
        other.write(old, Change(user="eve", rotate_to=late))
    assert gone.value.ended
    assert other.read(late) is None


def test_an_unknown_key_cannot_be_rotated(world, handler):
    new = new_key()

    with pytest.raises(SessionGone) as gone:
        handler.write(new_key(), Change(user="ada", rotate_to=new))
    assert not gone.value.ended
    assert world.row_count() == 0


def test_an_expired_session_cannot_be_rotated(world, handler):
    old, new = world.put(a=1), new_key()
    world.age(10_000)

    with pytest.raises(SessionGone):
        handler.write(old, Change(user="ada", rotate_to=new))
    assert handler.read(new) is None


def test_an_overtaken_rotation_is_refused(world, handler, other):
    old, new = world.put(a=1), new_key()
    other.write(old, Change(set={"b": 1}))

    with pytest.raises(SessionConflict):
        handler.write(old, Change(rotate_to=new, expected_version=1))
    assert handler.read(new) is None
    assert handler.read(old).data == {"a": 1, "b": 1}


def test_a_refused_change_stops_the_rotation_too(world, handler):
    old, new = world.put(a="text"), new_key()

    with pytest.raises(SessionRefused):
        handler.write(old, Change(add=("a", 1), rotate_to=new))
    assert handler.read(new) is None
    assert handler.read(old).data == {"a": "text"}


def test_a_rotation_to_a_key_that_is_taken_harms_neither_session(world, handler):
    old, taken = world.put(a=1), world.put("eve", b=2)

    with pytest.raises(SessionConflict):
        handler.write(old, Change(user="ada", rotate_to=taken))
    assert handler.read(old).data == {"a": 1}
    assert handler.read(taken).data == {"b": 2}


def test_a_session_can_be_rotated_again_and_again(world, handler):
    keys = [world.put(a=1), *[new_key() for _ in range(5)]]
    for old, new in pairwise(keys):
        handler.write(old, Change(rotate_to=new))

    assert [handler.read(key) is not None for key in keys] == [False] * 5 + [True]


def test_a_session_can_be_taken_away_from_its_user(world, handler, other):
    old, new = world.put("ada", cart=["tea"]), new_key()
    handler.write(old, Change(user=NOBODY, rotate_to=new))

    assert content(other, new) == ({"cart": ["tea"]}, 2, None)
    assert other.sessions_of_user("ada") == []


def test_a_session_can_lose_its_user_and_keep_its_key(world, handler, other):
    key = world.put("ada", n=1)
    handler.write(key, Change(user=NOBODY))

    assert content(other, key) == ({"n": 1}, 2, None)
    assert other.end_user("ada") == 0


def test_a_rotation_without_a_login_keeps_the_user(world, handler, other):
    old, new = world.put("ada", n=1), new_key()
    handler.write(old, Change(rotate_to=new))

    assert content(other, new) == ({"n": 1}, 2, "ada")
    assert other.read(old) is None
    assert [listed.key for listed in other.sessions_of_user("ada")] == [new]
