"""I-JSON (RFC 7493): the part of JSON that every language reads the same way.

All checks run in Python before a store sees the value, because stores differ in what they accept
without an error: MySQL collapses duplicate names, and MariaDB stores null for a lone surrogate.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from .handler import Json, SessionRefused
from .limits import MAX_DEPTH, MAX_INTEGER

# RFC 7493 section 2.1: neither surrogates nor noncharacters.
_FORBIDDEN = re.compile(
    "[\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
    + "".join(chr(plane << 16 | last) for plane in range(1, 17) for last in (0xFFFE, 0xFFFF))
    + "]"
)

_CANONICAL = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)


class NotIJson(ValueError):
    """The text or value is not I-JSON. The message says which rule was broken."""


def parse(text: bytes) -> Json:
    """Return the value that the UTF-8 text spells. Raises NotIJson."""
    try:
        value: Json = json.loads(
            text.decode(), object_pairs_hook=_without_duplicates, parse_constant=_no_constant
        )
    except NotIJson:
        raise
    except (ValueError, RecursionError) as error:
        raise NotIJson(f"not JSON: {error}") from error
    check(value)
    return value


def encode(value: Json, name: str) -> str:
    """Return the canonical text of a value that is to be stored under the name.

    Equal texts mean equal values, types included: 1, 1.0 and True have three texts.
    Raises SessionRefused, which carries the name.
    """
    try:
        check({name: None})
        check(value)
    except NotIJson as error:
        raise SessionRefused("not-i-json", name, f"{name!a} cannot be stored: {error}") from error
    return _CANONICAL.encode(value)


def check(value: Any, depth: int = 0) -> None:
    """Raise NotIJson unless the value is I-JSON of exact Python types."""
    kind = type(value)
    if kind is str:
        if not value.isascii() and (found := _FORBIDDEN.search(value)):
            raise NotIJson(f"U+{ord(found.group()):04X} is a surrogate or a noncharacter")
    elif kind is int:
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise NotIJson("an integer leaves ±(2^53-1)")
    elif kind is float:
        if not math.isfinite(value):
            raise NotIJson("a number is not finite")
    elif kind is list or kind is dict:
        if depth == MAX_DEPTH:
            raise NotIJson(f"nested deeper than {MAX_DEPTH} containers")
        if kind is dict:
            for name in value:
                if type(name) is not str:
                    raise NotIJson(f"the name {name!r} is not a string")
                check(name)
        for item in value.values() if kind is dict else value:
            check(item, depth + 1)
    elif value is not None and kind is not bool:
        raise NotIJson(f"{kind.__name__} is no JSON type")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise NotIJson("an object has two members of one name")
    return value


def _no_constant(name: str) -> None:
    raise NotIJson(f"{name} is no JSON number")
