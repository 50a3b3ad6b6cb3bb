"""The usual way to write such an adapter, in three frameworks. The suite has to refuse each."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest
import test_dead_ids as dead_ids
import test_outage as outage
import test_probe_api as probe_api
import test_session_cookie as session_cookie
from adapters import AdapterSite, as_wsgi
from django.core.wsgi import get_wsgi_application
from django.test import override_settings
from flask import Flask, Response, jsonify, request, session
from flask.sessions import SessionInterface, SessionMixin
from recorded import RecordedHandler
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.responses import Response as StarletteResponse
from starlette.routing import Route

from frameworks import django_site, flask_site
from frameworks.probe import Asked, respond
from hopproof.handler import Change, SessionGone
from hopproof.web import key_of
from problem import ProblemError


class NaiveSession(dict[str, Any], SessionMixin):
    """A session as most adapters have it: read at the start, written whole at the end, under any id."""

    def __init__(self, handler: RecordedHandler, session_id: str | None) -> None:
        self.handler = handler
        self.id = session_id or secrets.token_urlsafe(32)
        self.hop = self
        stored = handler.read(self.key) if session_id else None
        super().__init__(stored.data["all"] if stored else {})
        self.user = stored.user if stored else None

    @property
    def key(self) -> bytes:
        return key_of(self.id)

    def save(self) -> None:
        whole = {"all": dict(self)}
        try:
            self.handler.write(self.key, Change(set=whole, user=self.user))
        except SessionGone:
            self.handler.write(self.key, Change(set=whole, user=self.user, create=True))

    def add(self, name: str) -> int:
        self[name] = self.get(name, 0) + 1
        return int(self[name])

    def append(self, name: str, value: Any) -> int:
        self[name] = [*self.get(name, []), value]
        return len(self[name])

    def remove(self, name: str) -> None:
        self.pop(name, None)

    def login(self, user: str) -> None:
        self.user, self.id = user, secrets.token_urlsafe(32)

    def destroy(self) -> None:
        self.handler.destroy(self.key)
        self.clear()


class NaiveInterface(SessionInterface):
    def __init__(self, site: AdapterSite) -> None:
        self.site = site

    def open_session(self, app: Any, request: Any) -> NaiveSession:
        return NaiveSession(self.site.handler, request.cookies.get("session"))

    def save_session(self, app: Any, session: Any, response: Any) -> None:
        session.save()
        response.set_cookie("session", session.id)


class NaiveFlaskSite(AdapterSite):
    def build(self) -> Any:
        app = Flask(__name__, static_folder=None)
        app.session_interface = NaiveInterface(self)
        app.url_map.converters["anything"] = flask_site.Anything
        app.register_error_handler(ProblemError, lambda error: flask_site.answer(error.problem))

        @app.route("/<anything:path>", methods=flask_site.METHODS)
        def serve(path: str) -> Response:
            target = request.environ["RAW_URI"]
            asked = Asked(request.method, target, request.headers.get, request.scheme, request.get_data)
            status, body = respond(asked, session, session.hop, self.server)  # type: ignore[attr-defined]
            made = jsonify(body)
            made.status_code = 200 if status == 204 else status
            return made

        return app.wsgi_app


NAIVE_SITES: list[AdapterSite] = []


def naive_middleware(get_response: Callable[..., Any]) -> Callable[..., Any]:
    def serve(request: Any) -> Any:
        request.session = NaiveSession(NAIVE_SITES[-1].handler, request.COOKIES.get("session"))
        response = get_response(request)
        request.session.save()
        response.set_cookie("session", request.session.id)
        return response

    return serve


class NaiveDjangoSite(AdapterSite):
    def build(self) -> Any:
        NAIVE_SITES.append(self)
        self.settings = override_settings(
            MIDDLEWARE=["test_naive_adapters.naive_middleware"], ROOT_URLCONF="frameworks.django_site"
        )
        self.settings.enable()
        django_site.SERVER[:] = [self.server]
        return get_wsgi_application()

    def close(self) -> None:
        self.settings.disable()


class NaiveMiddleware:
    """It saves when the app has returned, which is after the answer has left."""

    def __init__(self, app: Any, site: AdapterSite) -> None:
        self.app, self.site = app, site

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        made = NaiveSession(self.site.handler, Request(scope).cookies.get("session"))
        scope["session"] = made

        async def with_cookie(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append((b"set-cookie", f"session={made.id}".encode()))
            await send(message)

        await self.app(scope, receive, with_cookie)
        made.save()


class NaiveStarletteSite(AdapterSite):
    def build(self) -> Any:
        async def serve(request: Request) -> StarletteResponse:
            target, body = request.scope["raw_path"].decode(), await request.body()
            asked = Asked(request.method, target, request.headers.get, request.url.scheme, lambda: body)
            _, answer = respond(asked, request.session, request.session.hop, self.server)
            return JSONResponse(answer)

        methods = ["GET", "PUT", "DELETE", "POST"]
        return as_wsgi(
            Starlette(
                routes=[Route("/{path:anything}", serve, methods=methods)],
                middleware=[Middleware(NaiveMiddleware, site=self)],
            )
        )


@pytest.fixture(params=[NaiveFlaskSite, NaiveDjangoSite, NaiveStarletteSite], ids=lambda kind: kind.__name__)
def site(request):
    site = request.param()
    yield site
    site.close()


PUT = ("PUT", "/api/session/data/a", 2)
REFUSES = [
    (dead_ids.test_changes_of_two_tabs_both_survive, ()),
    (dead_ids.test_a_slow_change_across_a_logout_is_refused, PUT),
    (dead_ids.test_a_slow_change_across_a_login_in_another_tab_is_refused_and_keeps_that_login, PUT),
    (session_cookie.test_the_cookie_is_not_sent_again_while_the_id_stays, ("GET", "/api/session", None)),
    (session_cookie.test_a_forged_cookie_is_replaced_and_not_adopted_when_something_is_stored, ()),
    (probe_api.test_a_stateless_answer_never_touches_the_session, ()),
    (probe_api.test_no_session_shows_as_empty_and_sets_no_cookie, ()),
]


@pytest.mark.parametrize(("test", "arguments"), REFUSES, ids=lambda part: getattr(part, "__name__", ""))
def test_the_suite_refuses_it(site, test, arguments):
    with pytest.raises(AssertionError):
        test(site, *arguments)


def test_the_suite_refuses_it_while_the_store_is_away(site):
    with pytest.raises(Exception, match=r"the test says so|assert"):
        outage.test_routes_without_a_session_work_during_an_outage(site, "/api/stateless")


def test_it_works_as_long_as_nothing_happens(site):
    """The naive adapters are no strawmen: one visitor, one request at a time, and they pass."""
    browser = site.browser()
    browser.ask("PUT", "/api/session/data/a", {"x": [1]})

    assert browser.ask("POST", "/api/session/counters/n").json == {"value": 1}
    assert browser.ask("GET", "/api/session").json["data"] == {"a": {"x": [1]}, "n": 1}
