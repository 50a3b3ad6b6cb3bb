import re

import pytest
from bottle import HTTPResponse, abort, redirect

from hopproof.web import SESSION_ID, Cookie, key_of

OURS = re.compile(r"session=[A-Za-z0-9_-]{43}; HttpOnly; Path=/; SameSite=Lax")


def attributes(answer):
    pair, *rest = answer.header("Set-Cookie").split("; ")
    return pair.partition("=")[0], sorted(part.lower() for part in rest)


def test_a_new_session_sends_its_cookie_with_exactly_these_attributes(site):
    answer = site.browser().ask("PUT", "/api/session/data/a", 1)

    assert attributes(answer) == ("session", ["httponly", "path=/", "samesite=lax"])


def test_the_id_is_32_random_bytes(site):
    ids = {site.visitor().cookie.removeprefix("session=") for _ in range(50)}

    assert len(ids) == 50
    assert all(SESSION_ID.fullmatch(session_id) for session_id in ids)


def test_the_store_knows_the_hash_of_the_id_only(site):
    session_id = site.visitor().cookie.removeprefix("session=")

    assert list(site.visit.store._rows) == [key_of(session_id)]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/session", None),
        ("PUT", "/api/session/data/a", 2),
        ("DELETE", "/api/session/data/a", None),
        ("POST", "/api/session/counters/n", None),
        ("POST", "/api/session/lists/list", 1),
    ],
)
def test_the_cookie_is_not_sent_again_while_the_id_stays(site, method, path, body):
    assert site.visitor().ask(method, path, body).header("Set-Cookie") is None


def test_the_page_sends_the_cookie_no_second_time(reference):
    assert reference.visitor().ask("GET", "/").header("Set-Cookie") is None


def test_a_login_sends_a_new_cookie(site):
    answer = site.visitor().ask("POST", "/api/login", {"user": "ada"})

    assert attributes(answer) == ("session", ["httponly", "path=/", "samesite=lax"])


@pytest.mark.parametrize("path", ["/logout", "/logout-everywhere"])
def test_a_logout_of_the_page_clears_the_cookie_where_it_was_set(reference, path):
    test_a_logout_clears_the_cookie_where_it_was_set(reference, path)


@pytest.mark.parametrize("path", ["/api/logout", "/api/logout-everywhere"])
def test_a_logout_clears_the_cookie_where_it_was_set(site, path):
    answer = site.visitor("ada").ask("POST", path)
    name, rest = attributes(answer)

    assert name == "session"
    assert rest == [
        "expires=thu, 01 jan 1970 00:00:00 gmt",
        "httponly",
        "max-age=0",
        "path=/",
        "samesite=lax",
    ]


def test_a_lasting_cookie_says_how_long(serve):
    browser = serve(lambda session: session.update(a=1), Cookie(max_age_s=3600))

    assert "max-age=3600" in attributes(browser.ask("POST", "/"))[1]


def test_a_secure_cookie_has_the_prefix_that_browsers_insist_on(serve):
    browser = serve(lambda session: session.update(a=1), Cookie(secure=True))
    answer = browser.ask("POST", "/")

    assert attributes(answer) == ("__Host-session", ["httponly", "path=/", "samesite=lax", "secure"])
    assert browser.ask("POST", "/").header("Set-Cookie") is None


# However a route ends, a new id reaches the visitor.


def returns_nothing(session):
    session.login("ada")


def returns_a_dict(session):
    session.login("ada")
    return {"a": 1}


def returns_a_response(session):
    session.login("ada")
    return HTTPResponse(status=201)


def raises_a_response(session):
    session.login("ada")
    raise HTTPResponse(status=202)


def redirects(session):
    session.login("ada")
    redirect("/elsewhere", 303)


def aborts(session):
    session.login("ada")
    abort(418, "no")


def fails(session):
    session.login("ada")
    raise ZeroDivisionError


def fails_to_save(session):
    session.login("ada")
    session["bad"] = float("nan")


@pytest.mark.parametrize(
    ("route", "status"),
    [
        (returns_nothing, 200),
        (returns_a_dict, 200),
        (returns_a_response, 201),
        (raises_a_response, 202),
        (redirects, 303),
        (aborts, 418),
        (fails, 500),
        (fails_to_save, 400),
    ],
)
def test_a_new_id_reaches_the_visitor_on_whatever_answer_leaves(serve, visit, route, status):
    browser = serve(route)

    assert browser.ask("POST", "/").status == status
    session_id = browser.cookie.removeprefix("session=")
    assert visit.store.read(key_of(session_id)).user == "ada"


def test_cookies_that_a_route_sets_leave_beside_ours(serve):
    def route(session):
        session["a"] = 1
        answer = HTTPResponse(status=200)
        answer.set_cookie("mine", "1")
        return answer

    cookies = serve(route).ask("POST", "/").all("Set-Cookie")
    assert sorted(cookie.partition("=")[0] for cookie in cookies) == ["mine", "session"]


# Malformed cookies


GOOD = "A" * 43


@pytest.mark.parametrize(
    "cookie",
    [
        "session=",
        "session",
        "session=short",
        f"session={GOOD}A",
        f"session={'A' * 42}",
        f"session={'A' * 42}B",
        f"session={'A' * 42}=",
        f"session={GOOD}=",
        f'session="{GOOD}"',
        f"session=%41{GOOD[1:]}",
        f"session={'é' * 43}",
        f"session={'A' * 41}\xe9A",
        f"session={'A' * 60_000}",
        f"Session={GOOD}",
        f"session ={GOOD}",
        "a/b=1",
        "=",
        ";",
        ";;;=;=;;",
        "\x00",
        "a=\x7f\x80",
        'a="unclosed; session',
        "session=../../etc/passwd",
        "session='; DROP TABLE sessions; --",
        "$Version=1",
    ],
    ids=lambda cookie: ascii(cookie)[1:40],
)
def test_a_cookie_of_the_wrong_form_is_anonymous_and_asks_nothing_of_the_store(site, cookie):
    answer = site.browser(cookie).ask("GET", "/api/session")

    assert (answer.status, answer.json["data"]) == (200, {})
    assert site.handler.verbs == []
    assert answer.header("Set-Cookie") is None


@pytest.mark.parametrize(
    "frame", ["{}", "a/b=1; {}", "{}; other=1", "a=1;{};b=2", "  {}  ", "x; {}", 'q="a;b"; {}']
)
def test_the_cookie_is_found_among_others(site, frame):
    visitor = site.visitor(a=1)
    visitor.cookie = frame.format(visitor.cookie)

    assert site.data(visitor) == {"a": 1}


def test_of_two_cookies_of_our_name_the_first_counts(site):
    visitor = site.visitor(a=1)
    visitor.cookie = f"{visitor.cookie}; session={GOOD}"

    assert site.data(visitor) == {"a": 1}


def test_of_two_cookies_of_our_name_the_first_well_formed_one_counts(site):
    """Otherwise, with a stray cookie of a parent domain, each change would start a new session."""
    visitor = site.visitor(cart=["tea"])
    visitor.cookie = f"session=junk; {visitor.cookie}"

    assert site.data(visitor) == {"cart": ["tea"]}


def test_a_forged_cookie_of_the_right_form_is_anonymous(site):
    answer = site.browser(f"session={GOOD}").ask("GET", "/api/session")

    assert (answer.status, answer.json["data"]) == (200, {})
    assert answer.header("Set-Cookie") is None


def test_a_forged_cookie_is_replaced_and_not_adopted_when_something_is_stored(site):
    browser = site.browser(f"session={GOOD}")
    browser.ask("PUT", "/api/session/data/a", 1)

    assert OURS.fullmatch(f"{browser.cookie}; HttpOnly; Path=/; SameSite=Lax")
    assert browser.cookie != f"session={GOOD}"
    assert site.data(site.browser(f"session={GOOD}")) == {}
