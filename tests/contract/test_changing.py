import pytest
from worlds import content, new_key

from hopproof.handler import Change, SessionConflict


def test_setting_a_key_replaces_its_value(world, handler):
    key = world.put(a=1, b=2)
    handler.write(key, Change(set={"a": "one"}))

    assert handler.read(key).data == {"a": "one", "b": 2}


def test_setting_a_key_replaces_a_whole_object_and_does_not_merge(world, handler):
    key = world.put(a={"old": 1})
    handler.write(key, Change(set={"a": {"new": 2}}))

    assert handler.read(key).data == {"a": {"new": 2}}


def test_several_keys_are_set_at_once(world, handler):
    key = world.put()
    handler.write(key, Change(set={"a": 1, "b": None, "c": [True, {"d": 1.5}]}))

    assert handler.read(key).data == {"a": 1, "b": None, "c": [True, {"d": 1.5}]}


def test_removing_a_key_leaves_the_others(world, handler):
    key = world.put(a=1, b=2, c=3)
    handler.write(key, Change(remove=frozenset({"a", "c"})))

    assert handler.read(key).data == {"b": 2}


def test_removing_an_absent_key_changes_no_data(world, handler):
    key = world.put(a=1)
    handler.write(key, Change(remove=frozenset({"b"})))

    assert handler.read(key).data == {"a": 1}


def test_the_last_key_can_be_removed(world, handler):
    key = world.put(a=1)
    handler.write(key, Change(remove=frozenset({"a"})))

    assert handler.read(key).data == {}


def test_adding_counts_from_what_is_there(world, handler):
    key = world.put(n=41)

    assert handler.write(key, Change(add=("n", 1))) == 42
    assert handler.read(key).data == {"n": 42}


def test_adding_to_an_absent_key_counts_from_zero(world, handler):
    key = world.put()

    assert handler.write(key, Change(add=("n", 3))) == 3


def test_sums_of_every_sign_come_back_as_they_are_stored(world, handler):
    sums = {
        "below": (1, -5, -4),
        "up to": (-4, 4, 0),
        "from": (0, -1, -1),
        "under": (-3, -3, -6),
        "on": (7, 0, 7),
    }
    key = world.put(**{name: start for name, (start, _, _) in sums.items()})
    told = {name: handler.write(key, Change(add=(name, n))) for name, (_, n, _) in sums.items()}

    assert told == {name: total for name, (_, _, total) in sums.items()}
    assert handler.read(key).data == told


def test_appending_extends_the_list_at_its_end(world, handler):
    key = world.put(list=["a", {"b": 1}])

    assert handler.write(key, Change(append=("list", "c"))) == 3
    assert handler.read(key).data == {"list": ["a", {"b": 1}, "c"]}


def test_appending_to_an_absent_key_starts_a_list(world, handler):
    key = world.put()

    assert handler.write(key, Change(append=("list", "a"))) == 1
    assert handler.read(key).data == {"list": ["a"]}


def test_appending_to_an_empty_list_makes_it_one_long(world, handler):
    key = world.put(list=[])

    assert handler.write(key, Change(append=("list", None))) == 1
    assert handler.read(key).data == {"list": [None]}


@pytest.mark.parametrize("item", [[], ["a", "b"], {"a": 1}])
def test_an_appended_container_is_one_item(world, handler, item):
    key = world.put(list=[0])

    assert handler.write(key, Change(append=("list", item))) == 2
    assert handler.read(key).data == {"list": [0, item]}


def test_set_remove_and_add_are_one_change(world, handler):
    key = world.put(a=1, gone=2, n=10)

    written = handler.write(key, Change(set={"a": 2, "b": 3}, remove=frozenset({"gone"}), add=("n", 5)))

    assert written == 15
    assert handler.read(key).data == {"a": 2, "b": 3, "n": 15}


def test_set_remove_and_append_are_one_change(world, handler):
    key = world.put(a=1, gone=2, list=["x"])

    written = handler.write(key, Change(set={"a": 2}, remove=frozenset({"gone"}), append=("list", "y")))

    assert written == 2
    assert handler.read(key).data == {"a": 2, "list": ["x", "y"]}


def test_changes_of_different_keys_by_two_servers_both_survive(world, handler, other):
    key = world.put(before=1)
    handler.read(key)
    other.read(key)

    handler.write(key, Change(set={"a": "from one server"}))
    other.write(key, Change(set={"b": "from another"}))

    assert handler.read(key).data == {"before": 1, "a": "from one server", "b": "from another"}


def test_counts_of_two_servers_add_up(world, handler, other):
    key = world.put(n=1)
    handler.read(key)
    other.read(key)

    assert [
        handler.write(key, Change(add=("n", 1))),
        other.write(key, Change(add=("n", 1))),
    ] == [2, 3]


@pytest.mark.parametrize(
    "change",
    [
        Change(set={"a": 2}),
        Change(set={"a": 1}),
        Change(remove=frozenset({"a"})),
        Change(remove=frozenset({"absent"})),
        Change(user="ada"),
    ],
    ids=["set", "set to the same", "remove", "remove what is absent", "user"],
)
def test_every_acknowledged_change_makes_the_next_version(world, handler, change):
    key = world.put(a=1)

    assert handler.write(key, change) is None
    assert handler.read(key).version == 2


@pytest.mark.parametrize("change", [Change(add=("n", 1)), Change(append=("list", 1))], ids=["add", "append"])
def test_a_count_makes_the_next_version_too(world, handler, change):
    key = world.put(a=1)
    handler.write(key, change)

    assert handler.read(key).version == 2


def test_a_change_that_expects_the_present_version_is_applied(world, handler):
    key = world.put(a=1)

    handler.write(key, Change(set={"a": 2}, expected_version=1))
    assert handler.read(key).version == 2


def test_a_change_that_was_overtaken_is_refused(world, handler, other):
    key = world.put(a=1)
    other.write(key, Change(set={"b": 1}))

    with pytest.raises(SessionConflict):
        handler.write(key, Change(set={"a": 2}, expected_version=1))


def test_a_change_that_was_overtaken_changes_nothing(world, handler, other):
    key = world.put(a=1)
    other.write(key, Change(set={"b": 1}))
    before = content(handler, key)
    with pytest.raises(SessionConflict):
        handler.write(key, Change(set={"a": 2}, remove=frozenset({"b"}), user="eve", expected_version=1))

    assert content(handler, key) == before


def test_a_version_from_the_future_is_refused(world, handler):
    key = world.put(a=1)

    with pytest.raises(SessionConflict):
        handler.write(key, Change(set={"a": 2}, expected_version=2))


@pytest.mark.parametrize(
    "change", [Change(set={"a": 2}), Change(add=("n", 1)), Change(remove=frozenset({"a"}))]
)
def test_a_change_keeps_the_user(world, handler, change):
    key = world.put("ada", a=1)
    handler.write(key, change)

    assert handler.read(key).user == "ada"


def test_a_change_extends_the_expiry(world, handler):
    key = world.put(a=1)
    world.age(1000)
    handler.write(key, Change(set={"a": 2}))

    assert handler.read(key).ttl_s == pytest.approx(1800, abs=15)


def test_what_was_written_is_a_copy(handler):
    key, cart = new_key(), ["tea"]
    handler.write(key, Change(set={"cart": cart}, create=True))
    cart.append("later")

    assert handler.read(key).data == {"cart": ["tea"]}
