"""The limit is approximate: 48 KiB pass, 80 KiB are refused, the outcome in between is not tested."""

import pytest
from worlds import content, new_key

from hopproof.handler import NOBODY, Change, SessionRefused

SMALL, LARGE = "x" * 48 * 1024, "x" * 80 * 1024


def too_large(handler, key, change):
    with pytest.raises(SessionRefused) as refusal:
        handler.write(key, change)
    assert refusal.value.reason == "too-large"


def test_48_kib_can_start_a_session(handler):
    key = new_key()
    handler.write(key, Change(set={"a": SMALL}, create=True))

    assert handler.read(key).data == {"a": SMALL}


def test_48_kib_can_be_set(world, handler):
    key = world.put()
    handler.write(key, Change(set={"a": SMALL}))

    assert handler.read(key).data == {"a": SMALL}


def test_80_kib_cannot_start_a_session(world, handler):
    too_large(handler, new_key(), Change(set={"a": LARGE}, create=True))
    assert world.row_count() == 0


@pytest.mark.parametrize(
    "change",
    [
        Change(set={"a": LARGE}),
        Change(set={"b": LARGE[::2], "c": LARGE[::2]}),
        Change(append=("list", LARGE)),
        Change(set={"é" * 40 * 1024: 1}),
    ],
    ids=["one value", "two values", "an item", "a key"],
)
def test_80_kib_are_refused_and_nothing_is_changed(world, handler, change):
    key = world.put(n=1)
    before = content(handler, key)

    too_large(handler, key, change)
    assert content(handler, key) == before


def test_size_is_counted_in_bytes_not_characters(world, handler):
    too_large(handler, world.put(), Change(set={"a": "é" * 40 * 1024}))


def test_what_is_there_counts(world, handler):
    too_large(handler, world.put(a=SMALL), Change(set={"b": "y" * 32 * 1024}))


def test_48_kib_can_be_replaced_by_48_kib(world, handler):
    key = world.put(a=SMALL, n=1)
    handler.write(key, Change(set={"a": SMALL.upper()}))

    assert handler.read(key).data == {"a": SMALL.upper(), "n": 1}


def test_two_halves_can_be_replaced_at_once(world, handler):
    half = SMALL[::2]
    key = world.put(a=half, b=half)
    handler.write(key, Change(set={"a": half.upper(), "b": half.upper()}))

    assert handler.read(key).data == {"a": half.upper(), "b": half.upper()}


def test_a_list_grows_up_to_the_limit_and_no_further(world, handler):
    key = world.put(list=[])
    quarter = "x" * 16 * 1024
    for length in (1, 2, 3):
        assert handler.write(key, Change(append=("list", quarter))) == length

    too_large(handler, key, Change(append=("list", quarter * 2)))
    assert len(handler.read(key).data["list"]) == 3


# Sessions without a user may have a limit of their own: 8 KiB is recommended for the internet.

ANONYMOUS = 8 * 1024


def test_a_session_without_a_user_has_its_own_limit(world):
    handler = world.new_handler(anonymous_max_bytes=ANONYMOUS)
    too_large(handler, new_key(), Change(set={"a": "x" * 2 * ANONYMOUS}, create=True))
    key = new_key()
    handler.write(key, Change(set={"a": "x" * (ANONYMOUS // 2)}, create=True))

    too_large(handler, key, Change(set={"b": "x" * ANONYMOUS}))
    too_large(handler, key, Change(append=("c", "x" * ANONYMOUS)))


def test_the_refusal_of_a_session_without_a_user_tells_its_own_limit(world):
    handler, key = world.new_handler(anonymous_max_bytes=ANONYMOUS), world.put()

    with pytest.raises(SessionRefused, match="would exceed 8192 bytes"):
        handler.write(key, Change(set={"a": LARGE}))


def test_a_user_has_the_limit_of_users(world):
    handler = world.new_handler(anonymous_max_bytes=ANONYMOUS)
    key = new_key()
    handler.write(key, Change(set={"a": "x" * 2 * ANONYMOUS}, user="ada", create=True))
    handler.write(key, Change(set={"b": "x" * 2 * ANONYMOUS}))

    assert len(handler.read(key).data) == 2


def test_the_limit_is_that_of_the_user_after_the_change(world):
    handler, new = world.new_handler(anonymous_max_bytes=ANONYMOUS), new_key()
    value = "x" * 2 * ANONYMOUS
    handler.write(world.put(), Change(set={"a": value}, user="ada", rotate_to=new))

    too_large(handler, new, Change(set={"b": 1}, user=NOBODY))
    assert handler.read(new).data == {"a": value}


# Sessions that are too large, because the limit was lowered.


@pytest.mark.parametrize(
    "change",
    [Change(set={"b": "y"}), Change(add=("n", 1)), Change(append=("list", 1))],
    ids=["set", "add", "append"],
)
def test_a_session_over_the_limit_grows_no_more(world, change):
    key = world.put(a=SMALL)

    too_large(world.new_handler(max_bytes=1024), key, change)


def test_a_session_over_the_limit_can_still_lose_a_key(world):
    handler = world.new_handler(max_bytes=1024)
    key = world.put(a=SMALL, b=SMALL[:2048], c=1)
    handler.write(key, Change(remove=frozenset({"b"})))

    assert handler.read(key).data == {"a": SMALL, "c": 1}


def test_a_session_over_the_limit_can_still_be_touched(world):
    handler = world.new_handler(max_bytes=1024)
    key = world.put(a=SMALL)
    world.age(1000)
    handler.write(key, Change())

    assert handler.read(key).ttl_s > 1700


def test_a_session_over_the_limit_can_still_log_in(world):
    handler, new = world.new_handler(max_bytes=1024), new_key()
    handler.write(world.put(a=SMALL), Change(user="ada", rotate_to=new))

    assert handler.read(new).data == {"a": SMALL}


def test_a_session_over_the_limit_can_still_be_ended(world):
    handler = world.new_handler(max_bytes=1024)
    key = world.put(a=SMALL)
    handler.destroy(key)

    assert handler.read(key) is None


def test_a_session_over_the_limit_shrinks_when_a_large_value_is_replaced_by_a_small_one(world):
    handler = world.new_handler(max_bytes=1024)
    key = world.put(a=SMALL)
    handler.write(key, Change(set={"a": "small"}))

    assert handler.read(key).data == {"a": "small"}
