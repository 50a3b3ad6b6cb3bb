import logging
import threading
import time

import pytest

from hopproof.handler import SessionConflict, SessionStoreUnavailable
from janitor import clean_every


class Broom:
    """A handler that cleans as the test says: each answer is a number of rows or an error."""

    def __init__(self, stop, *answers):
        self.stop = stop
        self.answers = list(answers)
        self.calls = []

    def open(self):
        self.calls.append("open")

    def clean(self):
        self.calls.append("clean")
        answer = self.answers.pop(0)
        if not self.answers:
            self.stop.set()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self):
        self.calls.append("close")


@pytest.fixture
def stop():
    return threading.Event()


OUTAGE = SessionStoreUnavailable("no answer")


def test_it_cleans_at_once_and_again_and_again(stop):
    broom = Broom(stop, 1, 2, 3)
    clean_every(0.001, lambda: broom, stop)

    assert broom.calls == ["open", "clean", "close"] * 3


def test_it_survives_an_outage(stop, caplog):
    broom = Broom(stop, OUTAGE, OUTAGE, 1)
    clean_every(0.001, lambda: broom, stop)

    assert broom.calls.count("clean") == 3
    assert caplog.text.count("could not clean") == 2


def test_it_gives_its_connection_back_after_an_outage(stop):
    broom = Broom(stop, OUTAGE, 1)
    clean_every(0.001, lambda: broom, stop)

    assert broom.calls == ["open", "clean", "close"] * 2


def test_it_tells_how_much_it_removed(stop, caplog):
    caplog.set_level(logging.INFO)
    clean_every(0.001, lambda: Broom(stop, 42), stop)

    assert "removed 42" in caplog.text


def test_it_stops_in_the_midst_of_its_rest(stop):
    broom = Broom(threading.Event(), 1)
    thread = threading.Thread(target=clean_every, args=(3600, lambda: broom, stop))
    thread.start()
    stop.set()
    thread.join(10)

    assert not thread.is_alive()


def test_it_does_nothing_when_it_was_stopped_before(stop):
    stop.set()
    broom = Broom(stop, 1)
    clean_every(3600, lambda: broom, stop)

    assert broom.calls == []


def test_it_says_that_another_one_was_at_it(stop, caplog):
    caplog.set_level(logging.INFO)
    broom = Broom(stop, SessionConflict("another cleaner is at work"), 1)
    clean_every(0.001, lambda: broom, stop)

    assert "skipped: another cleaner is at work" in caplog.text
    assert broom.calls == ["open", "clean", "close"] * 2


def test_it_borrows_nothing_outside_of_its_hours(stop):
    asked = []

    def may_clean():
        asked.append(len(broom.calls))
        return len(asked) > 2

    broom = Broom(stop, 1)
    clean_every(0.001, lambda: broom, stop, may_clean)

    assert asked == [0, 0, 0]
    assert broom.calls == ["open", "clean", "close"]


def test_it_rests_between_two_passes(stop):
    broom, started = Broom(stop, 1, 2, 3), time.monotonic()
    clean_every(0.05, lambda: broom, stop)

    assert time.monotonic() - started >= 0.1


def test_an_error_of_another_kind_ends_it(stop):
    """A bug must reach the supervisor and the log. Swallowed, it would stay unnoticed."""
    with pytest.raises(ZeroDivisionError):
        clean_every(0.001, lambda: Broom(stop, ZeroDivisionError()), stop)
