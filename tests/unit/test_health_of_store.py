"""The public question for the store: a server asks it once a second at most."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from health import once_a_second


class Store:
    """Answers what it is told to, and counts the questions."""

    def __init__(self) -> None:
        self.now = 100.0
        self.answers = True
        self.asked = 0
        self.may_answer = threading.Event()
        self.may_answer.set()

    def ask(self) -> bool:
        self.asked += 1
        self.may_answer.wait(10)
        return self.answers


def test_an_answer_is_repeated_for_a_second() -> None:
    store = Store()
    answer = once_a_second(store.ask, lambda: store.now)

    assert answer()
    store.answers = False
    store.now += 0.99
    assert answer()
    assert store.asked == 1
    store.now += 0.02
    assert not answer()
    assert store.asked == 2


def test_the_second_begins_with_the_answer() -> None:
    store = Store()

    def slowly() -> bool:
        store.now += 2.5
        return store.ask()

    answer = once_a_second(slowly, lambda: store.now)
    assert [answer(), answer()] == [True, True]
    assert store.asked == 1


def test_callers_that_come_meanwhile_wait_for_one_answer() -> None:
    store = Store()
    store.may_answer.clear()
    answer = once_a_second(store.ask, lambda: store.now)
    with ThreadPoolExecutor(8) as callers:
        answers = [callers.submit(answer) for _ in range(8)]
        store.may_answer.set()
        assert [one.result() for one in answers] == [True] * 8
    assert store.asked == 1
