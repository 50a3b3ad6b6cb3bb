import json
import logging

import pytest
from bottle import Bottle
from wsgi_client import Browser, meanwhile

from log import JsonLines


@pytest.fixture
def line(caplog):
    """The last thing that was logged, as the line that leaves."""
    return lambda: json.loads(JsonLines().format(caplog.records[-1]))


def test_a_line_says_when_how_bad_who_and_what(line):
    logging.getLogger("test").warning("%d of %s", 1, "two")

    assert line().keys() == {"time", "level", "logger", "message"}
    assert (line()["level"], line()["logger"], line()["message"]) == ("warning", "test", "1 of two")


def test_a_line_is_one_line_whatever_it_says(caplog):
    logging.getLogger("test").warning('a\n"b"\r\n{}\u2028é')

    text = JsonLines().format(caplog.records[-1])
    assert len(text.splitlines()) == 1
    assert json.loads(text)["message"] == 'a\n"b"\r\n{}\u2028é'


def test_an_error_has_its_traceback(line):
    try:
        raise ZeroDivisionError("what happened")
    except ZeroDivisionError:
        logging.getLogger("test").exception("failed")

    assert "ZeroDivisionError: what happened" in line()["traceback"]


def test_a_line_carries_the_request_that_it_is_about(line):
    app = Bottle()

    @app.get("/")
    def route():
        logging.getLogger("test").warning("in the midst")
        return json.dumps(line())

    answer = meanwhile(lambda: Browser(app).ask("GET", "/", HTTP_X_REQUEST_ID="abc-1"))
    assert answer.json["request_id"] == "abc-1"


def test_a_line_outside_of_a_request_carries_none(line):
    logging.getLogger("test").warning("outside")
    record_line = meanwhile(line)

    assert "request_id" not in record_line
