"""Promises that Django makes of its sessions, tried by its test clients on a handler that keeps its calls."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
from datetime import datetime, timedelta
from http.cookies import SimpleCookie

import django
import pytest
from django.conf import settings
from recorded import RecordedHandler, Visit

HANDLERS: list[RecordedHandler] = []
VIEWS = {}

settings.configure(
    ALLOWED_HOSTS=["*"],
    AUTH_PASSWORD_VALIDATORS=[],
    DATABASES={
        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "file:users?mode=memory&cache=shared"}
    },
    HOPPROOF={"new_handler": lambda: HANDLERS[-1]},
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.messages",
        "django.contrib.sessions",
    ],
    LOGGING_CONFIG=None,
    MESSAGE_STORAGE="django.contrib.messages.storage.session.SessionStorage",
    MIDDLEWARE=[
        "hopproof.django.SessionMiddleware",
        "test_django.in_the_middle",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    ROOT_URLCONF="test_django",
    SECRET_KEY="x" * 50,
    SESSION_ENGINE="hopproof.django",
    USE_TZ=True,
)
django.setup()

from django.contrib import auth, messages  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.contrib.sessions.backends.base import SessionBase, UpdateError  # noqa: E402
from django.core.exceptions import ImproperlyConfigured, SynchronousOnlyOperation  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.http import HttpResponse, HttpResponseRedirect, StreamingHttpResponse  # noqa: E402
from django.test import AsyncClient, Client, override_settings  # noqa: E402
from django.urls import path  # noqa: E402
from django.utils import timezone  # noqa: E402
from django.utils.functional import lazystr  # noqa: E402

from hopproof.django import SessionStore, web  # noqa: E402
from hopproof.handler import Change, Lifetimes, SessionConflict  # noqa: E402
from hopproof.web import key_of  # noqa: E402

MIDDLE = []  # a middleware between the session's and the view, if a test sets one


def in_the_middle(get_response):
    if inspect.iscoroutinefunction(get_response):

        async def passed(request):
            return await get_response(request)

        return passed
    return lambda request: (MIDDLE[-1] if MIDDLE else lambda r, g: g(r))(request, get_response)


in_the_middle.async_capable = in_the_middle.sync_capable = True  # type: ignore[attr-defined]


def dispatch(request, name):
    answer = VIEWS[name](request)
    return answer if hasattr(answer, "status_code") else HttpResponse(str(answer))


async def dispatch_async(request, name):
    return HttpResponse(str(await VIEWS[name](request)))


urlpatterns = [path("run/<name>", dispatch), path("arun/<name>", dispatch_async)]


@pytest.fixture(scope="module", autouse=True)
def _users():
    from django.db import connection

    connection.ensure_connection()
    call_command("migrate", verbosity=0)
    yield
    connection.close()


@pytest.fixture(autouse=True)
def _clean():
    yield
    User.objects.all().delete()
    VIEWS.clear()
    MIDDLE.clear()


@pytest.fixture
def site():
    visit = Visit()
    HANDLERS.append(visit.handler)
    yield visit
    HANDLERS.remove(visit.handler)


@pytest.fixture
def handler(site):
    return site.handler


@pytest.fixture
def client(handler):
    """A browser with a session {"a": 1}, and no call of the handler yet."""
    client = browser()
    assert run(client, lambda request: put(request.session, a=1)).status_code == 200
    handler.calls.clear()
    return client


def browser(cookie=None):
    client = Client(raise_request_exception=False)
    if cookie:
        client.cookies = SimpleCookie({"sessionid": cookie})
    return client


def run(client, view, name="view", **request):
    VIEWS[name] = view
    return client.get(f"/run/{name}", **request)


def id_of(client):
    morsel = client.cookies.get("sessionid")
    return morsel.value if morsel else None


def stored(site, client):
    return site.data(key_of(id_of(client)))


def put(session, **entries):
    session.update(entries)


def view_of(action, answer="done"):
    def view(request):
        action(request.session)
        return answer

    return view


# R1 to R6


def test_an_untouched_session_costs_no_statement_and_no_cookie(client, handler):
    def view(request):
        session = request.session
        return [bool(session), session.accessed, session.modified, session.session_key == id_of(client)]

    answer = run(client, view)

    assert answer.content == b"[True, False, False, True]"
    assert handler.calls == []
    assert answer.cookies == {}


def test_a_path_that_does_not_exist_costs_no_statement(client, handler):
    assert client.get("/nowhere").status_code == 404
    assert handler.calls == []


def test_a_read_is_one_statement_and_a_change_one_more(client, handler):
    assert run(client, lambda request: request.session["a"]).content == b"1"
    assert handler.verbs == ["read"]

    run(client, view_of(lambda session: put(session, b=2)))

    assert handler.verbs == ["read", "read", "write"]
    assert handler.changes == [Change(set={"b": 2})]


def test_a_change_inside_a_value_is_found(client, site):
    run(client, view_of(lambda session: put(session, cart=[1])))
    run(client, view_of(lambda session: session["cart"].append(2)))

    assert stored(site, client) == {"a": 1, "cart": [1, 2]}


def test_the_cookie_is_sent_when_the_id_is_new_and_not_again(handler):
    client = browser()

    first = run(client, view_of(lambda session: put(session, a=1)))
    second = run(client, view_of(lambda session: put(session, a=2)))

    cookie = first.cookies["sessionid"]
    assert (cookie["httponly"], cookie["path"], cookie["samesite"]) == (True, "/", "Lax")
    assert first["Cache-Control"] == "private"
    assert "sessionid" not in second.cookies


@pytest.mark.parametrize(
    "view", [lambda r: "a" in r.session, lambda r: r.session.get("a"), lambda r: len(r.session.keys())]
)
def test_an_answer_that_used_the_session_varies_with_the_cookie(client, view):
    assert "Cookie" in run(client, view)["Vary"]


def test_an_answer_of_500_saves_nothing(client, site):
    def view(request):
        request.session["x"] = 1
        raise ZeroDivisionError

    assert run(client, view).status_code == 500
    assert stored(site, client) == {"a": 1}


def test_an_answer_of_503_saves_nothing(client, site):
    def view(request):
        request.session["x"] = 1
        return HttpResponse(status=503)

    run(client, view)

    assert stored(site, client) == {"a": 1}


def test_a_redirect_saves(client, site):
    def view(request):
        request.session["x"] = 1
        return HttpResponseRedirect("/elsewhere")

    run(client, view)

    assert stored(site, client) == {"a": 1, "x": 1}


def test_a_streamed_body_reads_and_changes_nothing(client, site):
    caught = []

    def body(session):
        yield str(session["a"])
        try:
            session["b"] = 1
        except RuntimeError as error:
            caught.append(str(error))

    answer = run(client, lambda request: StreamingHttpResponse(body(request.session)))

    assert b"".join(answer.streaming_content) == b"1"
    assert "before the route returns" in caught[0]
    assert stored(site, client) == {"a": 1}


def test_nothing_stays_borrowed(client, handler):
    run(client, view_of(lambda session: put(session, b=1)))
    SessionStore(id_of(client)).get("a")

    assert handler.opened == 0


# Dead ids


def test_a_dead_id_reads_as_anonymous_and_keeps_its_cookie(site):
    client = browser("A" * 43)

    answer = run(client, lambda request: (request.session.get("a"), request.session.session_key))

    assert answer.content == b"(None, None)"
    assert answer.cookies == {}


@pytest.mark.parametrize("cookie", ["A" * 43, "short", "x" * 32, "B" * 43])
@pytest.mark.parametrize(
    "action",
    [lambda s: put(s, a=1), lambda s: s.create(), lambda s: s.save(), lambda s: s.cycle_key() or put(s, a=1)],
)
def test_a_made_up_id_is_never_adopted(site, cookie, action):
    client = browser(cookie)

    answer = run(client, view_of(action))

    assert answer.cookies["sessionid"].value != cookie
    assert site.data(key_of(cookie)) is None
    assert stored(site, client) is not None


def test_a_save_after_a_logout_elsewhere_is_400_and_revives_nothing(client, site):
    session_id = id_of(client)

    def view(request):
        request.session["b"] = 2
        site.store.destroy(key_of(session_id))
        return "late"

    answer = run(client, view)

    assert answer.status_code == 400
    assert answer.cookies == {}
    assert site.data(key_of(session_id)) is None


def test_an_explicit_save_after_a_logout_elsewhere_is_the_same_400(client, site):
    def view(request):
        request.session["b"] = 2
        site.store.destroy(key_of(id_of(client)))
        request.session.save()

    assert run(client, view).status_code == 400


def test_an_explicit_save_without_changes_finds_the_logout_too(client, site):
    session = SessionStore(id_of(client))
    session["a"]
    site.store.destroy(key_of(id_of(client)))

    with pytest.raises(UpdateError):
        session.save()


def test_a_slow_request_leaves_the_cookie_of_a_login_alone(client, site):
    old = id_of(client)
    run(client, view_of(lambda session: session.hop.login("ada")))
    slow = browser(old)

    answer = run(slow, lambda request: request.session.get("a"))

    assert answer.content == b"None"
    assert answer.cookies == {}


@override_settings(SESSION_SAVE_EVERY_REQUEST=True)
def test_a_rotated_id_is_never_sent_again(client, site):
    old = id_of(client)
    run(client, view_of(lambda session: session.hop.rotate()))
    site.now += 100  # beyond the tombstone

    answer = run(browser(old), lambda request: "nothing")

    assert answer.cookies == {}


@override_settings(SESSION_SAVE_EVERY_REQUEST=True)
def test_an_id_that_is_rotated_meanwhile_is_not_sent_again(client, site):
    def view(request):
        site.store.destroy(key_of(id_of(client)) if request.session["a"] else b"")
        return "late"

    answer = run(client, view)

    assert answer.status_code == 400
    assert answer.cookies == {}


@override_settings(SESSION_SAVE_EVERY_REQUEST=True)
def test_every_request_extends_the_expiry_and_the_cookie(client, handler):
    answer = run(client, lambda request: "nothing")

    assert handler.changes == [Change()]
    assert answer.cookies["sessionid"].value == id_of(client)


def test_modified_by_hand_extends_the_expiry_and_writes_no_data(client, handler):
    def view(request):
        request.session.modified = True
        return "touched"

    answer = run(client, view)

    assert handler.changes == [Change()]
    assert answer.cookies == {}


# Login and logout


@pytest.fixture
def ada():
    return User.objects.create_user("ada", password="p")


def test_a_login_costs_three_statements_at_most_and_ends_the_old_id(client, handler, site, ada):
    old = id_of(client)

    run(client, lambda request: auth.login(request, ada))

    assert handler.verbs == ["read", "write"]
    assert id_of(client) != old
    assert site.data(key_of(old)) is None
    assert stored(site, client)["a"] == 1
    assert [len(site.store.sessions_of_user(str(ada.pk)))] == [1]


def test_a_login_on_a_failing_page_logs_nobody_in(client, site, ada):
    old = id_of(client)

    def view(request):
        auth.login(request, ada)
        raise ZeroDivisionError

    run(client, view)

    assert id_of(client) == old
    assert stored(site, client) == {"a": 1}
    assert site.store.sessions_of_user(str(ada.pk)) == []


def test_a_login_as_another_user_gets_none_of_the_first_ones_data(client, site, ada):
    bob = User.objects.create_user("bob", password="p")
    run(client, lambda request: auth.login(request, ada))

    run(client, lambda request: auth.login(request, bob))

    assert "a" not in stored(site, client)
    assert site.store.sessions_of_user(str(ada.pk)) == []


def test_a_logout_on_a_failing_page_ends_the_session(client, site, ada):
    run(client, lambda request: auth.login(request, ada))
    session_id = id_of(client)

    def view(request):
        auth.logout(request)
        raise ZeroDivisionError

    answer = run(client, view)

    assert answer.cookies["sessionid"]["max-age"] == "0"
    assert site.data(key_of(session_id)) is None


def test_a_changed_password_keeps_this_session_and_ends_the_others(site, ada):
    here, there = browser(), browser()
    for client in (here, there):
        run(client, lambda request: auth.login(request, User.objects.get()))

    def view(request):
        request.user.set_password("other")
        request.user.save()
        auth.update_session_auth_hash(request, request.user)

    old = id_of(here)
    run(here, view)

    assert id_of(here) != old
    assert run(here, lambda request: request.user.is_authenticated).content == b"True"
    assert run(there, lambda request: request.user.is_authenticated).content == b"False"
    assert len(site.store.sessions_of_user(str(ada.pk))) == 1


def test_a_new_secret_key_with_the_old_one_as_fallback_logs_nobody_out(client, ada):
    run(client, lambda request: auth.login(request, ada))

    with override_settings(SECRET_KEY="y" * 50, SECRET_KEY_FALLBACKS=["x" * 50]):
        answer = run(client, lambda request: request.user.is_authenticated)
        again = run(client, lambda request: request.user.is_authenticated)

    assert (answer.content, again.content) == (b"True", b"True")
    assert "sessionid" in answer.cookies  # Django cycles the key


def test_a_user_who_is_too_long_for_the_store_is_refused(client):
    answer = run(client, view_of(lambda session: put(session, _auth_user_id="u" * 65)))

    assert answer.status_code == 413
    assert answer.json()["key"] == "_auth_user_id"
    assert "65 bytes" in answer.json()["detail"]


def test_cycle_key_keeps_every_entry_and_shows_the_new_id(client, site, handler):
    old = id_of(client)
    shown = []

    def view(request):
        request.session.cycle_key()
        shown.append(request.session.session_key)

    run(client, view)

    assert handler.verbs == ["read", "write"]
    assert id_of(client) == shown[0] != old
    assert stored(site, client) == {"a": 1}
    assert site.data(key_of(old)) is None


def test_a_broken_session_can_be_ended(client, handler, site):
    session_id = id_of(client)
    handler.broken.add(key_of(session_id))

    assert run(client, lambda request: request.session["a"]).status_code == 500
    assert run(client, view_of(lambda session: session.flush())).status_code == 200
    assert site.data(key_of(session_id)) is None


def test_flush_ends_the_session_and_what_follows_is_another(client, site):
    old = id_of(client)

    run(client, view_of(lambda session: (session.flush(), put(session, b=2))))

    assert id_of(client) != old
    assert stored(site, client) == {"b": 2}
    assert site.data(key_of(old)) is None


# The store is away


def check_away(answer):
    assert answer.status_code == 503
    assert answer["Retry-After"] == "1"
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.cookies == {}


def test_a_view_without_session_works_while_the_store_is_away(client, handler):
    handler.is_down = True

    assert run(client, lambda request: "fine").content == b"fine"


def test_the_store_away_is_503_in_a_view(client, handler):
    handler.is_down = True

    check_away(run(client, lambda request: request.session["a"]))


def test_the_store_away_is_503_in_another_middleware(client, handler):
    handler.is_down = True
    MIDDLE.append(lambda request, get_response: HttpResponse(request.session["a"]))

    check_away(run(client, lambda request: "never"))


def test_the_store_away_is_503_in_another_middlewares_answer(client, handler):
    def middle(request, get_response):
        answer = get_response(request)
        handler.is_down = True
        request.session.get("a")
        return answer

    MIDDLE.append(middle)

    check_away(run(client, lambda request: "fine"))


def test_the_store_away_is_503_in_the_save(client, handler):
    handler.failing = frozenset(["write"])

    check_away(run(client, view_of(lambda session: put(session, b=1))))


def test_an_error_is_reported_once(site):
    errors = []
    with override_settings(HOPPROOF={"new_handler": lambda: site.handler, "on_error": errors.append}):
        site.handler.is_down = True
        run(browser("A" * 43), lambda request: request.session.get("a"))

    assert len(errors) == 1


def test_an_outage_in_a_view_is_no_error_of_the_view(client, handler):
    """Django's client raises what a view did not catch, and its log has a traceback of it."""
    handler.is_down = True
    raising = Client()
    raising.cookies = client.cookies

    check_away(run(raising, lambda request: request.session["a"]))


def test_a_view_may_catch_the_error(client, handler):
    handler.is_down = True

    def view(request):
        try:
            return request.session["a"]
        except Exception:
            return HttpResponse("own page", status=500)

    assert run(client, view).content == b"own page"


# Values


@pytest.mark.parametrize(
    ("value", "back"),
    [((1, 2), [1, 2]), ({"a": (1,)}, {"a": [1]}), (None, None), ("é", "é"), (1.5, 1.5), (True, True)],
)
def test_a_value_comes_back_as_the_serializer_gives_it(client, value, back):
    run(client, view_of(lambda session: put(session, v=value)))

    assert run(client, lambda request: request.session["v"] == back).content == b"True"


@pytest.mark.parametrize(
    "value", [{1: 2}, [{None: 1}], float("nan"), {1}, lazystr("a"), datetime(2026, 1, 1), b"a"]
)
def test_a_value_that_would_come_back_different_is_refused_by_name(client, value):
    answer = run(client, view_of(lambda session: put(session, cart=value)))

    assert answer.status_code == 400
    assert answer.json()["key"] == "cart"


def test_a_name_that_is_no_text_is_refused(client):
    assert run(client, view_of(lambda session: session.update({1: 2}))).status_code == 400


def test_a_serializer_of_ones_own_has_the_last_word(site):
    with override_settings(SESSION_SERIALIZER="test_django.Dated"):
        client = browser()
        run(client, view_of(lambda session: put(session, v=datetime(2026, 1, 2))))
        answer = run(client, lambda request: repr(request.session["v"]))

    assert answer.content == b"datetime.datetime(2026, 1, 2, 0, 0)"


class Dated:
    def dumps(self, value):
        import json

        return json.dumps(value, default=lambda d: {"at": d.isoformat()}).encode()

    def loads(self, data):
        import json

        return json.loads(data, object_hook=lambda o: datetime.fromisoformat(o["at"]) if "at" in o else o)


class Pickled:
    def dumps(self, value):
        import pickle

        return pickle.dumps(value)


# Settings


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"SESSION_COOKIE_HTTPONLY": False}, "SESSION_COOKIE_HTTPONLY"),
        ({"SESSION_COOKIE_SAMESITE": "None"}, "SameSite"),
        ({"SESSION_COOKIE_NAME": "__Host-s"}, "__Host-"),
        ({"SESSION_COOKIE_AGE": 60}, "SESSION_COOKIE_AGE"),
        ({"SESSION_SERIALIZER": "test_django.Pickled"}, "SESSION_SERIALIZER"),
        ({"HOPPROOF": {}}, "new_handler"),
        ({"HOPPROOF": {"new_handler": print, "colour": 1}}, "colour"),
    ],
)
def test_a_setting_that_weakens_stops_the_start(changed, named):
    with override_settings(**changed), pytest.raises(ImproperlyConfigured, match=named):
        web()


def test_the_import_refuses_such_a_setting():
    code = (
        "from django.conf import settings; settings.configure(SESSION_COOKIE_HTTPONLY=False,"
        "HOPPROOF={'new_handler': print}); import hopproof.django"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": ":".join(sys.path)}
    )

    assert "ImproperlyConfigured: SESSION_COOKIE_HTTPONLY is False" in ended.stderr


@pytest.mark.parametrize(
    ("changed", "attribute", "value"),
    [
        ({"SESSION_COOKIE_PATH": "/shop"}, "path", "/shop"),
        ({"SESSION_COOKIE_DOMAIN": "example.org"}, "domain", "example.org"),
        ({"SESSION_COOKIE_SECURE": True}, "secure", True),
        ({"SESSION_COOKIE_SAMESITE": "Strict"}, "samesite", "Strict"),
        ({"SESSION_COOKIE_SAMESITE": False}, "samesite", "Lax"),
        ({"SESSION_COOKIE_AGE": 3600}, "max-age", 3600),
        ({}, "max-age", 43200),
        ({"SESSION_EXPIRE_AT_BROWSER_CLOSE": True}, "max-age", ""),
    ],
)
def test_a_setting_of_the_cookie_is_kept(site, changed, attribute, value):
    with override_settings(**changed):
        answer = run(browser(), view_of(lambda session: put(session, a=1)))

    cookie = answer.cookies["sessionid"][attribute]
    assert (int(cookie) if isinstance(value, int) and value is not True else cookie) == value


def test_of_two_cookies_the_first_well_formed_one_counts(client):
    cookie = f"sessionid=short; sessionid={id_of(client)}; sessionid={'A' * 43}"

    answer = run(Client(), lambda request: request.session["a"], HTTP_COOKIE=cookie)

    assert answer.content == b"1"


# Expiry


@pytest.mark.parametrize(
    ("value", "age"),
    [
        (60, 60),
        (1209600, 43200),
        (None, 43200),
        (0, 43200),
        (timedelta(seconds=90), 89),
        (timedelta(days=9), 43200),
    ],
)
def test_an_expiry_is_reported_at_most_as_the_stores(site, value, age):
    session = SessionStore()
    session.set_expiry(value)

    assert session.get_expiry_age() in (age, age + 1)
    assert abs(session.get_expiry_date() - timezone.now() - timedelta(seconds=age)) < timedelta(seconds=5)
    assert asyncio.run(session.aget_expiry_age()) in (age, age + 1)
    assert session.get_expire_at_browser_close() == (value == 0)


@pytest.mark.parametrize(("rest", "lives"), [(50, True), (70, False)])
def test_an_expiry_ends_the_session_after_so_long_a_rest(site, rest, lives):
    client = browser()
    run(client, view_of(lambda session: (put(session, a=1), session.set_expiry(60))))
    session_id = id_of(client)
    site.now += rest

    answer = run(client, lambda request: request.session.get("a"))

    assert answer.content == (b"1" if lives else b"None")
    assert (site.data(key_of(session_id)) is not None) == lives
    assert ("sessionid" in answer.cookies) == (not lives)


def test_a_session_with_a_short_expiry_lives_as_long_as_it_is_used(site):
    client = browser()
    run(client, view_of(lambda session: (put(session, a=1), session.set_expiry(60))))

    for _ in range(5):
        site.now += 40
        assert run(client, lambda request: request.session.get("a")).content == b"1"


def test_an_expiry_that_has_passed_stops_a_verb_as_well(site):
    client = browser()
    run(client, view_of(lambda session: (put(session, n=1), session.set_expiry(60))))
    site.now += 70

    assert run(client, lambda request: request.session.hop.add("n")).content == b"1"


def test_a_date_as_expiry_ends_the_session_by_the_servers_clock(site):
    client = browser()
    run(
        client,
        view_of(lambda session: (put(session, a=1), session.set_expiry(timezone.now() - timedelta(1)))),
    )

    assert run(client, lambda request: request.session.get("a")).content == b"None"


def test_a_new_expiry_reaches_the_browser(client):
    answer = run(client, view_of(lambda session: session.set_expiry(600)))

    assert answer.cookies["sessionid"]["max-age"] == "600"


# SessionBase


PUBLIC = sorted(
    name for name in dir(SessionBase) if not name.startswith("_") and callable(getattr(SessionBase, name))
)
ARGUMENTS = {
    "decode": lambda session: (session.encode({"a": 1}),),
    "encode": ({"a": 1},),
    "exists": ("A" * 43,),
    "get": ("a",),
    "has_key": ("a",),
    "pop": ("a",),
    "set": ("b", 1),
    "set_expiry": (60,),
    "setdefault": ("b", 1),
    "update": ({"b": 1},),
}
TWINS = {"set"}


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_method_runs(client, name):
    session = SessionStore(id_of(client))
    plain = name[1:] if name[:1] == "a" and (hasattr(SessionBase, name[1:]) or name == "aset") else name
    if plain == "delete_test_cookie":
        session.set_test_cookie()
    arguments = ARGUMENTS.get(plain, ())
    arguments = arguments(session) if callable(arguments) else arguments

    result = getattr(session, name)(*arguments)

    if inspect.iscoroutine(result):
        asyncio.run(result)
    session.save()


def test_a_method_and_its_twin_share_their_data(client, site):
    session = SessionStore(id_of(client))
    asyncio.run(session.aset("b", 2))
    session.save()
    session["c"] = 3
    asyncio.run(session.asave())

    assert stored(site, client) == {"a": 1, "b": 2, "c": 3}
    assert asyncio.run(SessionStore(id_of(client)).aget("c")) == 3


def test_a_store_made_of_a_key_alone_reads_saves_and_flushes(client, site, handler):
    session = SessionStore(id_of(client))
    session["b"] = session["a"] + 1
    session.save()
    session.save()
    assert stored(site, client) == {"a": 1, "b": 2}

    SessionStore(id_of(client)).flush()

    assert stored(site, client) is None
    assert handler.opened == 0


def test_create_begins_another_session_and_leaves_the_old_one(client, site):
    session = SessionStore(id_of(client))
    session.create()

    assert session.session_key != id_of(client)
    assert site.data(key_of(session.session_key)) == {}
    assert stored(site, client) == {"a": 1}


def test_create_takes_what_was_read_along(client, site):
    session = SessionStore(id_of(client))
    session["b"] = 2
    session.create()

    assert site.data(key_of(session.session_key)) == {"a": 1, "b": 2}
    assert stored(site, client) == {"a": 1}


@pytest.mark.parametrize("malformed", ["", "short", "A" * 42 + "B", "é" * 43])
def test_a_malformed_key_is_none_and_asks_nothing(handler, malformed):
    session = SessionStore(malformed)

    assert session.session_key is None
    assert session.get("a") is None
    assert handler.calls == []


def test_an_app_that_says_it_used_the_session_gets_its_vary(client, handler):
    def view(request):
        request.session.accessed = True

    assert "Cookie" in run(client, view)["Vary"]


def test_delete_of_another_key(client, site):
    SessionStore().delete(id_of(client))

    assert stored(site, client) is None


def test_clearsessions_removes_what_has_expired_and_nothing_else(site):
    dead = site.put(a=1)
    site.now += 40000
    live = site.put(b=1)

    call_command("clearsessions")

    assert dead not in site.store._rows
    assert live in site.store._rows


def test_clearsessions_leaves_the_work_to_another_cleaner(handler):
    def clean():
        raise SessionConflict("another cleaner is at work")

    handler.clean = clean
    call_command("clearsessions")

    assert handler.opened == 0


def test_the_test_clients_session_reaches_the_next_request(site):
    client = browser()
    session = client.session
    session["a"] = 5
    session.save()

    assert run(client, lambda request: request.session["a"]).content == b"5"


def test_the_test_clients_login(site, ada):
    client = browser()

    assert client.login(username="ada", password="p")
    assert run(client, lambda request: request.user.username).content == b"ada"
    client.logout()
    assert run(client, lambda request: request.user.is_authenticated).content == b"False"


def test_messages(client):
    run(client, lambda request: messages.info(request, "saved"))

    shown = run(client, lambda request: [str(m) for m in messages.get_messages(request)])
    again = run(client, lambda request: [str(m) for m in messages.get_messages(request)])

    assert (shown.content, again.content) == (b"['saved']", b"[]")


# The event loop


def arun(client, view):
    VIEWS["view"] = view

    async def ask():
        asking = AsyncClient(raise_request_exception=False)
        asking.cookies = client.cookies
        return await asking.get("/arun/view")

    return asyncio.run(ask())


def test_an_async_view_reads_and_writes_by_the_twins(client, site):
    async def view(request):
        await request.session.aset("b", await request.session.aget("a") + 1)
        return "done"

    assert arun(client, view).content == b"done"
    assert stored(site, client) == {"a": 1, "b": 2}


def test_a_question_to_the_store_on_the_event_loop_is_refused(client, handler):
    async def view(request):
        with pytest.raises(SynchronousOnlyOperation, match="aget"):
            request.session["a"]
        with pytest.raises(SynchronousOnlyOperation):
            request.session.hop.add("n")
        return "refused"

    assert arun(client, view).content == b"refused"
    assert handler.calls == []


def test_the_store_away_is_503_in_an_async_view(client, handler):
    async def view(request):
        return await request.session.aget("a")

    handler.is_down = True

    check_away(arun(client, view))


def test_an_async_login_and_logout(client, site, ada):
    async def view(request):
        await auth.alogin(request, ada)
        return "in"

    async def out(request):
        await auth.alogout(request)
        return "out"

    old = id_of(client)
    assert arun(client, view).status_code == 200
    assert site.data(key_of(old)) is None
    assert len(site.store.sessions_of_user(str(ada.pk))) == 1
    assert arun(client, out).status_code == 200
    assert site.store.sessions_of_user(str(ada.pk)) == []


# Django's own middleware


STOCK = override_settings(MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"])


@STOCK
def test_under_djangos_own_middleware_a_session_is_kept(site):
    client = browser()
    run(client, view_of(lambda session: put(session, a=1)))
    run(client, view_of(lambda session: put(session, b=2)))

    assert stored(site, client) == {"a": 1, "b": 2}


@STOCK
def test_under_djangos_own_middleware_a_dead_id_keeps_its_cookie(site):
    assert run(browser("A" * 43), lambda request: request.session.get("a")).cookies == {}


def test_the_lifetimes_are_those_of_the_setting(site):
    options = {"new_handler": lambda: site.handler, "lifetimes": Lifetimes(absolute_s=7200)}
    with override_settings(HOPPROOF=options):
        assert SessionStore().get_session_cookie_age() == 7200


# The page about Django


def test_a_visitor_of_djangos_own_session_moves_over(site, ada):
    from test_docs import PAGES, blocks

    (text,) = (block for block in blocks(PAGES["django.md"], "python") if "class MovingOver" in block)
    exec(text, names := {"__name__": __name__})
    globals()["MovingOver"] = names["MovingOver"]
    stock = [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ]
    before = browser()  # a client keeps the middleware of its first request
    with override_settings(MIDDLEWARE=stock, SESSION_ENGINE="django.contrib.sessions.backends.db"):
        run(before, lambda request: auth.login(request, ada))
    old = id_of(before)
    client = browser(old)

    with override_settings(MIDDLEWARE=["test_django.MovingOver", stock[1]]):
        answer = run(client, lambda request: request.user.username)
        again = run(client, lambda request: request.user.username)
        replayed = run(browser(old), lambda request: request.user.is_authenticated)

    assert (answer.content, again.content, replayed.content) == (b"ada", b"ada", b"False")
    assert id_of(client) != old
    assert len(site.store.sessions_of_user(str(ada.pk))) == 1
