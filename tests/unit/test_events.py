"""Security events: their lines, and that no line tells an id."""

from __future__ import annotations

import hashlib
import json
import logging

import pytest

from log import JsonLines


@pytest.fixture
def told(caplog):
    """The events since the last call, as the lines that leave."""
    caplog.set_level(logging.INFO)

    def events():
        lines = [JsonLines().format(record) for record in caplog.records if record.name == "events"]
        caplog.clear()
        assert all(len(line.splitlines()) == 1 for line in lines)
        return [json.loads(line) for line in lines]

    return events


def key_of(browser):
    session_id = browser.cookie.partition("=")[2]
    return hashlib.sha256(session_id.encode()).hexdigest()[:12]


def facts(line):
    return {name: line[name] for name in line.keys() - {"time", "level", "logger", "message", "request_id"}}


def form(browser, path, body=b""):
    return browser.ask("POST", path, body, CONTENT_TYPE="application/x-www-form-urlencoded")


LOG_IN = [
    lambda browser: browser.ask("POST", "/api/login", {"user": "ada"}),
    lambda browser: form(browser, "/login", b"user=ada"),
]
LOG_OUT = [lambda browser: browser.ask("POST", "/api/logout"), lambda browser: form(browser, "/logout")]
EVERYWHERE = [
    lambda browser: browser.ask("POST", "/api/logout-everywhere"),
    lambda browser: form(browser, "/logout-everywhere"),
]


@pytest.mark.parametrize("log_in", LOG_IN)
def test_a_login_tells_the_user_and_the_key_before(site, told, log_in):
    browser = site.browser()
    log_in(browser)
    assert [facts(line) for line in told()] == [{"event": "login", "key": key_of(browser), "user": "ada"}]

    before = key_of(browser)
    log_in(browser)
    (line,) = told()
    assert (line["key"], line["before"]) == (key_of(browser), before)


@pytest.mark.parametrize("log_out", LOG_OUT)
def test_a_logout_tells_the_key(site, told, log_out):
    visitor = site.visitor("ada")
    key = key_of(visitor)
    told()
    log_out(visitor)
    assert [facts(line) for line in told()] == [{"event": "logout", "key": key}]

    log_out(site.browser())
    assert told() == []


@pytest.mark.parametrize("log_out", EVERYWHERE)
def test_a_logout_everywhere_tells_how_many_it_ended(site, told, log_out):
    here, _ = site.visitor("ada"), site.visitor("ada")
    key = key_of(here)
    told()
    log_out(here)
    assert [facts(line) for line in told()] == [
        {"event": "logout-everywhere", "key": key, "user": "ada", "ended": 2}
    ]


@pytest.mark.parametrize(
    "end",
    [
        lambda browser, key: browser.ask("DELETE", f"/api/sessions/{key}"),
        lambda browser, key: form(browser, "/end-session", f"key={key}".encode()),
    ],
)
def test_the_end_of_another_session_tells_its_key_and_the_user(site, told, end):
    here, there = site.visitor("ada"), site.visitor("ada")
    key = hashlib.sha256(there.cookie.partition("=")[2].encode()).hexdigest()
    told()
    end(here, key)
    assert [facts(line) for line in told()] == [{"event": "session-ended", "key": key[:12], "user": "ada"}]

    end(here, "0" * 64)
    assert told() == []


@pytest.mark.parametrize("ask", [("GET", "/api/session"), ("POST", "/api/session/counters/n"), ("GET", "/")])
def test_a_cookie_without_a_live_session_is_told_once_a_request_and_counted(site, told, ask):
    forged = site.browser("session=" + "A" * 43)
    key = key_of(forged)
    forged.ask(*ask)
    assert [facts(line) for line in told()] == [{"event": "unknown-id", "key": key}]
    assert "hopproof_unknown_ids_total 1.0" in site.browser().ask("GET", "/metrics").body.decode()


def test_an_ended_session_is_told_like_one_that_never_was(site, told):
    visitor = site.visitor("ada")
    late = visitor.other_tab()
    visitor.ask("POST", "/api/logout")
    told()
    late.ask("POST", "/api/session/counters/n")
    assert [line["event"] for line in told()] == ["unknown-id"]


def test_visitors_with_a_live_session_or_none_are_no_event(site, told):
    visitor = site.visitor(n=1)
    told()
    for browser in (visitor, site.browser(), site.browser("session=short")):
        browser.ask("GET", "/api/session")
        browser.ask("GET", "/api/stateless")
    assert told() == []


def test_a_refused_origin_is_told_in_one_short_line(site, told):
    origin = 'https://evil.example/\n{"event": "login"}' + "x" * 5000
    site.browser().ask("POST", "/api/login", {"user": "ada"}, HTTP_ORIGIN=origin, HTTP_X_REQUEST_ID="abc-1")
    (line,) = told()
    assert facts(line) == {"event": "refused-origin", "origin": origin[:200]}
    assert line["request_id"] == "abc-1"


def test_no_line_has_an_id(site, caplog):
    caplog.set_level(logging.INFO)
    visitor = site.visitor("ada")
    ids = [visitor.cookie.partition("=")[2]]
    visitor.ask("POST", "/api/login", {"user": "ada"})
    ids.append(visitor.cookie.partition("=")[2])
    visitor.ask("POST", "/api/logout-everywhere")
    lines = [JsonLines().format(record) for record in caplog.records]
    assert lines
    assert [line for line in lines for session_id in ids if session_id in line] == []
