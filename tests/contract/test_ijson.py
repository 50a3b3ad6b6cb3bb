"""A value that is not I-JSON (RFC 7493) is refused by name, before a store can make something else of it.

Each value has a test of its own in tests/unit/test_ijson_values.py. Here, all of them together go every way
into every store.
"""

import math

import pytest
from ijson_values import BAD_NAMES, BAD_SUMMANDS, KEPT, REFUSED, nested, spelled, spelling
from worlds import content, new_key

from hopproof.handler import Change, SessionRefused

NOT_I_JSON = ("not-i-json", "bad")


def refusals(handler, key, changes):
    """Return for each change the reason of its refusal and the name in it, None if it was made."""
    told = {}
    for what, change in changes.items():
        told[what] = None
        try:
            handler.write(key or new_key(), change)
        except SessionRefused as refusal:
            told[what] = (refusal.reason, refusal.name)
    return told


def test_what_is_not_i_json_cannot_be_set(world, handler):
    key = world.put(a=1)
    changes = {what: Change(set={"bad": value}) for what, value in REFUSED.items()}

    assert refusals(handler, key, changes) == dict.fromkeys(REFUSED, NOT_I_JSON)
    assert handler.read(key).data == {"a": 1}


def test_what_is_not_i_json_cannot_start_a_session(world, handler):
    changes = {what: Change(set={"bad": value}, create=True) for what, value in REFUSED.items()}

    assert refusals(handler, None, changes) == dict.fromkeys(REFUSED, NOT_I_JSON)
    assert world.row_count() == 0


def test_what_is_not_i_json_cannot_be_appended(world, handler):
    key = world.put(bad=[])
    values = {**REFUSED, "16 containers, which the list makes 17": nested(16)}
    changes = {what: Change(append=("bad", value)) for what, value in values.items()}

    assert refusals(handler, key, changes) == dict.fromkeys(values, NOT_I_JSON)
    assert handler.read(key).data == {"bad": []}


def test_what_is_not_i_json_cannot_start_a_list(world, handler):
    changes = {what: Change(append=("bad", value), create=True) for what, value in REFUSED.items()}

    assert refusals(handler, None, changes) == dict.fromkeys(REFUSED, NOT_I_JSON)
    assert world.row_count() == 0


@pytest.mark.parametrize(
    "change",
    [
        Change(set={"good": 2, "bad": math.nan}),
        Change(set={"bad": math.nan, "good": 2}),
        Change(set={"bad": math.nan}, remove=frozenset({"a"}), user="eve"),
        Change(set={"good": 2}, append=("bad", math.nan)),
        Change(set={"bad": math.nan}, add=("n", 1)),
    ],
    ids=["good first", "bad first", "with remove and user", "bad append", "with add"],
)
def test_a_change_with_one_bad_key_changes_nothing(world, handler, change):
    key = world.put("ada", a=1, n=1)
    before = content(handler, key)
    with pytest.raises(SessionRefused) as refusal:
        handler.write(key, change)

    assert refusal.value.name == "bad"
    assert content(handler, key) == before


# The last shows that not everything is refused. By their spelling, because 1 and True are one key of a dict.
NAMES = {ascii(name): name for name in [*BAD_NAMES, "good"]}
REFUSALS = {text: ("not-i-json", name) for text, name in NAMES.items()} | {"'good'": None}


@pytest.mark.parametrize(
    "change_of",
    [
        lambda name: Change(set={name: 1}),
        lambda name: Change(set={name: 1}, create=True),
        lambda name: Change(add=(name, 1)),
        lambda name: Change(append=(name, 1)),
        lambda name: Change(remove=frozenset({name})),
    ],
    ids=["set", "created", "counted", "listed", "removed"],
)
def test_a_key_that_is_not_i_json_is_refused(world, handler, change_of):
    session, creates = world.put(a=1), change_of("good").create
    changes = {text: change_of(name) for text, name in NAMES.items()}

    assert refusals(handler, None if creates else session, changes) == REFUSALS
    assert handler.read(session).data.keys() - {"good"} == {"a"}


def test_a_summand_beyond_the_integers_is_refused(world, handler):
    counters = {"zero": 0, "below": -5, "above": 5}
    key = world.put(**counters)
    changes = {(name, n): Change(add=(name, n)) for name in [*counters, "none"] for n in BAD_SUMMANDS}

    assert refusals(handler, key, changes) == {(name, n): ("not-i-json", name) for name, n in changes}
    assert handler.read(key).data == counters


def test_values_are_read_as_they_were_created(world, handler):
    key = world.put(**KEPT)

    assert spelled(handler.read(key).data) == spelled(KEPT)


def test_values_are_read_as_they_were_set(world, handler):
    key = world.put()
    handler.write(key, Change(set=KEPT))

    assert spelled(handler.read(key).data) == spelled(KEPT)


def test_values_are_read_as_they_were_set_one_by_one_in_place_of_another(world, handler):
    key = world.put(**dict.fromkeys(KEPT, "before"))
    for name, value in KEPT.items():
        handler.write(key, Change(set={name: value}))

    assert spelled(handler.read(key).data) == spelled(KEPT)


def test_values_are_read_as_they_were_appended(world, handler):
    values = [value for name, value in KEPT.items() if name != "16 containers"]
    key = world.put(list=[0])
    for value in values:
        handler.write(key, Change(append=("list", value)))

    assert [*map(spelling, handler.read(key).data["list"])] == [*map(spelling, [0, *values])]


def test_values_are_kept_when_their_neighbours_change(world, handler):
    key = world.put(**KEPT, n=0, list=[])
    handler.write(key, Change(set={"other": 1}, add=("n", 1)))
    handler.write(key, Change(append=("list", 1), remove=frozenset({"other"})))

    assert spelled(handler.read(key).data) == spelled({**KEPT, "n": 1, "list": [1]})
