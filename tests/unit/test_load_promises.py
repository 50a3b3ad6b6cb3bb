"""The contradictions that the load test's visitors find in an answer."""

from __future__ import annotations

import pytest

from promises import Finding, Number, Promises, empty


def kind(finding: Finding | None) -> str | None:
    return finding and finding.kind


def test_a_number_that_rises_by_one_is_right() -> None:
    number = Number("counter")
    assert [number.raised("ok", n) for n in (1, 2, 3)] == [None, None, None]
    assert number.seen(3) is None


def test_a_number_that_goes_back_is_lost() -> None:
    number = Number("counter")
    number.raised("ok", 1)
    number.raised("ok", 2)
    assert kind(number.raised("ok", 2)) == "lost"


def test_a_number_beyond_what_was_asked_for_is_wrong() -> None:
    number = Number("counter")
    assert kind(number.raised("ok", 2)) == "wrong"


def test_after_a_lost_answer_both_outcomes_are_right_but_no_third() -> None:
    for shown, verdict in [(4, "lost"), (5, None), (6, None), (7, "wrong")]:
        number = Number("counter", 5, 5)
        number.raised("unknown")
        assert kind(number.seen(shown)) == verdict


def test_a_refused_request_has_raised_nothing() -> None:
    number = Number("counter", 5, 5)
    number.raised("refused")
    assert kind(number.seen(6)) == "wrong"


def test_what_was_lost_once_is_told_once() -> None:
    number = Number("counter", 5, 5)
    assert kind(number.seen(3)) == "lost"
    assert number.seen(3) is None


def session(user: str | None = None, **data: object) -> dict[str, object]:
    return {"server": "web-1", "user": user, "data": data}


def test_a_session_as_promised_is_right() -> None:
    promises = Promises("ada", user="ada")
    promises.counter.raised("ok", 1)
    promises.cart.raised("ok", 1)
    promises.cart.raised("ok", 2)
    assert promises.shown(session("ada", counter=1, cart=["ada#0", "ada#1"])) is None


def test_an_empty_session_is_lost() -> None:
    promises = Promises("ada")
    promises.cart.raised("ok", 1)
    assert kind(promises.shown(session())) == "lost"


def test_a_counter_that_a_session_shows_gone_back_is_lost() -> None:
    promises = Promises("ada")
    promises.counter.raised("ok", 1)
    assert kind(promises.shown(session(counter=0))) == "lost"


def test_the_tenth_item_of_a_cart_comes_after_the_ninth() -> None:
    promises = Promises("ada")
    promises.cart.low = promises.cart.high = 11
    assert promises.shown(session(cart=[f"ada#{number}" for number in range(11)])) is None


def test_who_is_logged_in_stays_logged_in() -> None:
    assert kind(Promises("ada", user="ada").shown(session())) == "lost"
    assert kind(Promises("ada").shown(session("grace"))) == "wrong"


@pytest.mark.parametrize(
    "cart",
    [["grace#0"], ["ada#1", "ada#0"], ["ada#0", "ada#0"]],
    ids=["another's", "out of order", "twice"],
)
def test_a_cart_that_nobody_filled_like_that_is_wrong(cart: list[str]) -> None:
    promises = Promises("ada")
    promises.cart.low = promises.cart.high = len(cart)
    assert kind(promises.shown(session(cart=cart))) == "wrong"


def test_an_ended_session_shows_nothing() -> None:
    assert empty(session(), "an ended session") is None
    assert kind(empty(session("ada"), "an ended session")) == "wrong"
    assert kind(empty(session(cart=[]), "an ended session")) == "wrong"
