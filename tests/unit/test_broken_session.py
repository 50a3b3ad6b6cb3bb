"""A broken row is an error for its own visitor only, and a logout ends it."""

import pytest
from test_outage import WITH_SESSION

from hopproof.web import key_of

# A logout reads nothing of the row: it ends the session, broken or not.
READING = [request for request in WITH_SESSION if request[1] != "/api/logout"]


@pytest.fixture
def visitor(site):
    visitor = site.visitor("ada", a=1)
    site.handler.broken.add(key_of(visitor.cookie.partition("=")[2]))
    return visitor


@pytest.mark.parametrize(("method", "path", "body"), READING)
def test_a_broken_session_is_told_and_leaves_the_cookie_alone(site, visitor, method, path, body):
    answer = visitor.ask(method, path, body)

    assert answer.problem == (500, "session-broken")
    assert answer.header("Set-Cookie") is None
    assert site.handler.opened == 0


def test_a_broken_session_is_logged_with_its_key(site, visitor, caplog):
    (key,) = site.handler.broken
    answer = visitor.ask("GET", "/api/session")

    assert key.hex() in caplog.text
    assert key.hex() not in answer.body.decode()


def test_a_broken_session_is_nobody_elses_trouble(site, visitor):
    assert site.visitor(n=1).ask("GET", "/api/session").json["data"] == {"n": 1}


def test_a_logout_ends_a_broken_session(site, visitor):
    assert visitor.ask("POST", "/api/logout").status == 204
    assert visitor.cookie is None
    assert visitor.ask("GET", "/api/session").json["user"] is None
