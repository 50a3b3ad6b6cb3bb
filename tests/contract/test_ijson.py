"""A value that is not I-JSON (RFC 7493) is refused by name, before a store can make something else of it."""

import math

import pytest
from worlds import content, new_key

from hopproof.handler import Change, SessionRefused

LARGEST = 2**53 - 1


def nested(containers):
    value = []
    for _ in range(containers - 1):
        value = [value]
    return value


REFUSED = {
    "a lone high surrogate": "a\ud800b",
    "a lone low surrogate": "\udc00",
    "a surrogate pair in two halves": "\ud83c\udf75",
    "a noncharacter": "\uffff",
    "a noncharacter in the middle": "\ufdd0",
    "a noncharacter of another plane": "\U0010fffe",
    "a surrogate in a name": {"\ud800": 1},
    "a noncharacter in a name": {"\ufffe": 1},
    "a surrogate deep inside": [{"a": [["\ud800"]]}],
    "not a number": math.nan,
    "infinity": math.inf,
    "minus infinity": [-math.inf],
    "an integer above 2^53-1": LARGEST + 1,
    "an integer below -(2^53-1)": -LARGEST - 1,
    "an integer of any size": [10**400],
    "a name that is a number": {1: "a"},
    "a name that is nothing": {None: "a"},
    "a name that is a truth": [{True: "a"}],
    "17 containers": nested(17),
    "very many containers": nested(500),
    "a tuple": (1, 2),
    "bytes": b"abc",
    "a set": {1, 2},
    "an object of a class": object(),
    "a subclass of str": type("Name", (str,), {})("a"),
    "a subclass of int": type("Number", (int,), {})(1),
    "a subclass of dict": type("Cart", (dict,), {})(a=1),
}
KEPT = {
    "null": None,
    "true": True,
    "false": False,
    "zero": 0,
    "the largest integer": LARGEST,
    "the smallest integer": -LARGEST,
    "a float that is whole": 1.0,
    "a float beyond the integers": 1e300,
    "a tiny float": 5e-324,
    "the largest float": 1.7976931348623157e308,
    "a float of 17 digits": 0.1 + 0.2,
    "a float of thousands": 1e16,
    "an empty text": "",
    "quotes and backslashes": "\"'`\\ \\n \\u0041 %s ? $ * -- ;",
    "control characters": "\0\x01\b\t\n\r\x1a\x1f\x7f\x80\u2028\u2029",
    "an emoji": "🍵👩‍🚀",
    "the last character of all": "\U0010fffd",
    "text that looks like JSON": '{"a":1}',
    "text that looks like null": "null",
    "an empty list": [],
    "an empty object": {},
    "16 containers": nested(16),
    "odd names": {"": 1, "\0": 2, '"': 3, "é": 4, "a.b": 5, " ": 6, "A": 7, "a": 8, "a ": 9},
    "names in an order of their own": {"z": 1, "a": 2},
    "one, one point nought and true": [1, 1.0, True],
}


def refused(values=REFUSED):
    return pytest.mark.parametrize("value", [pytest.param(value, id=name) for name, value in values.items()])


def spelling(value):
    """A text that is the same only for values of the same types: 1, 1.0 and True are three."""
    return repr(sorted(value.items())) if isinstance(value, dict) else repr(value)


@refused()
def test_what_is_not_i_json_cannot_be_set(world, handler, value):
    key = world.put(a=1)

    with pytest.raises(SessionRefused) as refusal:
        handler.write(key, Change(set={"bad": value}))
    assert (refusal.value.reason, refusal.value.name) == ("not-i-json", "bad")


@refused()
def test_what_is_not_i_json_cannot_start_a_session(world, handler, value):
    with pytest.raises(SessionRefused) as refusal:
        handler.write(new_key(), Change(set={"bad": value}, create=True))
    assert (refusal.value.reason, refusal.value.name) == ("not-i-json", "bad")
    assert world.row_count() == 0


@refused({**REFUSED, "16 containers, which the list makes 17": nested(16)})
def test_what_is_not_i_json_cannot_be_appended(world, handler, value):
    key = world.put(bad=[])

    with pytest.raises(SessionRefused) as refusal:
        handler.write(key, Change(append=("bad", value)))
    assert (refusal.value.reason, refusal.value.name) == ("not-i-json", "bad")


@refused()
def test_what_is_not_i_json_cannot_start_a_list(world, handler, value):
    with pytest.raises(SessionRefused) as refusal:
        handler.write(new_key(), Change(append=("bad", value), create=True))
    assert (refusal.value.reason, refusal.value.name) == ("not-i-json", "bad")


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


BAD_KEYS = ["\ud800", "a\udfff", "\uffff", "\ufdd5", 1, None, True, b"a"]


@pytest.mark.parametrize("bad", BAD_KEYS, ids=ascii)
def test_a_key_that_is_not_i_json_cannot_be_set(world, handler, bad):
    key = world.put(a=1)

    with pytest.raises(SessionRefused) as refusal:
        handler.write(key, Change(set={bad: 1}))
    assert (refusal.value.reason, refusal.value.name) == ("not-i-json", bad)


@pytest.mark.parametrize("bad", BAD_KEYS, ids=ascii)
def test_a_key_that_is_not_i_json_cannot_start_a_session(handler, bad):
    with pytest.raises(SessionRefused):
        handler.write(new_key(), Change(set={bad: 1}, create=True))


@pytest.mark.parametrize("bad", ["\ud800", 1], ids=ascii)
@pytest.mark.parametrize("verb", ["add", "append"])
def test_a_key_that_is_not_i_json_cannot_be_counted_or_listed(world, handler, verb, bad):
    key = world.put(a=1)

    with pytest.raises(SessionRefused):
        handler.write(key, Change(**{verb: (bad, 1)}))


@pytest.mark.parametrize("bad", ["\ud800", 1], ids=ascii)
def test_a_key_that_is_not_i_json_cannot_be_removed(world, handler, bad):
    key = world.put(a=1)

    with pytest.raises(SessionRefused):
        handler.write(key, Change(remove=frozenset({bad})))
    assert handler.read(key).data == {"a": 1}


@pytest.mark.parametrize("n", [LARGEST + 1, -LARGEST - 1, 2**63, -(2**63), 2**64, 10**30])
@pytest.mark.parametrize("start", [{}, {"n": 0}, {"n": -5}, {"n": 5}], ids=str)
def test_a_summand_beyond_the_integers_is_refused(world, handler, start, n):
    key = world.put(**start)

    with pytest.raises(SessionRefused) as refusal:
        handler.write(key, Change(add=("n", n)))
    assert (refusal.value.reason, refusal.value.name) == ("not-i-json", "n")
    assert handler.read(key).data == start


@pytest.mark.parametrize("value", [pytest.param(value, id=name) for name, value in KEPT.items()])
def test_a_value_is_read_as_it_was_created(world, handler, value):
    key = world.put(value=value)

    assert spelling(handler.read(key).data["value"]) == spelling(value)


@pytest.mark.parametrize("value", [pytest.param(value, id=name) for name, value in KEPT.items()])
def test_a_value_is_read_as_it_was_set(world, handler, value):
    key = world.put()
    handler.write(key, Change(set={"value": value}))

    assert spelling(handler.read(key).data["value"]) == spelling(value)


@pytest.mark.parametrize(
    "value", [pytest.param(value, id=name) for name, value in KEPT.items() if name != "16 containers"]
)
def test_a_value_is_read_as_it_was_appended(world, handler, value):
    key = world.put(list=[0])
    handler.write(key, Change(append=("list", value)))

    assert spelling(handler.read(key).data["list"][1]) == spelling(value)


@pytest.mark.parametrize("value", [pytest.param(value, id=name) for name, value in KEPT.items()])
def test_a_value_is_kept_when_its_neighbour_changes(world, handler, value):
    key = world.put(value=value, n=0, list=[])
    handler.write(key, Change(set={"other": 1}, add=("n", 1)))
    handler.write(key, Change(append=("list", 1), remove=frozenset({"other"})))

    assert spelling(handler.read(key).data["value"]) == spelling(value)
