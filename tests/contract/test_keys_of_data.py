"""A key is any text. To a database it is a path, to a driver a template; neither may show through."""

import pytest
from worlds import new_key

from hopproof.handler import Change

KEYS = [
    "",
    " ",
    "a.b",
    "$",
    "$.a",
    "*",
    "[0]",
    "a[0]",
    "last",
    '"',
    'a"b',
    "'",
    "\\",
    "\\u0041",
    '\\"',
    "?",
    "%",
    "%s",
    "%(a)s",
    "\0",
    "a\0b",
    "\n",
    "\x7f",
    "/",
    "__proto__",
    "é",
    "e\u0301",
    "🍵",
    "\u2028",
    "\ufeff",
    "\U0010fffd",
    "a",
    "null",
    "0",
    "-",
    "-1",
    "--",
    "a-b",
    "a" * 128,
    "🍵" * 128,
]
NEIGHBOURS = {"neighbour": 1, "A neighbour": [2]}
every_key = pytest.mark.parametrize("name", KEYS, ids=lambda name: ascii(name)[1:21])


@every_key
def test_any_key_can_be_created_and_then_replaced(handler, name):
    key = new_key()
    handler.write(key, Change(set={**NEIGHBOURS, name: 1}, create=True))
    handler.write(key, Change(set={name: 2}))

    assert handler.read(key).data == {**NEIGHBOURS, name: 2}


@every_key
def test_any_key_can_be_set_and_removed(world, handler, name):
    key = world.put(**NEIGHBOURS)
    handler.write(key, Change(set={name: {"a": 1}}))
    assert handler.read(key).data == {**NEIGHBOURS, name: {"a": 1}}

    handler.write(key, Change(remove=frozenset({name})))
    assert handler.read(key).data == NEIGHBOURS


@every_key
def test_any_key_can_be_created_and_removed(handler, name):
    key = new_key()
    handler.write(key, Change(set={**NEIGHBOURS, name: 1}, create=True))
    handler.write(key, Change(remove=frozenset({name})))

    assert handler.read(key).data == NEIGHBOURS


@every_key
def test_any_key_can_be_counted(handler, name):
    key = new_key()
    handler.write(key, Change(set=NEIGHBOURS, add=(name, 1), create=True))

    assert handler.write(key, Change(add=(name, 1))) == 2
    assert handler.read(key).data == {**NEIGHBOURS, name: 2}


@every_key
def test_any_key_can_be_a_list(handler, name):
    key = new_key()
    handler.write(key, Change(set=NEIGHBOURS, append=(name, "a"), create=True))

    assert handler.write(key, Change(append=(name, "b"))) == 2
    assert handler.read(key).data == {**NEIGHBOURS, name: ["a", "b"]}


def test_all_these_keys_live_side_by_side(world, handler):
    key = world.put()
    handler.write(key, Change(set={name: i for i, name in enumerate(KEYS)}))
    handler.write(key, Change(remove=frozenset(KEYS[::2])))

    assert handler.read(key).data == {name: i for i, name in enumerate(KEYS) if i % 2}
