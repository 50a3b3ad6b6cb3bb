"""A name is any text. A database takes it for a path, a driver for a template; neither may change it."""

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

# All of them in one session: a name that is mistaken for another, or lost, makes the dicts differ.


def test_any_key_can_be_created_and_then_replaced(handler):
    key = new_key()
    handler.write(key, Change(set={**NEIGHBOURS, **dict.fromkeys(KEYS, 1)}, create=True))
    for i, name in enumerate(KEYS):
        handler.write(key, Change(set={name: i}))

    assert handler.read(key).data == {**NEIGHBOURS, **{name: i for i, name in enumerate(KEYS)}}


def test_any_key_can_be_set_and_removed(world, handler):
    key = world.put(**NEIGHBOURS)
    for i, name in enumerate(KEYS):
        handler.write(key, Change(set={name: {"a": i}}))
    assert handler.read(key).data == {**NEIGHBOURS, **{name: {"a": i} for i, name in enumerate(KEYS)}}

    for name in KEYS:
        handler.write(key, Change(remove=frozenset({name})))
    assert handler.read(key).data == NEIGHBOURS


def test_any_key_can_be_created_and_removed(handler):
    key = new_key()
    handler.write(key, Change(set={**NEIGHBOURS, **dict.fromkeys(KEYS, 1)}, create=True))
    for name in KEYS:
        handler.write(key, Change(remove=frozenset({name})))

    assert handler.read(key).data == NEIGHBOURS


def test_any_key_can_be_counted(handler):
    key = new_key()
    handler.write(key, Change(set={**NEIGHBOURS, **{name: i for i, name in enumerate(KEYS)}}, create=True))
    told = {name: handler.write(key, Change(add=(name, 1))) for name in KEYS}

    assert told == {name: i + 1 for i, name in enumerate(KEYS)}
    assert handler.read(key).data == {**NEIGHBOURS, **told}


def test_any_key_can_be_a_list(handler):
    key = new_key()
    handler.write(key, Change(set={**NEIGHBOURS, **{name: [i] for i, name in enumerate(KEYS)}}, create=True))
    told = {name: handler.write(key, Change(append=(name, "b"))) for name in KEYS}

    assert told == dict.fromkeys(KEYS, 2)
    assert handler.read(key).data == {**NEIGHBOURS, **{name: [i, "b"] for i, name in enumerate(KEYS)}}


def test_any_key_can_be_what_a_session_starts_to_count_or_list(handler):
    counts, lists = {name: new_key() for name in KEYS}, {name: new_key() for name in KEYS}
    for name in KEYS:
        handler.write(counts[name], Change(set=NEIGHBOURS, add=(name, 1), create=True))
        handler.write(lists[name], Change(append=(name, "a"), create=True))

    assert {name: handler.read(key).data for name, key in counts.items()} == {
        name: {**NEIGHBOURS, name: 1} for name in KEYS
    }
    assert {name: handler.read(key).data for name, key in lists.items()} == {
        name: {name: ["a"]} for name in KEYS
    }


def test_any_key_can_be_counted_or_listed_first_in_a_session_that_is_there(world, handler):
    counts, lists = world.put(), world.put()
    assert [handler.write(counts, Change(add=(name, 1))) for name in KEYS] == [1] * len(KEYS)
    assert [handler.write(lists, Change(append=(name, "a"))) for name in KEYS] == [1] * len(KEYS)

    assert handler.read(counts).data == dict.fromkeys(KEYS, 1)
    assert handler.read(lists).data == {name: ["a"] for name in KEYS}


def test_all_these_keys_live_side_by_side(world, handler):
    key = world.put()
    handler.write(key, Change(set={name: i for i, name in enumerate(KEYS)}))
    handler.write(key, Change(remove=frozenset(KEYS[::2])))

    assert handler.read(key).data == {name: i for i, name in enumerate(KEYS) if i % 2}
