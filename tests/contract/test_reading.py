import pytest
from worlds import content, new_key

from hopproof.handler import Change, Lifetimes

LIFETIMES = Lifetimes()


def test_what_one_server_wrote_another_server_reads(world, handler, other):
    key = new_key()
    handler.write(key, Change(set={"cart": ["tea"], "n": 1}, user="ada", create=True))

    assert content(other, key) == ({"cart": ["tea"], "n": 1}, 1, "ada")


def test_a_new_session_has_its_whole_idle_time_left(world, handler):
    assert handler.read(world.put(n=1)).ttl_s == pytest.approx(LIFETIMES.idle_s, abs=15)


def test_an_unknown_key_reads_as_none(handler):
    assert handler.read(new_key()) is None


def test_a_handler_that_was_closed_can_be_opened_again_to_read_once_more(world, handler):
    key = world.put(n=1)
    assert content(handler, key)[0] == {"n": 1}
    handler.close()
    handler.open()

    assert content(handler, key)[0] == {"n": 1}


def test_reading_an_unknown_key_creates_nothing(world, handler):
    handler.read(new_key())

    assert world.row_count() == 0


def test_an_expired_session_reads_as_none_before_it_is_cleaned(world, handler):
    key = world.put(n=1)
    world.age(LIFETIMES.idle_s + 1)

    assert handler.read(key) is None
    assert world.row_count() == 1


def test_an_ended_session_reads_as_none(world, handler):
    key = world.put(n=1)
    handler.destroy(key)

    assert handler.read(key) is None


def test_a_session_reads_until_its_last_second(world, handler):
    key = world.put(n=1)
    world.age(LIFETIMES.idle_s - 5)

    assert handler.read(key).data == {"n": 1}


@pytest.mark.parametrize("byte", [0, 31], ids=["first", "last"])
def test_keys_that_differ_in_one_bit_are_different_sessions(world, handler, byte):
    # 0x20 is the bit between upper and lower case: a store that folds case mixes up visitors.
    key = bytes([0x41] * 32)
    handler.write(key, Change(set={"n": 1}, create=True))

    assert handler.read(key[:byte] + b"\x61" + key[byte + 1 :]) is None


@pytest.mark.parametrize(
    "key", [bytes(32), bytes([0x20] * 32), bytes([0xFF] * 32), b"'\"\\%s?\0" * 4 + b"abcd"]
)
def test_any_32_bytes_are_a_key(handler, key):
    handler.write(key, Change(set={"n": 1}, create=True))

    assert handler.read(key).data == {"n": 1}


def test_a_read_changes_nothing(world, handler):
    key = world.put(n=1)
    world.age(100)
    before = content(handler, key)

    assert content(handler, key) == before
    assert handler.read(key).ttl_s <= LIFETIMES.idle_s - 100


def test_reading_tells_how_much_a_touch_would_gain(world, handler):
    key = world.put(n=1)
    world.age(100)

    assert handler.read(key).extendable_s == pytest.approx(100, abs=15)


def test_a_touch_gains_nothing_when_the_absolute_timeout_is_near(world):
    handler = world.new_handler(lifetimes=Lifetimes(idle_s=1000, absolute_s=1000))
    key = new_key()
    handler.write(key, Change(set={"n": 1}, create=True))
    world.age(100)

    assert handler.read(key).extendable_s == 0


def test_what_was_read_is_a_copy(world, handler):
    key = world.put(cart=["tea"])
    handler.read(key).data["cart"].append("stolen")

    assert handler.read(key).data == {"cart": ["tea"]}
