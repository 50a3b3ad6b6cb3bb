"""Promises of the sessions of Starlette and FastAPI, tried by their client on a recorded handler."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from contextlib import asynccontextmanager
from http.cookies import SimpleCookie

import pytest
from fastapi import Depends, FastAPI, HTTPException
from recorded import Visit
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.sessions import Session as BuiltIn
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from hopproof.handler import Change, Lifetimes, SessionError, SessionGone
from hopproof.session import Session
from hopproof.starlette import SessionMiddleware, StarletteSession, Threads, Verbs, load
from hopproof.web import key_of


@pytest.fixture
def handler(visit):
    return visit.handler


class Site:
    """An app with one route, /, whose view a test gives; /plain uses no session."""

    def __init__(self, visit: Visit, view=None, socket=None, **options) -> None:
        routes = [
            Route("/plain", lambda request: PlainTextResponse("plain")),
            Route("/", view or (lambda request: PlainTextResponse("none")), methods=["GET", "POST"]),
        ]
        if socket:
            routes.append(WebSocketRoute("/ws", socket))
        self.app = Starlette(
            routes=routes,
            middleware=[Middleware(SessionMiddleware, new_handler=lambda: visit.handler, **options)],
        )

    def browser(self, cookie: str | None = None) -> TestClient:
        client = TestClient(self.app, raise_server_exceptions=False, follow_redirects=False)
        if cookie:
            client.cookies.set("session", cookie)
        return client


def answering(change):
    """Return an async view that loads the session, and answers with what the function of it returns."""

    async def view(request):
        result = change(await load(request))
        return result if isinstance(result, Response) else PlainTextResponse(str(result))

    return view


@pytest.fixture
def session_id(visit):
    """The id of a session {"a": 1}."""
    session_id = "A" * 43
    visit.store.write(key_of(session_id), Change(set={"a": 1}, create=True))
    return session_id


def put(session, **entries):
    session.update(entries)


def data(visit, session_id):
    return visit.data(key_of(session_id))


def cookie_of(answer):
    return SimpleCookie(answer.headers["set-cookie"])["session"]


# R1 to R6


def test_an_untouched_session_costs_no_statement_and_no_cookie(visit, session_id):
    def view(request):
        session = request.scope["session"]
        return PlainTextResponse(str([session.accessed, session.modified]))

    answer = Site(visit, view).browser(session_id).get("/")

    assert answer.text == "[False, False]"
    assert visit.handler.calls == []
    assert "set-cookie" not in answer.headers
    assert "vary" not in answer.headers


def test_a_read_is_one_statement_and_a_change_one_more(visit, session_id):
    Site(visit, answering(lambda session: session["a"])).browser(session_id).get("/")
    assert visit.handler.verbs == ["read"]

    async def view(request):
        request.session["b"] = 2
        return PlainTextResponse("set")

    Site(visit, view).browser(session_id).get("/")

    assert visit.handler.verbs == ["read", "write"]
    assert data(visit, session_id) == {"a": 1, "b": 2}


def test_a_change_inside_a_value_is_found(visit):
    browser = Site(visit, answering(lambda session: session.setdefault("cart", []).append(1))).browser()

    browser.get("/")
    browser.get("/")

    assert data(visit, browser.cookies["session"]) == {"cart": [1, 1]}


def test_the_cookie_is_sent_when_the_id_is_new_and_not_again(visit):
    browser = Site(visit, answering(lambda session: put(session, a=1))).browser()

    first, second = browser.get("/"), browser.get("/")

    assert cookie_of(first)["samesite"] == "Lax"
    assert first.headers["cache-control"] == "private"
    assert first.headers["vary"] == "Cookie"
    assert "set-cookie" not in second.headers


def test_the_value_is_stored_before_the_first_byte(visit, session_id):
    seen = []

    async def app(scope, receive, send):
        scope["session"]["b"] = 2
        await send({"type": "http.response.start", "status": 200})
        seen.append(data(visit, session_id))
        await send({"type": "http.response.body", "body": b"x"})

    sent = asyncio.run(conversation(SessionMiddleware(app, lambda: visit.handler), session_id))

    assert seen == [{"a": 1, "b": 2}]
    assert sent[0]["headers"] == [(b"vary", b"Cookie")]


async def conversation(app, session_id=None, messages=(), **scope):
    sent = []
    waiting = list(messages)

    async def receive():
        return waiting.pop(0)

    async def send(message):
        sent.append(message)

    headers = [(b"cookie", f"session={session_id}".encode())] if session_id else []
    await app({"type": "http", "path": "/", "headers": headers, **scope}, receive, send)
    return sent


def test_messages_that_are_no_answer_pass_untouched(visit):
    hint = {"type": "http.response.debug", "info": {}}

    async def app(scope, receive, send):
        await send(hint)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.pathsend", "path": "/a"})

    sent = asyncio.run(conversation(SessionMiddleware(app, lambda: visit.handler)))

    assert [message["type"][14:] for message in sent] == ["debug", "start", "pathsend"]


@pytest.mark.parametrize("status", [500, 503])
def test_an_answer_of_500_and_above_saves_nothing(visit, session_id, status):
    def view(session):
        session["b"] = 1
        return Response(status_code=status)

    Site(visit, answering(view)).browser(session_id).get("/")

    assert data(visit, session_id) == {"a": 1}


def test_a_problem_takes_the_place_of_the_whole_answer(visit, session_id):
    async def app(scope, receive, send):
        scope["session"]["b"] = {1}
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        await send({"type": "http.response.body", "body": b"y"})

    sent = asyncio.run(conversation(SessionMiddleware(app, lambda: visit.handler), session_id))

    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert sent[0]["status"] == 400
    assert b"not-i-json" in sent[1]["body"]


def test_an_app_that_says_it_used_the_session_gets_its_vary(visit):
    def view(request):
        request.scope["session"].mark_accessed()
        return PlainTextResponse("x")

    assert Site(visit, view).browser().get("/").headers["vary"] == "Cookie"


def test_a_redirect_saves(visit, session_id):
    def view(session):
        session["b"] = 1
        return RedirectResponse("/plain")

    Site(visit, answering(view)).browser(session_id).get("/")

    assert data(visit, session_id) == {"a": 1, "b": 1}


@pytest.mark.parametrize("late", ["stream", "background"])
def test_after_the_answer_has_begun_reading_works_and_a_change_raises(visit, session_id, late):
    caught = []

    async def view(request):
        async def use():
            session = await load(request)
            assert session["a"] == 1
            with pytest.raises(RuntimeError) as error:
                session["b"] = 1
            caught.append(str(error.value))

        async def body():
            await use()
            yield "x"

        if late == "stream":
            return StreamingResponse(body())
        return PlainTextResponse("x", background=BackgroundTask(use))

    assert Site(visit, view).browser(session_id).get("/").text == "x"
    assert "background task" in caught[0]
    assert data(visit, session_id) == {"a": 1}


# Dead ids, and the session's end


def test_a_dead_id_reads_as_anonymous_and_keeps_its_cookie(visit):
    answer = Site(visit, answering(lambda session: session.get("a"))).browser("B" * 42 + "A").get("/")

    assert answer.text == "None"
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("made_up", ["B" * 42 + "A", "short"])
def test_a_made_up_id_is_never_adopted(visit, made_up):
    browser = Site(visit, answering(lambda session: put(session, a=2))).browser(made_up)

    assert cookie_of(browser.get("/")).value != made_up
    assert data(visit, made_up) is None


def test_a_save_after_a_logout_elsewhere_is_409_and_revives_nothing(visit, session_id):
    def view(session):
        session["b"] = 2
        visit.store.destroy(key_of(session_id))
        return "late"

    answer = Site(visit, answering(view)).browser(session_id).get("/")

    assert answer.status_code == 409
    assert "set-cookie" not in answer.headers
    assert data(visit, session_id) is None


def test_clear_ends_the_session_and_the_cookie(visit, session_id):
    answer = Site(visit, answering(lambda session: session.clear())).browser(session_id).get("/")

    assert cookie_of(answer)["max-age"] == "0"
    assert data(visit, session_id) is None


def test_an_emptied_session_lives_on(visit, session_id):
    Site(visit, answering(lambda session: session.pop("a"))).browser(session_id).get("/")

    assert data(visit, session_id) == {}


# The event loop


def test_an_unread_session_on_the_event_loop_is_refused(visit, session_id):
    async def view(request):
        for use in (
            lambda: request.session["a"],
            lambda: bool(request.session),
            lambda: request.session.hop.add("n"),
        ):
            with pytest.raises(RuntimeError, match=r"await load\(request\)"):
                use()
        return PlainTextResponse("refused")

    assert Site(visit, view).browser(session_id).get("/").text == "refused"
    assert visit.handler.calls == []


def test_a_def_route_reads_by_itself(visit, session_id):
    def view(request):
        return PlainTextResponse(str(request.session["a"] + request.session.hop.add("n")))

    assert Site(visit, view).browser(session_id).get("/").text == "2"


def test_eager_reads_once_and_before_the_route(visit, session_id):
    async def view(request):
        return PlainTextResponse(str(request.session["a"]))

    site = Site(visit, view, lazy=False)

    assert site.browser(session_id).get("/").text == "1"
    assert visit.handler.verbs == ["read"]


def test_eager_asks_nothing_without_a_well_formed_cookie(visit):
    Site(visit, lazy=False).browser("short").get("/plain")

    assert visit.handler.calls == []


def test_eager_skips_paths(visit, session_id):
    Site(visit, lazy=False, skip=["/plain"]).browser(session_id).get("/plain")

    assert visit.handler.calls == []


def test_eager_alone_does_not_make_an_answer_vary(visit, session_id):
    assert "vary" not in Site(visit, lazy=False).browser(session_id).get("/plain").headers


def test_a_slow_store_stops_no_other_route(visit, session_id):
    asked, release = threading.Event(), threading.Event()
    read = visit.handler.read

    def slow(key):
        asked.set()
        assert release.wait(20)
        return read(key)

    visit.handler.read = slow  # type: ignore[method-assign]
    app = Site(visit, answering(lambda session: session["a"])).app

    async def both():
        slow_one = asyncio.create_task(
            conversation(app, session_id, method="GET", query_string=b"", root_path="")
        )
        while not asked.is_set():
            await asyncio.sleep(0.01)
        fast = await conversation(
            app, session_id, method="GET", query_string=b"", root_path="", path="/plain"
        )
        was_waiting = not slow_one.done()
        release.set()
        return fast, was_waiting, await slow_one

    fast, was_waiting, slow_answer = asyncio.run(both())

    assert was_waiting
    assert fast[1]["body"] == b"plain"
    assert slow_answer[1]["body"] == b"1"


def test_a_thread_in_a_verb_stops_no_loaded_session(visit, session_id):
    asked, release, in_time = threading.Event(), threading.Event(), []
    visit.handler.before_write = lambda key: (asked.set(), in_time.append(release.wait(20)))

    async def view(request):
        session = await load(request)
        adding = asyncio.create_task(session.hop.aadd("n"))
        while not asked.is_set():
            await asyncio.sleep(0.01)
        value = session["a"]
        release.set()
        return PlainTextResponse(f"{value} {await adding}")

    assert Site(visit, view).browser(session_id).get("/").text == "1 1"
    assert in_time == [True]


def test_two_tasks_load_once_and_both_changes_are_stored(visit, session_id):
    async def view(request):
        async def change(name):
            (await load(request))[name] = 1

        await asyncio.gather(change("b"), change("c"))
        return PlainTextResponse("x")

    Site(visit, view).browser(session_id).get("/")

    assert visit.handler.verbs == ["read", "write"]
    assert data(visit, session_id) == {"a": 1, "b": 1, "c": 1}


def test_stuck_def_routes_do_not_stop_an_async_routes_session(visit, session_id):
    release = threading.Event()

    def stuck(request):
        release.wait(20)
        return PlainTextResponse("freed")

    async def quick(request):
        return PlainTextResponse(str((await load(request))["a"]))

    app = Starlette(
        routes=[Route("/stuck", stuck), Route("/quick", quick)],
        middleware=[Middleware(SessionMiddleware, new_handler=lambda: visit.handler)],
    )
    common = {"method": "GET", "query_string": b"", "root_path": ""}

    async def ask():
        waiting = [asyncio.create_task(conversation(app, path="/stuck", **common)) for _ in range(45)]
        await asyncio.sleep(0.1)
        answer = await conversation(app, session_id, path="/quick", **common)
        were_waiting = not any(task.done() for task in waiting)
        release.set()
        await asyncio.gather(*waiting)
        return answer, were_waiting

    answer, were_waiting = asyncio.run(ask())

    assert were_waiting
    assert answer[1]["body"] == b"1"


def test_a_call_that_no_thread_took_in_time_is_an_outage(monkeypatch):
    monkeypatch.setattr("hopproof.starlette.LONGEST_WAIT_S", 0.05)
    threads = Threads(1)

    async def ask():
        first = asyncio.create_task(threads.run(time.sleep, 0.3))
        await asyncio.sleep(0)
        with pytest.raises(SessionError, match="no thread"):
            await threads.run(print)
        await first

    asyncio.run(ask())


def test_a_request_that_is_cancelled_during_the_save_leaves_nothing_halfway(visit, session_id):
    asked, release = threading.Event(), threading.Event()
    visit.handler.before_write = lambda key: (asked.set(), release.wait(20))

    async def app(scope, receive, send):
        scope["session"]["b"] = 2
        await send({"type": "http.response.start", "status": 200})

    async def cancel():
        task = asyncio.create_task(conversation(SessionMiddleware(app, lambda: visit.handler), session_id))
        while not asked.is_set():
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])
        release.set()
        while visit.handler.opened:
            await asyncio.sleep(0.01)
        return task.cancelled()

    assert asyncio.run(asyncio.wait_for(cancel(), 20))
    assert data(visit, session_id) == {"a": 1, "b": 2}


# Errors


def check_away(answer):
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["content-type"] == "application/problem+json"
    assert "set-cookie" not in answer.headers


def test_a_route_without_session_works_while_the_store_is_away(visit, session_id):
    visit.handler.is_down = True

    assert Site(visit).browser(session_id).get("/plain").text == "plain"


@pytest.mark.parametrize("lazy", [True, False])
def test_the_store_away_is_503(visit, session_id, lazy):
    visit.handler.is_down = True

    check_away(Site(visit, answering(lambda session: session["a"]), lazy=lazy).browser(session_id).get("/"))


def test_the_store_away_is_503_in_a_def_route(visit, session_id):
    visit.handler.is_down = True

    check_away(
        Site(visit, lambda request: PlainTextResponse(request.session["a"])).browser(session_id).get("/")
    )


def test_the_store_away_is_503_in_the_save(visit, session_id):
    visit.handler.failing = frozenset(["write"])

    check_away(Site(visit, answering(lambda session: put(session, b=1))).browser(session_id).get("/"))


def test_an_apps_own_handler_of_the_error_wins(visit, session_id):
    visit.handler.is_down = True
    site = Site(visit, answering(lambda session: session["a"]))
    site.app.add_exception_handler(SessionError, lambda request, error: PlainTextResponse("own", 503))

    assert site.browser(session_id).get("/").text == "own"


def test_an_error_is_reported_once(visit, session_id):
    visit.handler.is_down = True
    errors = []

    Site(visit, answering(lambda session: session["a"]), on_error=errors.append).browser(session_id).get("/")

    assert len(errors) == 1


def test_a_crash_after_a_login_is_500_with_the_new_cookie(visit, session_id):
    async def view(request):
        await request.session.hop.alogin("ada")
        raise ZeroDivisionError

    browser = Site(visit, view).browser(session_id)
    answer = browser.get("/")

    assert answer.status_code == 500
    assert data(visit, cookie_of(answer).value) == {"a": 1}


def test_a_crash_without_a_new_id_is_the_apps_own_page(visit, session_id):
    async def view(request):
        request.session["b"] = 1
        raise ZeroDivisionError

    site = Site(visit, view)
    site.app.add_exception_handler(500, lambda request, error: PlainTextResponse("own page", 500))
    answer = site.browser(session_id).get("/")

    assert answer.text == "own page"
    assert data(visit, session_id) == {"a": 1}


def test_a_replaced_mapping_is_an_error_and_no_loss(visit, session_id):
    def view(request):
        request.scope["session"] = {"b": 1}
        return PlainTextResponse("x")

    client = TestClient(Site(visit, view).app, cookies={"session": session_id})

    with pytest.raises(RuntimeError, match="was replaced"):
        client.get("/")


@pytest.mark.parametrize("value", [(1, 2), {1}, float("nan"), {1: 2}, object()])
def test_a_value_that_would_come_back_different_is_refused_by_name(visit, session_id, value):
    answer = Site(visit, answering(lambda session: put(session, cart=value))).browser(session_id).get("/")

    assert answer.status_code == 400
    assert answer.json()["key"] == "cart"


# Options


@pytest.mark.parametrize(
    ("options", "name", "value"),
    [
        ({"path": "/shop"}, "path", "/shop"),
        ({"domain": "example.org"}, "domain", "example.org"),
        ({"https_only": True}, "secure", True),
        ({"same_site": "strict"}, "samesite", "Strict"),
        ({"max_age": 3600}, "max-age", "3600"),
        ({"max_age": None}, "max-age", ""),
        ({}, "max-age", "43200"),
    ],
)
def test_an_option_of_the_cookie_is_kept(visit, options, name, value):
    site = Site(visit, answering(lambda session: put(session, a=1)), **options)

    assert cookie_of(site.browser().get("/"))[name] == value


def test_the_name_of_the_cookie_is_an_option(visit):
    site = Site(visit, answering(lambda session: put(session, a=1)), session_cookie="sid")

    assert site.browser().get("/").headers["set-cookie"].startswith("sid=")


@pytest.mark.parametrize(
    ("options", "error", "named"),
    [
        ({"secret_key": "x"}, TypeError, "secret_key is not needed"),
        ({"new_handler": None}, TypeError, "new_handler"),
        ({"max_age": 60}, ValueError, "max_age is 60 s"),
        ({"same_site": "none"}, ValueError, "SameSite"),
        ({"partitioned": True}, ValueError, "Partitioned"),
        ({"session_cookie": "__Host-s"}, ValueError, "__Host-"),
    ],
)
def test_an_option_that_weakens_is_refused(visit, options, error, named):
    with pytest.raises(error, match=named):
        SessionMiddleware(print, **{"new_handler": lambda: visit.handler} | options)


def test_of_two_cookies_the_first_well_formed_one_counts(visit, session_id):
    client = Site(visit, answering(lambda session: session["a"])).browser()

    answer = client.get("/", headers={"cookie": f"session=short; session={session_id}; session={'B' * 42}A"})

    assert answer.text == "1"


def test_a_mount_with_the_middleware_again_saves_once(visit):
    inner = Site(visit, answering(lambda session: put(session, a=1))).app
    outer = Starlette(
        routes=[Mount("/in", inner)],
        middleware=[Middleware(SessionMiddleware, new_handler=lambda: visit.handler)],
    )
    answer = TestClient(outer).get("/in/")

    assert visit.handler.verbs == ["write"]
    assert len(answer.headers.get_list("set-cookie")) == 1
    assert cookie_of(answer)["path"] == "/"


def test_the_identity_of_an_app_logs_in(visit, session_id):
    site = Site(visit, answering(lambda session: put(session, uid=7)), identity="uid", user_prefix="shop:")

    site.browser(session_id).get("/")

    assert data(visit, session_id) is None
    assert len(visit.store.sessions_of_user("shop:7")) == 1


# The mapping, and the verbs


@pytest.mark.parametrize(
    "use",
    [
        lambda s: s.__setitem__("b", 2),
        lambda s: s.__delitem__("a"),
        lambda s: s.clear(),
        lambda s: s.pop("a"),
        lambda s: s.pop("y", 5),
        lambda s: s.popitem(),
        lambda s: s.setdefault("a", 3),
        lambda s: s.setdefault("b", 3),
        lambda s: s.update({"b": 1}, c=2),
        lambda s: s.__ior__({"b": 1}) is s,
    ],
)
def test_a_method_that_the_built_in_overrides_behaves_alike(visit, use):
    threads = Threads(1)
    from hopproof.web import Web

    ours = StarletteSession(Web(lambda: visit.handler).visit(None), threads)
    theirs = BuiltIn()
    for session in (ours, theirs):
        session["a"] = 1
        session["z"] = 2

    assert use(ours) == use(theirs)
    assert dict(ours) == dict(theirs)


def test_every_method_that_the_built_in_overrides_was_tried():
    own = {name for name, value in vars(BuiltIn).items() if callable(value)}

    assert own - {"mark_accessed", "mark_modified"} == {
        "__setitem__", "__delitem__", "clear", "pop", "popitem", "setdefault", "update", "__ior__",
    }  # fmt: skip


WITHOUT_TWIN = {"rest", "release", "seal", "remove", "known", "check_unsealed", "lapse", "save_changes"}


def test_each_verb_has_both_forms():
    mapping = {"get", "pop", "popitem", "clear", "update", "setdefault", "keys", "items", "values"}
    sync = {name for name, value in vars(Session).items() if inspect.isfunction(value) and name[0] != "_"}
    twins = {name[1:] for name, value in vars(Verbs).items() if inspect.iscoroutinefunction(value)}

    assert twins == sync - WITHOUT_TWIN - mapping


@pytest.mark.parametrize(
    "name", sorted(name for name, value in vars(Verbs).items() if inspect.iscoroutinefunction(value))
)
def test_a_twin_takes_the_arguments_of_its_verb_and_does_the_same(visit, session_id, name):
    twin, verb = getattr(Verbs, name), getattr(Session, name[1:])
    assert list(inspect.signature(twin).parameters) == list(inspect.signature(verb).parameters)

    arguments = {"name": "n", "value": 1, "function": lambda value: 5, "user": "ada", "key": b"k" * 32}
    given = [arguments[p] for p in inspect.signature(verb).parameters if p in arguments]

    async def view(request):
        await request.session.hop.alogin("ada")
        await getattr(request.session.hop, name)(*given)
        return PlainTextResponse("done")

    assert Site(visit, view).browser(session_id).get("/").text == "done"


# Websockets


def test_a_session_made_before_accept_reaches_the_browser(visit):
    async def socket(websocket):
        (await load(websocket))["a"] = 1
        await websocket.accept()
        await websocket.close()

    client = Site(visit, socket=socket).browser()
    with client.websocket_connect("/ws") as connection:
        headers = dict(connection.extra_headers)

    cookie = SimpleCookie(headers[b"set-cookie"].decode())["session"]
    assert data(visit, cookie.value) == {"a": 1}


def test_after_accept_verbs_work_and_entries_do_not(visit, session_id):
    async def socket(websocket):
        session = await load(websocket)
        await websocket.accept()
        with pytest.raises(RuntimeError, match="amodify"):
            session["b"] = 1
        with pytest.raises(RuntimeError, match="new id"):
            await session.hop.arotate()
        visit.store.write(key_of(session_id), Change(set={"a": 5}))
        await session.hop.areload()
        await websocket.send_text(f"{await session.hop.aadd('n')} {session['a']}")
        await websocket.close()

    with Site(visit, socket=socket).browser(session_id).websocket_connect("/ws") as connection:
        assert connection.receive_text() == "1 5"


def test_after_a_logout_elsewhere_the_sockets_next_verb_raises(visit, session_id):
    async def socket(websocket):
        session = await load(websocket)
        await websocket.accept()
        visit.store.destroy(key_of(session_id))
        with pytest.raises(SessionGone):
            await session.hop.aadd("n")
        await websocket.send_text("raised")
        await websocket.close()

    with Site(visit, socket=socket).browser(session_id).websocket_connect("/ws") as connection:
        assert connection.receive_text() == "raised"


def test_the_store_away_refuses_a_websocket(visit, session_id):
    async def socket(websocket):
        await load(websocket)
        await websocket.accept()

    visit.handler.is_down = True
    client = Site(visit, socket=socket).browser(session_id)

    with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect("/ws"):
        pass
    assert getattr(refused.value, "status_code", None) == 503 or refused.value.code == 1011


# Lifespan


def test_a_lifespan_passes_and_may_close_the_pool(visit):
    closed = []

    @asynccontextmanager
    async def lifespan(app):
        yield
        closed.append(True)

    app = Starlette(
        lifespan=lifespan, middleware=[Middleware(SessionMiddleware, new_handler=lambda: visit.handler)]
    )
    with TestClient(app):
        assert closed == []

    assert closed == [True]


# FastAPI


def fast(visit, **options):
    app = FastAPI()
    app.add_middleware(SessionMiddleware, new_handler=lambda: visit.handler, **options)
    return app


def test_fastapi_takes_load_as_a_dependency(visit, session_id):
    app = fast(visit)

    @app.get("/")
    async def view(session: StarletteSession = Depends(load)):  # noqa: B008
        return {"a": session["a"], "n": await session.hop.aadd("n")}

    client = TestClient(app, cookies={"session": session_id})

    assert client.get("/").json() == {"a": 1, "n": 1}
    assert client.get("/openapi.json").json()["paths"]["/"]["get"].get("parameters") is None


def test_fastapis_code_after_yield_is_late(visit, session_id):
    app = fast(visit)
    caught = []

    async def dependency(session: StarletteSession = Depends(load)):  # noqa: B008
        yield session
        assert session["a"] == 1
        try:
            session["b"] = 1
        except RuntimeError as error:
            caught.append(str(error))

    @app.get("/")
    async def view(session: StarletteSession = Depends(dependency)):  # noqa: B008
        return 1

    TestClient(app, cookies={"session": session_id}).get("/")

    assert "dependency's yield" in caught[0]
    assert data(visit, session_id) == {"a": 1}


def test_fastapis_http_exception_saves_as_any_answer_below_500(visit, session_id):
    app = fast(visit)

    @app.get("/{status}")
    async def view(status: int, session: StarletteSession = Depends(load)):  # noqa: B008
        session[f"s{status}"] = 1
        raise HTTPException(status)

    client = TestClient(app, cookies={"session": session_id})
    for status in (404, 503):
        assert client.get(f"/{status}").status_code == status

    assert data(visit, session_id) == {"a": 1, "s404": 1}


def test_a_logout_and_the_lifetimes_of_the_store(visit, session_id):
    app = fast(visit, lifetimes=Lifetimes(absolute_s=7200))

    @app.get("/")
    async def view(session: StarletteSession = Depends(load)):  # noqa: B008
        await session.hop.adestroy()
        session["b"] = 1

    answer = TestClient(app, cookies={"session": session_id}).get("/")

    assert data(visit, session_id) is None
    assert cookie_of(answer)["max-age"] == "7200"
