import pytest
from worlds import content, new_key

from hopproof.handler import Change, SessionRefused
from hopproof.limits import MAX_INTEGER

NO_INTEGERS = ["", "1", "abc", 1.0, 1.5, -0.5, 1e16, 1e300, 1e-05, True, False, None, [], [1], {}, {"n": 1}]
NO_LISTS = ["", "[]", "abc", 0, 1, 1.5, True, False, None, {}, {"0": 1}]


def refusals(handler, key, changes):
    """Return for each change why it was refused and which name it has told, None if it was made."""
    told = {}
    for what, change in changes.items():
        told[what] = None
        try:
            handler.write(key, change)
        except SessionRefused as refusal:
            told[what] = (refusal.reason, refusal.name)
    return told


def test_only_an_integer_can_be_counted(world, handler):
    data = {repr(value): value for value in NO_INTEGERS}
    key = world.put(**data, other=1)
    before = content(handler, key)
    changes = {name: Change(add=(name, 1)) for name in data}

    assert refusals(handler, key, changes) == {name: ("wrong-type", name) for name in data}
    assert content(handler, key) == before


def test_only_a_list_can_be_appended_to(world, handler):
    data = {repr(value): value for value in NO_LISTS}
    key = world.put(**data, other=1)
    before = content(handler, key)
    changes = {name: Change(append=(name, 1)) for name in data}

    assert refusals(handler, key, changes) == {name: ("wrong-type", name) for name in data}
    assert content(handler, key) == before


@pytest.mark.parametrize("verb", ["add", "append"])
def test_a_change_that_counts_the_wrong_thing_changes_nothing(world, handler, verb):
    key = world.put(a=1, gone=2, text="abc")
    before = content(handler, key)

    with pytest.raises(SessionRefused):
        handler.write(
            key, Change(set={"a": 2, "b": 3}, remove=frozenset({"gone"}), user="eve", **{verb: ("text", 1)})
        )
    assert content(handler, key) == before


BEYOND = [
    (MAX_INTEGER, 1),
    (-MAX_INTEGER, -1),
    (1, MAX_INTEGER),
    (MAX_INTEGER, MAX_INTEGER),
    (-2, -MAX_INTEGER),
]
ON_THE_EDGE = [
    (2**31 - 1, 1, 2**31),
    (2**32 - 1, 1, 2**32),
    (2**32, 1, 2**32 + 1),
    (1_700_000_000_000, 1, 1_700_000_000_001),
    (MAX_INTEGER - 1, 1, MAX_INTEGER),
    (1 - MAX_INTEGER, -1, -MAX_INTEGER),
    (MAX_INTEGER, -MAX_INTEGER, 0),
    (-MAX_INTEGER, MAX_INTEGER, 0),
    (0, MAX_INTEGER, MAX_INTEGER),
    (0, -MAX_INTEGER, -MAX_INTEGER),
]


def test_a_sum_that_leaves_the_integers_is_refused(world, handler):
    counters = {f"{start} + {n}": start for start, n in BEYOND}
    key = world.put(**counters)
    changes = {f"{start} + {n}": Change(add=(f"{start} + {n}", n)) for start, n in BEYOND}

    assert refusals(handler, key, changes) == {name: ("wrong-type", name) for name in counters}
    assert handler.read(key).data == counters


def test_a_sum_on_the_edge_of_the_integers_is_exact(world, handler):
    key = world.put(**{f"{start} + {n}": start for start, n, _ in ON_THE_EDGE})
    totals = {f"{start} + {n}": total for start, n, total in ON_THE_EDGE}
    told = {
        f"{start} + {n}": handler.write(key, Change(add=(f"{start} + {n}", n))) for start, n, _ in ON_THE_EDGE
    }

    assert told == totals
    assert handler.read(key).data == totals


def test_a_count_may_start_at_the_edge_of_the_integers(world, handler):
    for n in (MAX_INTEGER, -MAX_INTEGER):
        assert handler.write(world.put(), Change(add=("n", n))) == n
        assert handler.write(new_key(), Change(add=("n", n), create=True)) == n


def test_an_overtaken_count_is_a_conflict_before_it_is_a_wrong_type(world, handler):
    key = world.put(n="text")

    with pytest.raises(Exception, match="version") as conflict:
        handler.write(key, Change(add=("n", 1), expected_version=7))
    assert type(conflict.value).__name__ == "SessionConflict"
