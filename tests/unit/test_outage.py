import pytest

WITH_SESSION = [
    ("GET", "/api/session", None),
    ("PUT", "/api/session/data/a", 2),
    ("DELETE", "/api/session/data/a", None),
    ("POST", "/api/session/counters/n", None),
    ("POST", "/api/session/lists/list", 1),
    ("POST", "/api/login", {"user": "ada"}),
    ("POST", "/api/logout", None),
    ("POST", "/api/logout-everywhere", None),
    ("GET", "/api/sessions", None),
    ("DELETE", "/api/sessions/" + "a" * 64, None),
]


@pytest.mark.parametrize(("method", "path", "body"), WITH_SESSION)
def test_an_outage_is_told_and_leaves_the_cookie_alone(site, method, path, body):
    visitor = site.visitor("ada", a=1)
    site.handler.is_down = True

    answer = visitor.ask(method, path, body)
    assert answer.problem == (503, "store-unavailable")
    assert answer.header("Retry-After") == "1"
    assert answer.header("Set-Cookie") is None


@pytest.mark.parametrize(("method", "path", "body"), WITH_SESSION)
def test_a_session_is_as_it_was_after_an_outage(site, method, path, body):
    visitor = site.visitor("ada", a=1)
    site.handler.is_down = True
    visitor.ask(method, path, body)
    site.handler.is_down = False

    assert visitor.ask("GET", "/api/session").json == {"server": "web-test", "user": "ada", "data": {"a": 1}}


def test_the_page_tells_an_outage_in_the_same_way(reference):
    test_an_outage_is_told_and_leaves_the_cookie_alone(reference, "GET", "/", None)


@pytest.mark.parametrize("path", ["/api/stateless", "/healthz", "/readyz"])
def test_routes_without_a_session_work_during_an_outage(site, path):
    site.handler.is_down = True

    assert site.browser(f"session={'A' * 43}").ask("GET", path).status == 200


def test_a_new_visitor_gets_no_cookie_for_a_session_that_could_not_be_made(site):
    site.handler.is_down = True
    answer = site.browser().ask("PUT", "/api/session/data/a", 1)

    assert answer.problem == (503, "store-unavailable")
    assert answer.header("Set-Cookie") is None


def test_an_outage_tells_nothing_of_the_database(site):
    site.handler.is_down = True
    answer = site.browser().ask("PUT", "/api/session/data/a", 1)

    assert "the test says so" not in answer.body.decode()


def test_a_request_that_fails_gives_back_what_it_borrowed(site):
    visitor = site.visitor()
    site.handler.is_down = True
    visitor.ask("GET", "/api/session")

    assert site.handler.opened == 0


def test_a_change_that_was_refused_says_so_and_no_more(site, caplog):
    site.handler.is_down = True
    site.browser().ask("PUT", "/api/session/data/a", 1)

    assert "session store unavailable" in caplog.text
