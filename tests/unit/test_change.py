import pytest
from recorded import new_key

from hopproof.handler import Change, SessionGone, SessionRefused


@pytest.mark.parametrize(
    "parts",
    [
        {"set": {"a": 1}, "remove": frozenset({"a"})},
        {"set": {"a": 1}, "add": ("a", 1)},
        {"remove": frozenset({"a"}), "append": ("a", 1)},
        {"add": ("a", 1), "append": ("b", 1)},
        {"create": True, "rotate_to": new_key()},
        {"create": True, "expected_version": 1},
        {"user": ""},
        {"user": "a" * 65},
        {"user": "é" * 33},
        {"user": "\ud800"},
        {"add": ("a", 1.5)},
        {"add": ("a", True)},
        {"add": ("a", "1")},
    ],
    ids=str,
)
def test_a_change_that_contradicts_itself_cannot_be_made(parts):
    with pytest.raises(ValueError, match=r"\w"):
        Change(**parts)


@pytest.mark.parametrize("user", ["a", "a" * 64, "é" * 32])
def test_a_user_has_1_to_64_bytes(user):
    assert Change(user=user).user == user


def test_an_empty_change_is_a_touch():
    assert Change().is_touch


@pytest.mark.parametrize(
    "parts",
    [
        {"set": {"a": None}},
        {"remove": frozenset({"a"})},
        {"add": ("a", 0)},
        {"append": ("a", None)},
        {"user": "ada"},
        {"create": True},
        {"rotate_to": bytes(32)},
        {"expected_version": 1},
    ],
    ids=str,
)
def test_a_change_of_anything_is_no_touch(parts):
    assert not Change(**parts).is_touch


def test_an_error_tells_whether_the_session_was_ended():
    assert "was ended" in str(SessionGone(ended=True))
    assert "no live session" in str(SessionGone(ended=False))


def test_a_refusal_carries_its_evidence():
    refusal = SessionRefused("wrong-type", "n", "n holds no list")

    assert (refusal.reason, refusal.name, str(refusal)) == ("wrong-type", "n", "n holds no list")
