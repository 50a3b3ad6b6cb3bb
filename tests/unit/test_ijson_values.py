"""Every value and name that may be stored, on the function that all handlers ask before they store."""

import json

import pytest

from contract.ijson_values import BAD_NAMES, BAD_SUMMANDS, KEPT, REFUSED, nested, spelling
from hopproof.handler import SessionRefused
from hopproof.ijson import encode


@pytest.mark.parametrize("value", [*REFUSED.values(), [nested(16)]], ids=[*REFUSED, "17 with its list"])
def test_a_value_that_is_not_i_json_is_refused_by_name(value):
    with pytest.raises(SessionRefused) as refusal:
        encode(value, "bad")

    assert (refusal.value.reason, refusal.value.name) == ("not-i-json", "bad")


@pytest.mark.parametrize("name", BAD_NAMES, ids=ascii)
def test_a_name_that_is_not_i_json_is_refused(name):
    with pytest.raises(SessionRefused) as refusal:
        encode(1, name)

    assert (refusal.value.reason, refusal.value.name) == ("not-i-json", name)


@pytest.mark.parametrize("n", BAD_SUMMANDS)
def test_a_number_beyond_the_integers_is_refused(n):
    with pytest.raises(SessionRefused):
        encode(n, "n")


@pytest.mark.parametrize("value", KEPT.values(), ids=KEPT)
def test_a_value_is_read_from_its_text_as_it_was(value):
    assert spelling(json.loads(encode(value, "a"))) == spelling(value)


def test_equal_objects_have_one_text_whatever_the_order_of_their_names():
    assert encode({"z": {"y": 1, "b": 2}, "a": 3}, "a") == encode({"a": 3, "z": {"b": 2, "y": 1}}, "a")


def test_values_that_python_takes_for_equal_have_three_texts():
    assert [encode(value, "a") for value in (1, 1.0, True)] == ["1", "1.0", "true"]
