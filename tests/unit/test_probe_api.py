"""Every row of the table "Probe API" in the session contract, with and without a session."""

import pytest


def test_a_session_shows_its_data_its_user_and_the_server(site):
    visitor = site.visitor("ada", n=1)

    answer = visitor.ask("GET", "/api/session")
    assert answer.status == 200
    assert answer.json == {"server": "web-test", "user": "ada", "data": {"n": 1}}


def test_no_session_shows_as_empty_and_sets_no_cookie(site):
    answer = site.browser().ask("GET", "/api/session")

    assert (answer.status, answer.json["data"], answer.json["user"]) == (200, {}, None)
    assert answer.header("Set-Cookie") is None


def test_a_value_is_set(site):
    visitor = site.visitor(a=1)

    answer = visitor.ask("PUT", "/api/session/data/b", {"x": [1]})
    assert (answer.status, answer.body) == (204, b"")
    assert site.data(visitor) == {"a": 1, "b": {"x": [1]}}


def test_setting_a_value_starts_a_session(site):
    browser = site.browser()

    assert browser.ask("PUT", "/api/session/data/a", None).status == 400
    assert browser.ask("PUT", "/api/session/data/a", b"null").status == 204
    assert site.data(browser) == {"a": None}


def test_a_value_is_removed(site):
    visitor = site.visitor(a=1, b=2)

    answer = visitor.ask("DELETE", "/api/session/data/a")
    assert (answer.status, answer.body) == (204, b"")
    assert site.data(visitor) == {"b": 2}


def test_an_absent_value_is_removed_without_an_error(site):
    assert site.visitor(a=1).ask("DELETE", "/api/session/data/b").status == 204


def test_removing_creates_nothing_and_sets_no_cookie(site):
    answer = site.browser().ask("DELETE", "/api/session/data/a")

    assert answer.status == 204
    assert answer.header("Set-Cookie") is None
    assert site.visit.store._rows == {}


def test_a_counter_counts(site):
    visitor = site.visitor(n=1)

    answer = visitor.ask("POST", "/api/session/counters/n")
    assert (answer.status, answer.json) == (200, {"value": 2})


def test_a_counter_starts_a_session_at_one(site):
    browser = site.browser()

    assert browser.ask("POST", "/api/session/counters/n").json == {"value": 1}
    assert site.data(browser) == {"n": 1}


def test_a_list_grows(site):
    visitor = site.visitor(list=["a"])

    answer = visitor.ask("POST", "/api/session/lists/list", {"b": 1})
    assert (answer.status, answer.json) == (200, {"length": 2})
    assert site.data(visitor) == {"list": ["a", {"b": 1}]}


def test_a_list_starts_a_session_at_length_one(site):
    browser = site.browser()

    assert browser.ask("POST", "/api/session/lists/list", "a").json == {"length": 1}
    assert site.data(browser) == {"list": ["a"]}


def test_a_login_keeps_the_data_under_a_new_id_and_ends_the_old_one(site):
    visitor = site.visitor(a=1)
    old = visitor.other_tab()

    answer = visitor.ask("POST", "/api/login", {"user": "ada"})
    assert (answer.status, answer.json) == (200, {"user": "ada"})
    assert visitor.cookie != old.cookie
    assert site.data(visitor) == {"a": 1}
    assert site.data(old) == {}


def test_a_login_starts_a_session(site):
    browser = site.browser()
    browser.ask("POST", "/api/login", {"user": "ada"})

    assert browser.ask("GET", "/api/session").json["user"] == "ada"


@pytest.mark.parametrize("user", ["a", "a" * 64, "é" * 32, " ", "ada\n", "<script>", "日本"])
def test_a_name_of_1_to_64_bytes_logs_in(site, user):
    assert site.browser().ask("POST", "/api/login", {"user": user}).json == {"user": user}


@pytest.mark.parametrize(
    "body",
    [
        *({"user": user} for user in ("", "a" * 65, "é" * 33, None, 1, True, ["ada"], {"name": "ada"})),
        *({}, [], ["user"], "ada", b"null", 1, {"User": "ada"}),
    ],
    ids=repr,
)
def test_anything_else_logs_nobody_in(site, body):
    browser = site.browser()

    assert browser.ask("POST", "/api/login", body).problem == (400, "bad-user")
    assert browser.cookie is None


def test_a_logout_ends_the_session_and_clears_the_cookie(site):
    visitor = site.visitor("ada")
    tab = visitor.other_tab()

    answer = visitor.ask("POST", "/api/logout")
    assert (answer.status, answer.body) == (204, b"")
    assert visitor.cookie is None
    assert tab.ask("GET", "/api/session").json["user"] is None


def test_a_logout_without_a_session_is_no_error(site):
    assert site.browser().ask("POST", "/api/logout").status == 204


def test_logging_out_everywhere_ends_every_session_of_the_user(site):
    visitor, elsewhere, bob = site.visitor("ada"), site.visitor("ada"), site.visitor("bob")

    answer = visitor.ask("POST", "/api/logout-everywhere")
    assert (answer.status, answer.json) == (200, {"ended": 2})
    assert visitor.cookie is None
    assert [browser.ask("GET", "/api/session").json["user"] for browser in (elsewhere, bob)] == [None, "bob"]


@pytest.mark.parametrize("has_session", [True, False])
def test_logging_out_everywhere_needs_a_login(site, has_session):
    browser = site.visitor() if has_session else site.browser()
    cookie = browser.cookie

    assert browser.ask("POST", "/api/logout-everywhere").problem == (401, "not-logged-in")
    assert browser.cookie == cookie


def test_a_stateless_answer_never_touches_the_session(site):
    visitor = site.visitor()
    site.handler.calls.clear()

    answer = visitor.ask("GET", "/api/stateless")
    assert (answer.status, answer.json) == (200, {"server": "web-test"})
    assert site.handler.calls == []


def test_a_server_lives_as_long_as_it_answers(site):
    assert site.browser().ask("GET", "/healthz").status == 200


def test_a_server_is_ready_from_its_start_until_it_drains(site):
    site.has_started = False
    assert site.browser().ask("GET", "/readyz").problem == (503, "starting")
    site.has_started = True
    assert site.browser().ask("GET", "/readyz").status == 200
    site.is_draining = True

    assert site.browser().ask("GET", "/readyz").problem == (404, "draining")


def test_being_ready_never_asks_the_store(site):
    site.handler.is_down = True

    assert site.browser().ask("GET", "/readyz").status == 200
    assert site.handler.calls == []


def test_the_health_of_the_store_is_told(site):
    assert site.browser().ask("GET", "/healthz/store").status == 200
    site.handler.is_down = True

    assert site.browser().ask("GET", "/healthz/store").problem == (503, "store-unavailable")


@pytest.mark.parametrize(
    ("path", "body"), [("/api/session/counters/text", None), ("/api/session/lists/text", b"1")]
)
def test_counting_the_wrong_thing_names_the_key(site, path, body):
    answer = site.visitor(text="abc").ask("POST", path, body)

    assert answer.problem == (409, "wrong-type")
    assert answer.json["key"] == "text"


def test_a_session_that_grows_too_large_is_refused(site):
    visitor = site.visitor(a="x" * 48 * 1024)

    assert visitor.ask("PUT", "/api/session/data/b", "x" * 32 * 1024).problem == (413, "too-large")
    assert site.data(visitor).keys() == {"a"}


def test_the_statement_budget_of_the_contract(site):
    budget = {}
    for name, method, path, body in [
        ("untouched", "GET", "/api/stateless", None),
        ("read", "GET", "/api/session", None),
        ("set", "PUT", "/api/session/data/a", 1),
        ("remove", "DELETE", "/api/session/data/a", None),
        ("add", "POST", "/api/session/counters/n", None),
        ("append", "POST", "/api/session/lists/list", 1),
        ("login", "POST", "/api/login", {"user": "ada"}),
        ("logout", "POST", "/api/logout", None),
    ]:
        visitor = site.visitor()
        site.handler.calls.clear()
        visitor.ask(method, path, body)
        budget[name] = len(site.handler.calls)

    assert budget == site.budget


def listed(visitor):
    return visitor.ask("GET", "/api/sessions").json["sessions"]


def test_a_user_sees_every_session_of_theirs_and_which_one_this_is(site):
    here, there = site.visitor("ada"), site.visitor("ada")
    site.visitor("bob")

    assert [len(listed(here)), len(listed(there))] == [2, 2]
    (mine,) = [session["key"] for session in listed(here) if session["is_this"]]
    (theirs,) = [session["key"] for session in listed(there) if session["is_this"]]
    assert {mine, theirs} == {session["key"] for session in listed(here)}
    assert mine != theirs


def test_the_list_of_sessions_holds_nothing_that_lets_anybody_in(site):
    visitor = site.visitor("ada")
    site.visitor("ada")
    session_id = visitor.cookie.partition("=")[2]
    answer = visitor.ask("GET", "/api/sessions")

    assert session_id not in answer.body.decode()
    for session in answer.json["sessions"]:
        assert site.browser(f"session={session['key']}").ask("GET", "/api/session").json["user"] is None
        assert session.keys() == {"key", "age_s", "unused_s", "is_this"}


def test_one_session_of_the_list_is_ended_and_no_other(site):
    here, there, elsewhere = (site.visitor("ada") for _ in range(3))
    (key,) = [session["key"] for session in listed(there) if session["is_this"]]

    answer = here.ask("DELETE", f"/api/sessions/{key}")
    assert (answer.status, answer.header("Set-Cookie")) == (204, None)
    users = [visitor.ask("GET", "/api/session").json["user"] for visitor in (here, there, elsewhere)]
    assert users == ["ada", None, "ada"]


def test_ending_the_session_that_asks_clears_its_cookie(site):
    visitor = site.visitor("ada")
    (session,) = listed(visitor)

    assert visitor.ask("DELETE", f"/api/sessions/{session['key']}").status == 204
    assert visitor.cookie is None


def test_a_session_of_somebody_else_is_not_found_and_lives_on(site):
    ada, bob = site.visitor("ada"), site.visitor("bob")
    (session,) = listed(bob)

    assert ada.ask("DELETE", f"/api/sessions/{session['key']}").problem == (404, "no-such-session")
    assert bob.ask("GET", "/api/session").json["user"] == "bob"


def test_a_session_that_was_ended_already_is_not_found(site):
    here, there = site.visitor("ada"), site.visitor("ada")
    (key,) = [session["key"] for session in listed(there) if session["is_this"]]
    there.ask("POST", "/api/logout")

    assert here.ask("DELETE", f"/api/sessions/{key}").problem == (404, "no-such-session")


def test_nobody_has_a_list_of_sessions_without_a_login(site):
    for visitor in (site.browser(), site.visitor()):
        assert visitor.ask("GET", "/api/sessions").problem == (401, "not-logged-in")
        assert visitor.ask("DELETE", "/api/sessions/" + "a" * 64).problem == (401, "not-logged-in")
