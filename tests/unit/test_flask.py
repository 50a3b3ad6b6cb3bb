"""Promises that Flask makes of its sessions, tried by its test client on a handler that keeps its calls."""

from __future__ import annotations

import threading
import uuid
from datetime import UTC, date, datetime, timedelta

import flask_login
import pytest
from flask import (
    Flask,
    copy_current_request_context,
    flash,
    get_flashed_messages,
    redirect,
    render_template_string,
    session,
    stream_with_context,
)
from markupsafe import Markup
from recorded import RecordedHandler

from hopproof.flask import Hopproof
from hopproof.handler import Lifetimes, SessionError
from hopproof.web import key_of


@pytest.fixture
def handler():
    return RecordedHandler()


@pytest.fixture
def app(handler):
    return app_on(handler)


def app_on(handler, **config):
    app = Flask(__name__)
    app.config.update(config)
    Hopproof(app, lambda: handler)

    @app.get("/plain")
    def plain():
        return "plain"

    @app.get("/set/<name>/<value>")
    def put(name, value):
        session[name] = value
        return "set"

    @app.get("/get/<name>")
    def get(name):
        return str(session.get(name))

    # Flask takes no routes after its first request.
    @app.get("/run/<name>")
    def run(name):
        return app.extensions["views"][name]()

    app.extensions["views"] = {}
    return app


@pytest.fixture
def client(app, handler):
    """A browser with a session {"a": "1"}, and no call of the handler yet."""
    client = app.test_client()
    assert client.get("/set/a/1").status_code == 200
    handler.calls.clear()
    return client


def route(app, view, name="view"):
    """Return the path of a view that the app has from now on."""
    app.extensions["views"][name] = view
    return f"/run/{name}"


def id_of(client):
    cookie = client.get_cookie("session")
    return cookie and cookie.value


def stored(handler, session_id):
    row = handler.store.read(key_of(session_id))
    return row and row.data


# The request's way


@pytest.mark.parametrize(("method", "path"), [("GET", "/static/x"), ("GET", "/none"), ("OPTIONS", "/plain")])
def test_what_needs_no_session_asks_nothing(client, handler, method, path):
    client.open(path, method=method)

    assert handler.calls == []
    assert handler.opened == 0


def test_another_server_reads_what_one_has_stored(client, handler):
    other = app_on(handler).test_client()
    other.set_cookie("session", id_of(client))

    assert other.get("/get/a").text == "1"


def test_a_store_that_is_away_is_503_where_the_session_is_used(client, handler):
    handler.is_down = True
    assert client.get("/plain").status_code == 200
    answer = client.get("/get/a")

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.content_type == "application/problem+json"
    assert answer.json["title"] == "store-unavailable"
    assert "Set-Cookie" not in answer.headers


def test_a_save_that_fails_is_503_and_the_cookie_stays(client, handler):
    handler.failing = frozenset({"write"})
    answer = client.get("/set/a/2")

    assert (answer.status_code, answer.json["title"]) == (503, "store-unavailable")
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("is_late", [True, False])
def test_the_apps_own_handler_of_the_error_wins(handler, is_late):
    app = Flask(__name__)
    if is_late:
        Hopproof(app, lambda: handler)

    @app.errorhandler(SessionError)
    def sorry(error):
        return "sorry", 418

    if not is_late:
        Hopproof(app, lambda: handler)
    app.add_url_rule("/", view_func=lambda: session["x"])
    client = app.test_client()
    client.set_cookie("session", "A" * 43)
    handler.is_down = True

    answer = client.get("/")
    assert (answer.status_code, answer.text) == (418, "sorry")


def test_an_error_is_told_once(handler):
    told = []
    app = Flask(__name__)
    Hopproof(app, lambda: handler, on_error=told.append)
    app.add_url_rule("/", view_func=lambda: session["x"])
    client = app.test_client()
    client.set_cookie("session", "A" * 43)
    handler.is_down = True

    assert client.get("/").status_code == 503
    assert len(told) == 1


def test_a_name_set_in_after_request_is_stored(app, client, handler):
    def late(response):
        session["late"] = 1
        return response

    app.after_request_funcs[None].append(late)

    client.get("/plain")
    assert stored(handler, id_of(client)) == {"a": "1", "late": 1}


@pytest.mark.parametrize("value", [{1: 2}, float("nan"), {"x"}, object()])
def test_a_refused_value_is_one_answer_that_names_it(app, client, handler, value):
    runs = []

    def count(response):
        runs.append(1)
        return response

    app.after_request_funcs[None].append(count)

    answer = client.get(route(app, lambda: session.update(odd=value) or "done"))

    assert (answer.status_code, answer.json["key"]) == (400, "odd")
    assert runs == [1]
    assert stored(handler, id_of(client)) == {"a": "1"}


def test_a_route_that_a_refusal_has_ended_stores_nothing_more(app, client, handler):
    def view():
        flash("one")
        session.permanent = True
        session["b"] = 2
        session.hop.append("a", 1)  # the text "1" is no list

    answer = client.get(route(app, view))

    assert (answer.status_code, answer.json["key"]) == (409, "a")
    # The verb has saved what came before it.
    assert stored(handler, id_of(client)) == {"a": "1", "b": 2}


def test_a_route_that_crashes_stores_nothing(app, client, handler):
    def crash():
        session["x"] = 1
        raise ZeroDivisionError

    assert client.get(route(app, crash)).status_code == 500
    assert handler.verbs == []
    assert handler.opened == 0


def test_a_login_before_a_crash_sends_its_cookie(app, client, handler):
    def crash():
        session.hop.login("ada")
        raise ZeroDivisionError

    old = id_of(client)
    assert client.get(route(app, crash)).status_code == 500
    assert id_of(client) != old
    assert handler.store.read(key_of(id_of(client))).user == "ada"


def test_an_error_that_is_propagated_leaves_nothing_borrowed(app, client, handler):
    app.config["PROPAGATE_EXCEPTIONS"] = True

    def crash():
        assert session["a"] == "1"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        client.get(route(app, crash))
    assert handler.opened == 0


def test_a_stream_reads_and_cannot_change(app, client, handler):
    def stream():
        def parts():
            yield session["a"]
            try:
                session["b"] = 1
            except RuntimeError as error:
                yield str(error)

        return stream_with_context(parts())

    answer = client.get(route(app, stream))

    assert answer.text.startswith("1the session has been saved")
    assert stored(handler, id_of(client)) == {"a": "1"}
    assert handler.opened == 0


def test_copied_contexts_in_threads_read_once_and_keep_both_changes(app, client, handler):
    def view():
        def work(name):
            session[name] = session["a"]

        threads = [
            threading.Thread(target=copy_current_request_context(work), args=(name,)) for name in ("b", "c")
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return "done"

    client.get(route(app, view))

    assert handler.verbs == ["read", "write"]
    assert stored(handler, id_of(client)) == {"a": "1", "b": "1", "c": "1"}


# Flask's test client


def test_a_transaction_stores_and_the_client_holds_the_cookie(app, handler):
    client = app.test_client()
    with client.session_transaction() as transaction:
        transaction["x"] = 1

    assert client.get("/get/x").text == "1"
    assert handler.opened == 0


def test_a_transaction_that_only_reads_sets_no_cookie(app, handler):
    client = app.test_client()
    with client.session_transaction() as transaction:
        assert "x" not in transaction

    assert id_of(client) is None
    assert handler.opened == 0


def test_the_session_is_readable_after_the_answer(client, handler):
    with client:
        client.get("/plain")
        assert session["a"] == "1"
        with pytest.raises(RuntimeError, match="would be lost"):
            session["b"] = 1
    assert handler.opened == 0


# Attributes


def test_a_change_inside_a_value_is_stored_without_modified(app, client, handler):
    client.get(route(app, lambda: session.update(items=[1]) or "", "first"))

    def view():
        session["items"].append(2)
        return str(session.modified)

    assert client.get(route(app, view)).text == "True"
    assert stored(handler, id_of(client))["items"] == [1, 2]


def test_modified_on_unchanged_data_extends_the_expiry_and_writes_no_data(app, client, handler):
    def view():
        before = session.modified
        session.modified = True
        return str(before)

    assert client.get(route(app, view)).text == "False"
    (change,) = handler.changes
    assert change.is_touch


@pytest.mark.parametrize(
    "use",
    [
        lambda: str("a" in session),
        lambda: str(len(session)),
        lambda: str(list(session)),
        lambda: str(session.get("a")),
        lambda: render_template_string("{{ session.a }}"),
        lambda: render_template_string("{{ session['user'] }}"),
    ],
)
def test_an_answer_that_used_the_session_depends_on_the_cookie(app, client, use):
    assert "Vary" not in client.get("/plain").headers
    answer = client.get(route(app, use))
    assert answer.headers["Vary"] == "Cookie"


def test_a_template_sees_an_entry_and_no_verb(app, client):
    client.get("/set/user/ada")
    view = route(app, lambda: render_template_string("{{ session.user }} {{ session.add }}"))
    assert client.get(view).text == "ada "


def test_an_answer_with_a_cookie_is_private_unless_the_app_says_otherwise(app):
    assert app.test_client().get("/set/a/1").headers["Cache-Control"] == "private"

    def no_store(response):
        response.headers["Cache-Control"] = "no-store"
        return response

    app.after_request_funcs[None].append(no_store)

    assert app.test_client().get("/set/a/1").headers["Cache-Control"] == "no-store"


def test_attributes_ask_nothing_of_the_store(app, client, handler):
    def view():
        return str([session.new, session.permanent, session.modified, session.accessed])

    client.get(route(app, view))
    assert handler.calls == []


def test_a_session_is_new_once_nothing_was_found(app, client, handler):
    def view():
        session.get("a")
        return str(session.new)

    path = route(app, view)
    assert client.get(path).text == "False"
    handler.store.destroy(key_of(id_of(client)))
    assert client.get(path).text == "True"
    assert app.test_client().get(path).text == "True"


# permanent, and the cookie


def be_permanent():
    session.permanent = True
    return "permanent"


def test_permanent_alone_makes_no_session(app, handler):
    answer = app.test_client().get(route(app, be_permanent))

    assert "Set-Cookie" not in answer.headers
    assert handler.store._rows == {}


@pytest.mark.parametrize(("lifetime_s", "max_age"), [(7200, 7200), (31 * 86400, 43200)])
def test_a_permanent_cookie_lives_no_longer_than_the_store_keeps_the_session(handler, lifetime_s, max_age):
    app = app_on(handler, PERMANENT_SESSION_LIFETIME=timedelta(seconds=lifetime_s))

    def view():
        session.permanent = True
        session["x"] = 1
        return ""

    client, path = app.test_client(), route(app, view)
    assert f"Max-Age={max_age};" in client.get(path).headers["Set-Cookie"]
    assert "Set-Cookie" not in client.get(path).headers
    assert client.get(route(app, lambda: str(session.get("_permanent")), "flag")).text == "True"


def test_a_session_that_becomes_permanent_sends_its_id_again_once(app, client):
    path = route(app, be_permanent)
    first, second = client.get(path), client.get(path)

    assert f"session={id_of(client)}; Max-Age=43200" in first.headers["Set-Cookie"]
    assert "Set-Cookie" not in second.headers


def test_a_new_id_of_a_permanent_session_is_permanent(app, client):
    client.get(route(app, be_permanent, "permanent"))
    answer = client.get(route(app, lambda: session.hop.login("ada") or ""))
    assert "Max-Age=43200" in answer.headers["Set-Cookie"]


def test_a_lifetime_that_is_lowered_after_the_start_is_enforced_and_no_error(app, client):
    app.permanent_session_lifetime = timedelta(seconds=60)

    def view():
        session.permanent = True
        return "lasting"

    answer = client.get(route(app, view))
    assert (answer.text, "Max-Age=60;" in answer.headers["Set-Cookie"]) == ("lasting", True)


def test_a_lifetime_below_the_stores_idle_timeout_is_refused_by_both_numbers(handler):
    app = Flask(__name__)
    app.config["PERMANENT_SESSION_LIFETIME"] = 600
    with pytest.raises(ValueError, match=r"600 s.*1800 s"):
        Hopproof(app, lambda: handler)
    Hopproof(app, lambda: handler, lifetimes=Lifetimes(idle_s=300))


@pytest.mark.parametrize(
    ("config", "attribute"),
    [
        ({"SESSION_COOKIE_NAME": "visit"}, "visit="),
        ({"SESSION_COOKIE_DOMAIN": "shop.example"}, "; Domain=shop.example"),
        ({"SESSION_COOKIE_PATH": "/shop"}, "; Path=/shop"),
        ({"APPLICATION_ROOT": "/root"}, "; Path=/root"),
        ({"SESSION_COOKIE_SECURE": True}, "; Secure"),
        ({"SESSION_COOKIE_SAMESITE": "Strict"}, "; SameSite=Strict"),
        ({}, "; SameSite=Lax"),
        ({}, "; HttpOnly"),
        ({"SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_SAMESITE": "None"}, "; SameSite=None"),
        ({"SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_PARTITIONED": True}, "; Partitioned"),
        ({"SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_NAME": "__Host-id"}, "__Host-id="),
    ],
)
def test_flasks_settings_of_the_cookie_are_kept_also_when_it_is_cleared(handler, config, attribute):
    app = app_on(handler, **config)
    name = config.get("SESSION_COOKIE_NAME", "session")
    made = app.test_client().get("/set/a/1").headers["Set-Cookie"]
    assert attribute in made

    client = app.test_client(use_cookies=False)
    path = route(app, lambda: session.hop.destroy() or "")
    cleared = client.get(path, headers={"Cookie": made.partition(";")[0]}).headers["Set-Cookie"]
    assert cleared.startswith(f"{name}=; Max-Age=0")
    assert attribute in cleared


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"SESSION_COOKIE_HTTPONLY": False}, "SESSION_COOKIE_HTTPONLY"),
        ({"SESSION_COOKIE_SAMESITE": "None"}, "SameSite=None"),
        ({"SESSION_COOKIE_PARTITIONED": True}, "Partitioned"),
        ({"SESSION_COOKIE_NAME": "__Host-id"}, "__Host-"),
        (
            {
                "SESSION_COOKIE_NAME": "__Host-id",
                "SESSION_COOKIE_SECURE": True,
                "SESSION_COOKIE_DOMAIN": "a.example",
            },
            "Domain",
        ),
        (
            {"SESSION_COOKIE_NAME": "__Host-id", "SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_PATH": "/x"},
            "Path",
        ),
    ],
)
def test_settings_that_weaken_the_cookie_are_refused_at_the_start(handler, config, words):
    with pytest.raises(ValueError, match=words):
        app_on(handler, **config)


# Values


@pytest.mark.parametrize(
    "value",
    [
        (1, ("a", [2])),
        b"\x00\xff",
        Markup("<b>"),
        uuid.UUID(int=5),
        datetime(2026, 2, 28, 1, 2, 3, 4),
        datetime(2026, 2, 28, 1, 2, 3, tzinfo=UTC),
        date(2026, 2, 28),
        {" t": [1]},
        {" iso": "2026"},
        {"deep": [{"tuple": (None, 1.0, True)}]},
    ],
)
def test_a_value_comes_back_with_its_type(app, client, value):
    client.get(route(app, lambda: session.update(value=value) or "", "first"))
    seen = []
    client.get(route(app, lambda: seen.append(session["value"]) or ""))

    assert seen == [value]
    assert type(seen[0]) is type(value)


def test_messages_of_two_requests_at_once_are_both_shown(app, client, handler):
    other = app.test_client()
    other.set_cookie("session", id_of(client))

    def view():
        get_flashed = session.get("a")
        flash(Markup("<b>one</b>"), "good")
        if get_flashed and not seen:
            seen.append(other.get("/run/inner").status_code)
        return ""

    seen = []
    route(app, lambda: flash("two") or "", "inner")
    client.get(route(app, view))
    shown = []
    client.get(route(app, lambda: shown.extend(get_flashed_messages(with_categories=True)) or "", "show"))

    assert sorted(shown) == [("good", Markup("<b>one</b>")), ("message", "two")]
    assert {type(text) for _, text in shown} == {Markup, str}
    assert client.get("/get/_flashes").text == "None"


def test_messages_of_one_request_keep_their_order(app, client):
    client.get(route(app, lambda: flash("one") or flash("two") or ""))
    shown = []
    client.get(route(app, lambda: shown.extend(get_flashed_messages()) or "", "show"))
    assert shown == ["one", "two"]


def test_a_message_shown_in_its_own_request_is_not_stored(app, client, handler):
    def view():
        flash("now")
        return get_flashed_messages()[0]

    assert client.get(route(app, view)).text == "now"
    assert stored(handler, id_of(client)) == {"a": "1"}


# Login and logout


def test_the_entry_of_a_login_library_gives_a_new_id(client, handler):
    old = id_of(client)
    client.get("/set/_user_id/7")

    assert stored(handler, old) is None
    row = handler.store.read(key_of(id_of(client)))
    assert (row.user, row.data) == ("7", {"a": "1", "_user_id": "7"})


class User(flask_login.UserMixin):
    id = "7"


def test_flask_login_logs_in_and_out_under_new_ids(app, client, handler):
    app.secret_key = "for its remember-me cookie"
    app._got_first_request = False  # a library, too, is installed before the first request
    flask_login.LoginManager(app).user_loader(lambda name: User())
    before = id_of(client)
    client.get(route(app, lambda: str(flask_login.login_user(User())), "login"))
    logged_in = id_of(client)
    who = route(app, lambda: str(flask_login.current_user.is_authenticated), "who")
    assert client.get(who).text == "True"
    assert (stored(handler, before), handler.store.read(key_of(logged_in)).user) == (None, "7")

    client.get(route(app, lambda: str(flask_login.logout_user()), "logout"))
    assert client.get(who).text == "False"
    assert stored(handler, logged_in) is None
    row = handler.store.read(key_of(id_of(client)))
    assert row.user is None
    assert row.data["a"] == "1"


def with_flask_login(app, **settings):
    app.secret_key = "for its remember-me cookie"
    app._got_first_request = False
    manager = flask_login.LoginManager(app)
    manager.user_loader(lambda name: User())
    for name, value in settings.items():
        setattr(manager, name, value)
    return route(app, lambda: str(flask_login.current_user.is_authenticated), "who")


def test_after_log_out_everywhere_only_a_remember_me_cookie_logs_in_again(app, client, handler):
    who = with_flask_login(app)
    client.get(route(app, lambda: str(flask_login.login_user(User(), remember=True)), "login"))
    without = app.test_client()
    without.set_cookie("session", id_of(client))
    handler.store.end_user("7")

    assert without.get(who).text == "False"
    # The remember-me cookie is Flask-Login's own: it is signed, and no store can end it.
    assert client.get(who).status_code == 409
    client.delete_cookie("session")
    assert client.get(who).text == "True"
    assert [listed.key for listed in handler.store.sessions_of_user("7")] == [key_of(id_of(client))]


@pytest.mark.parametrize("end", ["destroy", "destroy_all_of_user"])
def test_a_logout_that_ends_the_session_first_ends_a_remember_me_cookie_too(app, client, handler, end):
    who = with_flask_login(app)
    client.get(route(app, lambda: str(flask_login.login_user(User(), remember=True)), "login"))

    def log_out():
        getattr(session.hop, end)()
        return str(flask_login.logout_user())

    client.get(route(app, log_out, "logout"))
    assert client.get(who).text == "False"
    assert client.get_cookie("remember_token") is None
    assert handler.store.sessions_of_user("7") == []


@pytest.mark.parametrize("cookie", [None, "A" * 43])
def test_flask_login_makes_no_session_for_a_visitor_who_only_looks(app, client, handler, cookie):
    """It writes to a session that is true and has no mark of a browser."""
    who = with_flask_login(app)
    visitor = app.test_client()
    if cookie:
        visitor.set_cookie("session", cookie)
    answer = visitor.get(who)

    assert (answer.text, answer.headers.get("Set-Cookie")) == ("False", None)
    assert handler.changes == []


def test_a_session_is_true_if_it_has_an_entry(app, client, handler):
    truth = route(app, lambda: str(bool(session)))

    assert app.test_client().get(truth).text == "False"
    assert handler.calls == []
    assert client.get(truth).text == "True"


def test_strong_protection_ends_the_login_of_another_browser(app, client, handler):
    who = with_flask_login(app, session_protection="strong")
    client.get(route(app, lambda: str(flask_login.login_user(User())), "login"))

    assert client.get(who).text == "True"
    assert client.get(who, headers={"User-Agent": "a thief's"}).text == "False"
    assert handler.store.sessions_of_user("7") == []


def test_an_async_view_has_the_session_of_a_sync_one(app, client, handler):
    async def view():
        session["b"] = session["a"] + "1"
        return str(session.hop.add("n"))

    app.extensions["views"]["async"] = app.ensure_sync(view)

    assert client.get("/run/async").text == "1"
    assert stored(handler, id_of(client)) == {"a": "1", "b": "11", "n": 1}


def test_a_save_that_fails_replaces_a_streamed_body_and_closes_it(app, client, handler):
    closed = []

    def body():
        try:
            yield "never"
        finally:
            closed.append(True)

    class Body:
        def __iter__(self):
            return body()

        def close(self):
            closed.append(True)

    def view():
        session["b"] = {1}
        return app.response_class(Body())

    answer = client.get(route(app, view))

    assert (answer.status_code, closed) == (400, [True])
    assert "never" not in answer.text


def test_a_context_that_is_copied_and_nested_keeps_the_session(app, client, handler):
    def view():
        @copy_current_request_context
        def inner():
            session["b"] = session["a"]

        inner()
        session["c"] = session["b"]
        return "nested"

    assert client.get(route(app, view)).text == "nested"
    assert stored(handler, id_of(client)) == {"a": "1", "b": "1", "c": "1"}


def test_a_library_that_removes_its_entry_leaves_a_session_without_a_user(app, client, handler):
    client.get("/set/_user_id/7")
    client.get(route(app, lambda: session.pop("_user_id")))

    row = handler.store.read(key_of(id_of(client)))
    assert (row.user, row.data) == (None, {"a": "1"})


def test_clearing_ends_the_session(app, client, handler):
    old = id_of(client)
    answer = client.get(route(app, lambda: session.clear() or redirect("/plain")))

    assert answer.headers["Set-Cookie"].startswith("session=; Max-Age=0")
    assert stored(handler, old) is None


def test_clearing_before_new_entries_keeps_the_session(app, client, handler):
    def view():
        session.clear()
        session["b"] = 2
        return ""

    client.get(route(app, view))
    assert stored(handler, id_of(client)) == {"b": 2}


def test_taking_the_last_entry_out_keeps_the_session(app, client, handler):
    client.get(route(app, lambda: session.pop("a")))
    assert stored(handler, id_of(client)) == {}


def test_a_secret_key_is_not_needed(app, client):
    assert app.secret_key is None
    assert client.get("/get/a").text == "1"


def test_an_app_needs_a_handler():
    with pytest.raises(TypeError, match="new_handler"):
        Hopproof(Flask(__name__))
