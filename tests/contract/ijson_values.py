"""Values on both sides of the line that I-JSON (RFC 7493) draws, by a name for each."""

from __future__ import annotations

import math
from typing import Any

LARGEST = 2**53 - 1


def nested(containers: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(containers - 1):
        value = [value]
    return value


REFUSED: dict[str, Any] = {
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
KEPT: dict[str, Any] = {
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
BAD_NAMES: list[Any] = ["\ud800", "a\udfff", "\uffff", "\ufdd5", 1, None, True, b"a"]
BAD_SUMMANDS = [LARGEST + 1, -LARGEST - 1, 2**63, -(2**63), 2**64, 10**30]


def spelling(value: Any) -> str:
    """Return a text that is the same only for values of the same types: 1, 1.0 and True are three."""
    return repr(sorted(value.items())) if isinstance(value, dict) else repr(value)


def spelled(values: dict[str, Any]) -> dict[str, str]:
    return {name: spelling(value) for name, value in values.items()}
