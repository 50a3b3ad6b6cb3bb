import pytest
from worlds import content, new_key

from hopproof.handler import Change, SessionRefused
from hopproof.limits import MAX_INTEGER

NO_INTEGERS = ["", "1", "abc", 1.0, 1.5, -0.5, 1e16, 1e300, 1e-05, True, False, None, [], [1], {}, {"n": 1}]
NO_LISTS = ["", "[]", "abc", 0, 1, 1.5, True, False, None, {}, {"0": 1}]


@pytest.mark.parametrize("value", NO_INTEGERS, ids=repr)
def test_only_an_integer_can_be_counted(world, handler, value):
    key = world.put(n=value, other=1)
    before = content(handler, key)

    with pytest.raises(SessionRefused) as refusal:
        handler.write(key, Change(add=("n", 1)))
    assert (refusal.value.reason, refusal.value.name) == ("wrong-type", "n")
    assert content(handler, key) == before


@pytest.mark.parametrize("value", NO_LISTS, ids=repr)
def test_only_a_list_can_be_appended_to(world, handler, value):
    key = world.put(list=value, other=1)
    before = content(handler, key)

    with pytest.raises(SessionRefused) as refusal:
        handler.write(key, Change(append=("list", 1)))
    assert (refusal.value.reason, refusal.value.name) == ("wrong-type", "list")
    assert content(handler, key) == before


@pytest.mark.parametrize("verb", ["add", "append"])
def test_a_change_that_counts_the_wrong_thing_changes_nothing(world, handler, verb):
    key = world.put("ada", a=1, gone=2, text="abc")
    before = content(handler, key)

    with pytest.raises(SessionRefused):
        handler.write(
            key, Change(set={"a": 2, "b": 3}, remove=frozenset({"gone"}), user="eve", **{verb: ("text", 1)})
        )
    assert content(handler, key) == before


@pytest.mark.parametrize(
    ("start", "n"),
    [(MAX_INTEGER, 1), (-MAX_INTEGER, -1), (1, MAX_INTEGER), (MAX_INTEGER, MAX_INTEGER), (-2, -MAX_INTEGER)],
)
def test_a_sum_that_leaves_the_integers_is_refused(world, handler, start, n):
    key = world.put(n=start)

    with pytest.raises(SessionRefused) as refusal:
        handler.write(key, Change(add=("n", n)))
    assert (refusal.value.reason, refusal.value.name) == ("wrong-type", "n")
    assert handler.read(key).data == {"n": start}


@pytest.mark.parametrize(
    ("start", "n", "total"),
    [
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
    ],
)
def test_a_sum_on_the_edge_of_the_integers_is_exact(world, handler, start, n, total):
    key = world.put(n=start)

    assert handler.write(key, Change(add=("n", n))) == total
    assert handler.read(key).data == {"n": total}


@pytest.mark.parametrize("n", [MAX_INTEGER, -MAX_INTEGER])
def test_a_count_may_start_at_the_edge_of_the_integers(world, handler, n):
    assert handler.write(world.put(), Change(add=("n", n))) == n
    assert handler.write(new_key(), Change(add=("n", n), create=True)) == n


def test_an_overtaken_count_is_a_conflict_before_it_is_a_wrong_type(world, handler):
    key = world.put(n="text")

    with pytest.raises(Exception, match="version") as conflict:
        handler.write(key, Change(add=("n", 1), expected_version=7))
    assert type(conflict.value).__name__ == "SessionConflict"
