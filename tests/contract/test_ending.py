import pytest
from worlds import new_key

from hopproof.handler import Change, Lifetimes, SessionGone
from hopproof.limits import MAX_ENDED_AT_ONCE

LATE_WRITES = [
    pytest.param(Change(), id="touch"),
    pytest.param(Change(set={"a": 2}), id="set"),
    pytest.param(Change(remove=frozenset({"a"})), id="remove"),
    pytest.param(Change(add=("n", 1)), id="add"),
    pytest.param(Change(append=("list", 1)), id="append"),
    pytest.param(Change(user="ada"), id="user"),
    pytest.param(Change(set={"a": 2}, expected_version=1), id="expected version"),
]

# To a database that folds case, pads, or takes a name for a pattern, some of them are Ada.
STRANGERS = ["ada", "Ada ", "Ada\0", "Adа", "Ad", "%", "_da", None]


@pytest.mark.parametrize("change", LATE_WRITES)
def test_a_slow_write_does_not_revive_a_session_that_was_logged_out(world, handler, other, change):
    key = world.put(a=1)
    other.read(key)
    handler.destroy(key)

    with pytest.raises(SessionGone) as gone:
        other.write(key, change)
    assert gone.value.ended
    assert other.read(key) is None


@pytest.mark.parametrize("change", LATE_WRITES)
def test_a_slow_write_does_not_revive_a_session_that_expired(world, handler, other, change):
    key = world.put(a=1)
    other.read(key)
    world.age(10_000)

    with pytest.raises(SessionGone) as gone:
        other.write(key, change)
    assert not gone.value.ended
    assert other.read(key) is None


@pytest.mark.parametrize("change", LATE_WRITES)
def test_writing_under_an_unknown_key_creates_nothing(world, handler, change):
    with pytest.raises(SessionGone) as gone:
        handler.write(new_key(), change)
    assert not gone.value.ended
    assert world.row_count() == 0


def test_ending_twice_is_no_error(world, handler, other):
    key = world.put(a=1)
    handler.destroy(key)
    other.destroy(key)

    assert handler.read(key) is None


def test_ending_an_unknown_key_leaves_no_row(world, handler):
    handler.destroy(new_key())

    assert world.row_count() == 0


def test_ending_one_session_leaves_the_others(world, handler):
    ended, kept = world.put(a=1), world.put(a=2)
    handler.destroy(ended)

    assert handler.read(kept).data == {"a": 2}


def test_an_ended_session_is_remembered_for_the_tombstone_time(world, handler):
    key = world.put(a=1)
    handler.destroy(key)
    world.age(Lifetimes().tombstone_s - 5)

    with pytest.raises(SessionGone) as gone:
        handler.write(key, Change(set={"a": 2}))
    assert gone.value.ended


def test_an_ended_session_is_forgotten_after_the_tombstone_time(world, handler):
    key = world.put(a=1)
    handler.destroy(key)
    world.age(Lifetimes().tombstone_s + 1)

    with pytest.raises(SessionGone) as gone:
        handler.write(key, Change(set={"a": 2}))
    assert not gone.value.ended


def test_ending_again_does_not_prolong_the_memory_of_it(world, handler):
    key = world.put(a=1)
    handler.destroy(key)
    world.age(Lifetimes().tombstone_s - 20)
    handler.destroy(key)
    world.age(25)

    with pytest.raises(SessionGone) as gone:
        handler.write(key, Change(set={"a": 2}))
    assert not gone.value.ended


def test_an_ended_session_keeps_no_data_and_no_name(sql_world):
    key = sql_world.put("ada", secret=1)
    sql_world.new_handler().destroy(key)

    assert sql_world.admin.ask("SELECT data, `user` FROM sessions") == [(None, None)]


def test_logging_out_everywhere_ends_every_session_of_the_user(world, handler):
    keys = [world.put("ada", a=1) for _ in range(3)]

    assert handler.end_user("ada") == 3
    assert [handler.read(key) for key in keys] == [None] * 3


def test_logging_out_everywhere_compares_names_byte_by_byte(world, handler):
    world.put("Ada", a=1)
    theirs = {name: world.put(name, a=2) for name in STRANGERS}

    assert handler.end_user("Ada") == 1
    assert [name for name, key in theirs.items() if handler.read(key) is None] == []


def test_logging_out_everywhere_counts_only_sessions_that_live(world, handler):
    world.put("ada")
    world.age(10_000)
    handler.destroy(world.put("ada"))
    world.put("ada")

    assert handler.end_user("ada") == 1


def test_logging_out_everywhere_ends_more_sessions_than_one_statement_does(sql_world):
    key = sql_world.put("ada")
    copies = MAX_ENDED_AT_ONCE + 1
    sql_world.admin.ask(
        "INSERT INTO sessions (id, data, version, `user`, created_at, expires_at, absolute_at)"
        f" WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < {copies})"
        " SELECT UNHEX(SHA2(i, 256)), data, version, `user`, created_at, expires_at, absolute_at"
        " FROM n JOIN sessions ON id = %s",
        key,
    )

    assert sql_world.new_handler().end_user("ada") == copies + 1
    assert sql_world.admin.ask("SELECT COUNT(*) FROM sessions WHERE data IS NOT NULL") == [(0,)]


def logged_in(world, *users):
    """Return the keys of sessions of these users, the oldest first."""
    keys = []
    for user in users:
        keys.append(world.put(user))
        world.age(2)
    return keys


def living(handler, keys):
    return [key for key in keys if handler.read(key) is not None]


def test_the_oldest_sessions_beyond_a_number_are_ended(world, handler):
    keys = logged_in(world, "ada", "ada", "ada", "ada")

    assert handler.end_oldest_of_user("ada", 2, keys[-1]) == 2
    assert living(handler, keys) == keys[2:]


def test_the_session_that_asks_is_kept_although_it_is_the_oldest(world, handler):
    keys = logged_in(world, "ada", "ada", "ada")

    assert handler.end_oldest_of_user("ada", 1, keys[0]) == 2
    assert living(handler, keys) == keys[:1]


def test_a_number_of_sessions_that_is_not_reached_ends_none(world, handler):
    keys = logged_in(world, "ada", "ada")

    assert handler.end_oldest_of_user("ada", 2, keys[-1]) == 0
    assert living(handler, keys) == keys


def test_only_sessions_of_this_user_count(world, handler):
    keys = logged_in(world, "bob", "Ada", "ada", None, "ada")

    assert handler.end_oldest_of_user("ada", 1, keys[-1]) == 1
    assert living(handler, keys) == [keys[0], keys[1], keys[3], keys[4]]


def test_an_expired_session_does_not_count(world, handler):
    world.put("ada")
    world.age(10_000)
    keys = logged_in(world, "ada", "ada")

    assert handler.end_oldest_of_user("ada", 2, keys[-1]) == 0


def test_an_oldest_session_is_remembered_as_ended(world, handler, other):
    keys = logged_in(world, "ada", "ada")
    handler.end_oldest_of_user("ada", 1, keys[-1])

    with pytest.raises(SessionGone) as gone:
        other.write(keys[0], Change(set={"a": 2}))
    assert gone.value.ended


def test_a_session_that_everywhere_ended_is_remembered(world, handler, other):
    key = world.put("ada", a=1)
    handler.end_user("ada")

    with pytest.raises(SessionGone) as gone:
        other.write(key, Change(set={"a": 2}))
    assert gone.value.ended


def test_the_list_of_a_user_shows_their_live_sessions_and_no_other(world, handler):
    world.put("ada")
    world.age(10_000)
    handler.destroy(world.put("ada"))
    world.put("Ada")
    keys = {world.put("ada") for _ in range(2)}

    assert {listed.key for listed in handler.sessions_of_user("ada")} == keys
    assert handler.sessions_of_user("bob") == []


def test_the_list_tells_how_old_a_session_is_and_for_how_long_nobody_used_it(world, handler):
    world.put("ada")
    world.age(300)

    (listed,) = handler.sessions_of_user("ada")
    assert listed.age_s == pytest.approx(300, abs=15)
    assert listed.unused_s == pytest.approx(300, abs=15)


@pytest.mark.parametrize("use", [Change(), Change(set={"a": 1})], ids=["touch", "change"])
def test_the_list_notices_that_a_session_was_used(world, handler, other, use):
    key = world.put("ada")
    world.age(300)
    other.write(key, use)
    world.age(60)

    (listed,) = handler.sessions_of_user("ada")
    assert listed.age_s == pytest.approx(360, abs=15)
    assert listed.unused_s == pytest.approx(60, abs=15)


def test_in_the_list_a_session_is_as_old_as_its_login(world, handler, other):
    key = world.put()
    world.age(300)
    other.write(key, Change(user="ada", rotate_to=new_key()))

    (listed,) = handler.sessions_of_user("ada")
    assert listed.age_s <= 30


def test_near_the_absolute_timeout_the_list_does_not_call_a_session_fresher_than_it_is(world):
    lifetimes = Lifetimes(idle_s=1800, absolute_s=2000)
    handler = world.new_handler(lifetimes=lifetimes)
    key = new_key()
    handler.write(key, Change(create=True, user="ada"))
    world.age(1500)
    handler.write(key, Change())
    world.age(300)

    (listed,) = handler.sessions_of_user("ada")
    assert 300 <= listed.unused_s <= 1800


def test_ending_one_session_of_a_user_ends_that_and_no_other(world, handler, other):
    ended, kept, bobs = world.put("ada", a=1), world.put("ada", a=2), world.put("bob", a=3)

    assert handler.end_one_of_user("ada", ended) is True
    assert other.read(ended) is None
    assert [other.read(key).data for key in (kept, bobs)] == [{"a": 2}, {"a": 3}]


def test_nobody_can_end_a_session_that_is_not_theirs(world, handler, other):
    theirs = {name: world.put(name, a=1) for name in STRANGERS}

    assert [name for name, key in theirs.items() if handler.end_one_of_user("Ada", key)] == []
    assert [name for name, key in theirs.items() if other.read(key) is None] == []


def test_a_session_that_is_one_of_a_user_no_more_cannot_be_ended_as_theirs(world, handler, other):
    key = world.put("ada", a=1)
    other.write(key, Change(user="bob"))

    assert handler.end_one_of_user("ada", key) is False
    assert other.read(key).user == "bob"


def test_ending_one_session_of_a_user_twice_says_that_the_second_was_late(world, handler, other):
    key = world.put("ada")

    assert [handler.end_one_of_user("ada", key), other.end_one_of_user("ada", key)] == [True, False]


def test_ending_one_session_that_never_was_leaves_no_row(world, handler):
    assert handler.end_one_of_user("ada", new_key()) is False
    assert world.row_count() == 0


def test_a_session_of_a_user_that_was_ended_alone_is_remembered(world, handler, other):
    key = world.put("ada", a=1)
    handler.end_one_of_user("ada", key)

    with pytest.raises(SessionGone) as gone:
        other.write(key, Change(set={"a": 2}))
    assert gone.value.ended


def test_logging_out_somebody_unknown_ends_nobody(world, handler):
    key = world.put("ada", a=1)

    assert handler.end_user("bob") == 0
    assert handler.read(key).user == "ada"


def test_a_user_reads_as_the_name_that_was_written(world, handler):
    names = ["a", "é" * 32, "'; DROP TABLE sessions; --", "\\", "%s", "a\nb", "日本", "🍵"]
    keys = {name: world.put(name, a=1) for name in names}

    assert [handler.read(key).user for key in keys.values()] == names
