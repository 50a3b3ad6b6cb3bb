"""Property: any I-JSON, written by any order of changes, is read as it was written, types included."""

import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from worlds import new_key

from hopproof.handler import Change
from hopproof.limits import MAX_INTEGER

# The world is emptied once for all examples; each of them has a key of its own.
a_few_examples = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

NONCHARACTER = re.compile("[\ufdd0-\ufdef]")
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).filter(
    lambda text: not NONCHARACTER.search(text) and all(ord(letter) & 0xFFFE != 0xFFFE for letter in text)
)
integers = st.integers(-MAX_INTEGER, MAX_INTEGER)
# Minus zero has a test of its own.
floats = st.floats(allow_nan=False, allow_infinity=False).filter(lambda number: repr(number) != "-0.0")
values = st.recursive(
    st.none() | st.booleans() | integers | floats | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
data = st.dictionaries(texts, values, max_size=5)

few_keys = st.sampled_from(["a", "b", "é", "🍵", 'c"\\', "", "\0", "d.e"])
deeds = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.dictionaries(few_keys, values, max_size=3)),
        st.tuples(st.just("remove"), st.frozensets(few_keys, max_size=3)),
        st.tuples(st.just("add"), few_keys, st.integers(-1000, 1000)),
        st.tuples(st.just("append"), few_keys, values),
    ),
    max_size=6,
)


def spelling(value):
    return json.dumps(value, sort_keys=True)


@a_few_examples
@given(data)
def test_what_a_session_starts_with_is_what_is_read(handler, data):
    key = new_key()
    handler.write(key, Change(set=data, create=True))

    assert spelling(handler.read(key).data) == spelling(data)


@a_few_examples
@given(data)
def test_what_is_set_is_what_is_read(handler, data):
    key = new_key()
    handler.write(key, Change(create=True))
    handler.write(key, Change(set=data))

    assert spelling(handler.read(key).data) == spelling(data)


@a_few_examples
@given(st.lists(values, max_size=5))
def test_what_is_appended_is_what_is_read(handler, items):
    key = new_key()
    handler.write(key, Change(set={"list": []}, create=True))
    for item in items:
        handler.write(key, Change(append=("list", item)))

    assert spelling(handler.read(key).data["list"]) == spelling(items)


@a_few_examples
@given(data, deeds)
def test_any_row_of_changes_leaves_what_plain_python_would(handler, data, deeds):
    key, expected = new_key(), dict(data)
    handler.write(key, Change(set=data, create=True))
    for kind, *arguments in deeds:
        if kind == "set":
            handler.write(key, Change(set=arguments[0]))
            expected |= arguments[0]
        elif kind == "remove":
            handler.write(key, Change(remove=arguments[0]))
            expected = {name: value for name, value in expected.items() if name not in arguments[0]}
        elif kind == "add" and type(expected.get(arguments[0], 0)) is int:
            name, n = arguments
            total = expected.get(name, 0) + n
            if abs(total) <= MAX_INTEGER:
                assert handler.write(key, Change(add=(name, n))) == total
                expected[name] = total
        elif kind == "append" and type(expected.get(arguments[0], [])) is list:
            name, item = arguments
            expected[name] = [*expected.get(name, []), item]
            assert handler.write(key, Change(append=(name, item))) == len(expected[name])

    assert spelling(handler.read(key).data) == spelling(expected)


@pytest.mark.parametrize("value", [-0.0, [-0.0]], ids=str)
def test_minus_zero_stays_a_float_and_minus(world, handler, value):
    key = world.put(created=value)
    handler.write(key, Change(set={"set": value}))

    assert spelling(handler.read(key).data) == spelling({"created": value, "set": value})
