"""The table "What a dead id gets" of the session contract, row by row, and requests that overlap."""

import pytest
from wsgi_client import meanwhile

CHANGES = [
    ("PUT", "/api/session/data/a", 2),
    ("DELETE", "/api/session/data/a", None),
    ("POST", "/api/session/counters/n", None),
    ("POST", "/api/session/lists/list", 1),
    ("POST", "/api/login", {"user": "eve"}),
]
each_change = pytest.mark.parametrize(
    ("method", "path", "body"), CHANGES, ids=["set", "remove", "count", "append", "login"]
)


def ended(site):
    visitor = site.visitor("ada", a=1)
    tab = visitor.other_tab()
    visitor.ask("POST", "/api/logout")
    return tab


def rotated(site):
    visitor = site.visitor(a=1)
    tab = visitor.other_tab()
    visitor.ask("POST", "/api/login", {"user": "ada"})
    return tab


def expired(site):
    visitor = site.visitor("ada", a=1)
    site.visit.now += 10_000
    return visitor


def long_dead(site):
    tab = ended(site)
    site.visit.now += 61
    return tab


def cleaned(site):
    visitor = expired(site)
    site.visit.store.clean()
    return visitor


def forged(site):
    return site.browser(f"session={'A' * 43}")


def malformed(site):
    return site.browser("session=nonsense")


remembered = pytest.mark.parametrize("dead", [ended, rotated])
forgotten = pytest.mark.parametrize("dead", [expired, long_dead, cleaned, forged, malformed])


@pytest.mark.parametrize("dead", [ended, rotated, expired, long_dead, cleaned, forged, malformed])
def test_a_dead_id_reads_as_anonymous_and_keeps_its_cookie(site, dead):
    answer = dead(site).ask("GET", "/api/session")

    assert answer.json == {"server": "web-test", "user": None, "data": {}}
    assert answer.header("Set-Cookie") is None


@remembered
@each_change
def test_a_change_under_an_id_that_just_ended_is_refused_and_keeps_its_cookie(site, dead, method, path, body):
    answer = dead(site).ask(method, path, body)

    assert answer.problem == (409, "session-gone")
    assert answer.header("Set-Cookie") is None


@forgotten
@each_change
def test_a_change_under_a_forgotten_id_starts_a_new_session_under_a_new_id(site, dead, method, path, body):
    browser = dead(site)
    old = browser.cookie
    rows = len(site.visit.store._rows)

    assert browser.ask(method, path, body).status in (200, 204)
    creates = method != "DELETE"
    assert (browser.cookie != old) == creates
    assert len(site.visit.store._rows) == rows + creates


@remembered
def test_a_logout_under_an_id_that_just_ended_is_no_error(site, dead):
    assert dead(site).ask("POST", "/api/logout").status == 204


@each_change
def test_a_slow_change_across_a_logout_is_refused(site, method, path, body):
    visitor = site.visitor("ada", a=1)
    tab = visitor.other_tab()
    once = iter([lambda: tab.ask("POST", "/api/logout")])
    site.handler.before_write = lambda key: [meanwhile(act) for act in once]

    answer = visitor.ask(method, path, body)
    assert answer.problem == (409, "session-gone")
    assert answer.header("Set-Cookie") is None


@each_change
def test_a_slow_change_across_a_login_in_another_tab_is_refused_and_keeps_that_login(
    site, method, path, body
):
    visitor = site.visitor(a=1)
    tab = visitor.other_tab()
    once = iter([lambda: tab.ask("POST", "/api/login", {"user": "ada"})])
    site.handler.before_write = lambda key: [meanwhile(act) for act in once]

    assert visitor.ask(method, path, body).problem == (409, "session-gone")
    # A browser has one jar for its tabs: a cookie of the slow answer would replace the login's.
    assert tab.ask("GET", "/api/session").json == {"server": "web-test", "user": "ada", "data": {"a": 1}}


ENDINGS = {
    "logout": lambda other: other.destroy(),
    "login": lambda other: other.login("ada"),
    "logout everywhere": lambda other: other.destroy_all_of_user(),
    "expiry": lambda other: None,
}


@pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS.keys())
def test_a_route_that_read_before_an_ending_and_saves_after_it_is_refused(serve, visit, end):
    def route(session):
        if session.key is None:
            session.login("ada")
            return
        session["a"] = session.get("a", 0) + 1
        end(visit.session(session.key))
        visit.now += 10_000 * (end is ENDINGS["expiry"])

    browser = serve(route)
    browser.ask("POST", "/")
    answer = browser.ask("POST", "/")
    assert answer.status == 409
    assert answer.header("Set-Cookie") is None


def test_a_slow_change_across_an_expiry_is_refused(reference):
    visitor = reference.visitor(visits={"count": 1, "trail": []})

    def expire(key):
        reference.visit.now += 10_000

    reference.handler.before_write = expire
    answer = visitor.ask("POST", "/cart", b"tea=Assam", CONTENT_TYPE="application/x-www-form-urlencoded")

    assert answer.problem == (409, "session-gone")
    assert answer.header("Set-Cookie") is None


def test_two_first_requests_of_one_visitor_get_two_sessions_and_both_live(site):
    one, other = site.browser(), site.browser()
    one.ask("PUT", "/api/session/data/a", 1)
    other.ask("PUT", "/api/session/data/b", 2)

    assert (site.data(one), site.data(other)) == ({"a": 1}, {"b": 2})


def test_changes_of_two_tabs_both_survive(site):
    visitor = site.visitor(a=1)
    tab = visitor.other_tab()
    once = iter([lambda: tab.ask("PUT", "/api/session/data/b", 2)])
    site.handler.before_write = lambda key: [meanwhile(act) for act in once]
    visitor.ask("PUT", "/api/session/data/c", 3)

    assert site.data(visitor) == {"a": 1, "b": 2, "c": 3}


def test_a_visitor_with_a_dead_cookie_can_log_in_a_minute_later(site):
    tab = ended(site)
    site.visit.now += 61

    assert tab.ask("POST", "/api/login", {"user": "ada"}).status == 200
    assert tab.ask("GET", "/api/session").json["user"] == "ada"
