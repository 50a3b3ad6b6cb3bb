import pytest
from worlds import new_key

from hopproof.handler import NOBODY, Change, Lifetimes, SessionGone


def session_of(handler):
    key = new_key()
    handler.write(key, Change(set={"a": 1}, create=True))
    return key


def test_a_touch_extends_the_expiry(world, handler):
    key = world.put(a=1)
    world.age(1000)
    handler.write(key, Change())

    assert handler.read(key).ttl_s == pytest.approx(1800, abs=15)


def test_a_touch_leaves_data_user_and_version_alone(world, handler):
    key = world.put("ada", a=1)
    world.age(1000)

    assert handler.write(key, Change()) is None
    stored = handler.read(key)
    assert (stored.data, stored.user, stored.version) == ({"a": 1}, "ada", 1)


def test_a_touch_beside_a_change_does_not_overtake_it(world, handler, other):
    key = world.put(a=1)
    other.write(key, Change())

    handler.write(key, Change(set={"a": 2}, expected_version=1))
    assert handler.read(key).version == 2


def test_a_second_touch_in_the_same_moment_is_no_error(world, handler):
    key = world.put(a=1)

    assert handler.write(key, Change()) is handler.write(key, Change()) is None


@pytest.mark.parametrize("change", [Change(), Change(set={"a": 2})], ids=["touch", "change"])
def test_nothing_moves_the_expiry_backwards(world, handler, change):
    key = world.put(a=1)
    world.new_handler(lifetimes=Lifetimes(idle_s=10)).write(key, change)

    assert handler.read(key).ttl_s > 1700


@pytest.mark.parametrize("change", [Change(), Change(set={"a": 2})], ids=["touch", "change"])
def test_nothing_moves_the_expiry_beyond_the_absolute_timeout(world, change):
    handler = world.new_handler(lifetimes=Lifetimes(idle_s=100, absolute_s=150))
    key = session_of(handler)
    world.age(90)
    handler.write(key, change)

    assert handler.read(key).ttl_s == pytest.approx(60, abs=15)


def test_a_session_in_use_ends_at_its_absolute_timeout(world):
    handler = world.new_handler(lifetimes=Lifetimes(idle_s=100, absolute_s=150))
    key = session_of(handler)
    world.age(90)
    handler.write(key, Change())
    world.age(61)

    assert handler.read(key) is None


def test_an_idle_session_ends_at_its_idle_timeout(world):
    handler = world.new_handler(lifetimes=Lifetimes(idle_s=100, absolute_s=150))
    key = session_of(handler)
    world.age(101)

    assert handler.read(key) is None


ANONYMOUSLY_SHORT = Lifetimes(idle_s=100, absolute_s=1000, anonymous_idle_s=30)


def test_a_session_without_a_user_has_its_own_idle_timeout(world):
    handler, key, theirs = world.new_handler(lifetimes=ANONYMOUSLY_SHORT), new_key(), new_key()
    handler.write(key, Change(set={"a": 1}, create=True))
    handler.write(theirs, Change(set={"a": 1}, user="ada", create=True))
    world.age(20)
    for each in (key, theirs):
        handler.write(each, Change())
    world.age(35)

    assert handler.read(key) is None
    assert handler.read(theirs).ttl_s == pytest.approx(65, abs=15)


def test_a_login_brings_the_idle_timeout_of_users(world):
    handler, key, new = world.new_handler(lifetimes=ANONYMOUSLY_SHORT), new_key(), new_key()
    handler.write(key, Change(set={"a": 1}, create=True))
    handler.write(key, Change(user="ada", rotate_to=new))
    world.age(35)

    assert handler.read(new).extendable_s == pytest.approx(35, abs=15)


def test_a_session_whose_user_is_forgotten_has_the_idle_timeout_of_one_without(world):
    handler, key, new = world.new_handler(lifetimes=ANONYMOUSLY_SHORT), new_key(), new_key()
    handler.write(key, Change(user="ada", create=True))
    handler.write(key, Change(user=NOBODY, rotate_to=new))

    assert handler.read(new).ttl_s == pytest.approx(30, abs=15)


def test_a_touched_session_outlives_its_first_idle_timeout(world):
    handler = world.new_handler(lifetimes=Lifetimes(idle_s=100, absolute_s=1000))
    key = session_of(handler)
    world.age(90)
    handler.write(key, Change())
    world.age(90)

    assert handler.read(key).data == {"a": 1}


def test_a_touch_does_not_revive_an_expired_session(world, handler):
    key = world.put(a=1)
    world.age(1801)

    with pytest.raises(SessionGone):
        handler.write(key, Change())
    assert handler.read(key) is None


def test_a_touch_makes_its_own_gain_disappear(world, handler):
    key = world.put(a=1)
    world.age(1000)
    handler.write(key, Change())

    assert handler.read(key).extendable_s < 30
