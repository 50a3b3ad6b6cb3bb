"""A session that somebody else has spoilt is one visitor's trouble, and not for long."""

import pytest

from plugin import key_of

WITH_SESSION = [
    ("GET", "/api/session", None),
    ("PUT", "/api/session/data/a", 2),
    ("DELETE", "/api/session/data/a", None),
    ("POST", "/api/session/counters/n", None),
    ("POST", "/api/session/lists/list", 1),
    ("POST", "/api/login", {"user": "ada"}),
    ("POST", "/api/logout-everywhere", None),
    ("GET", "/", None),
]


@pytest.fixture
def visitor(site):
    visitor = site.visitor("ada", a=1)
    site.handler.broken.add(key_of(visitor.cookie.partition("=")[2]))
    return visitor


@pytest.mark.parametrize(("method", "path", "body"), WITH_SESSION)
def test_a_broken_session_is_told_and_leaves_the_cookie_alone(site, visitor, method, path, body):
    answer = visitor.ask(method, path, body)

    assert answer.problem == (500, "session-broken")
    assert answer.header("Set-Cookie") is None
    assert site.handler.opened == 0


def test_a_broken_session_is_logged_with_its_key_and_what_to_type(site, visitor, caplog):
    (key,) = site.handler.broken
    answer = visitor.ask("GET", "/api/session")

    assert f"make sessions ARGS='show {key.hex()}'" in caplog.text
    assert key.hex() not in answer.body.decode()


def test_a_broken_session_is_nobody_elses_trouble(site, visitor):
    assert site.visitor(n=1).ask("GET", "/api/session").json["data"] == {"n": 1}


def test_a_logout_ends_a_broken_session(site, visitor):
    assert visitor.ask("POST", "/api/logout").status == 204
    assert visitor.cookie is None
    assert visitor.ask("GET", "/api/session").json["user"] is None
