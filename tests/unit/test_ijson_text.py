import pytest

from hopproof.ijson import NotIJson, parse

REFUSED = {
    "nothing": b"",
    "words": b"tea",
    "two values": b"1 2",
    "a trailing comma": b"[1,]",
    "single quotes": b"{'a':1}",
    "not UTF-8": b'"\xff"',
    "UTF-16": '"a"'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf1",
    "NaN": b"NaN",
    "Infinity": b"[Infinity]",
    "minus Infinity": b"-Infinity",
    "a number beyond all floats": b"1e999",
    "an integer beyond 2^53": b"9007199254740992",
    "thousands of digits": b"1" * 5000,
    "two members of one name": b'{"a":1,"a":1}',
    "two members of one name, spelled differently": b'{"a":1,"\\u0061":2}',
    "two members of one name deep inside": b'[{"b":{"a":1,"a":2}}]',
    "a lone surrogate": b'"\\ud800"',
    "a lone surrogate in a name": b'{"\\udfff":1}',
    "a noncharacter": b'"\\uffff"',
    "17 containers": b"[" * 17 + b"]" * 17,
    "100000 containers": b"[" * 100_000 + b"]" * 100_000,
    "100000 objects": b'{"a":' * 100_000,
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_a_text_that_is_not_i_json_is_refused(text):
    with pytest.raises(NotIJson):
        parse(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"null", None),
        (b" 1 ", 1),
        (b"1.0", 1.0),
        (b"-9007199254740991", -9007199254740991),
        (b'"\\ud83c\\udf75"', "🍵"),
        ('"🍵"'.encode(), "🍵"),
        (b'{"a":[true,{}]}', {"a": [True, {}]}),
        (b"[" * 16 + b"]" * 16, [[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]),
    ],
)
def test_a_text_that_is_i_json_is_read(text, value):
    assert repr(parse(text)) == repr(value)
