"""The probe API on each adapter, in process, over one recorded handler: sites for the fixture `site`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import test_django  # noqa: F401  configures Django, which has one set of settings per process
from django.test import override_settings
from reference_site import Site
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from frameworks import django_site, fastapi_site, flask_site
from frameworks.probe import Asked, respond
from health import Server
from hopproof.starlette import SessionMiddleware
from hopproof.web import PROBLEM_JSON
from problem import ProblemError

Wsgi = Callable[..., Iterable[bytes]]


def as_wsgi(app: Callable[..., Any]) -> Wsgi:
    """Return an ASGI application as a WSGI one: a loop for each request, and the whole body at once."""

    async def converse(scope: dict[str, Any], body: bytes) -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = []
        waiting = [{"type": "http.request", "body": body}]
        is_answered = asyncio.Event()

        async def receive() -> dict[str, Any]:
            if not waiting:
                await is_answered.wait()
                return {"type": "http.disconnect"}
            return waiting.pop()

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await app(scope, receive, send)
        is_answered.set()
        return sent

    def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        fields = {name[5:]: value for name, value in environ.items() if name.startswith("HTTP_")}
        fields |= {name: environ[name] for name in ("CONTENT_TYPE", "CONTENT_LENGTH") if name in environ}
        path = environ["RAW_URI"].partition("?")[0]
        length = environ.get("CONTENT_LENGTH") or ""
        body = environ["wsgi.input"].read(min(int(length), 100_000) if length.isdigit() else -1)
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": environ["REQUEST_METHOD"],
            "scheme": "http",
            "path": environ["PATH_INFO"].encode("latin-1").decode(errors="replace"),
            "raw_path": path.encode("latin-1"),
            "query_string": environ["QUERY_STRING"].encode(),
            "root_path": "",
            "headers": [
                (name.replace("_", "-").lower().encode(), value.encode("latin-1"))
                for name, value in fields.items()
            ],
            "server": ("127.0.0.1", 80),
            "client": ("127.0.0.1", 1),
        }
        start, *rest = asyncio.run(converse(scope, body))
        headers = [
            (name.decode("latin-1").title(), value.decode("latin-1")) for name, value in start["headers"]
        ]
        start_response(f"{start['status']} Answered", headers)
        return [b"".join(message.get("body", b"") for message in rest)]

    return wsgi


class AdapterSite(Site):
    """A site of another framework in place of the reference app."""

    def __post_init__(self) -> None:
        self.server = Server(
            "web-test",
            has_started=lambda: self.has_started,
            is_draining=lambda: self.is_draining,
            store_answers=lambda: not self.handler.is_down,
        )
        self.app = self.build()  # type: ignore[assignment]

    def build(self) -> Wsgi:
        raise NotImplementedError

    def close(self) -> None:
        pass


class FlaskSite(AdapterSite):
    budget = Site.budget | {"login": 2}  # the new cookie's Max-Age depends on an entry

    def build(self) -> Wsgi:
        return flask_site.build_app(lambda: self.handler, self.server).wsgi_app


class DjangoSite(AdapterSite):
    # A change reads first, as Django's own stores do: the session's own expiry may have passed.
    budget = Site.budget | dict.fromkeys(["set", "remove", "add", "append", "login"], 2)
    made: Callable[[Server], Wsgi] = staticmethod(django_site.wsgi)

    def build(self) -> Wsgi:
        self.settings = override_settings(
            DATA_UPLOAD_MAX_MEMORY_SIZE=None,
            HOPPROOF={"new_handler": lambda: self.handler},
            MIDDLEWARE=["hopproof.django.SessionMiddleware"],
            ROOT_URLCONF="frameworks.django_site",
            SESSION_COOKIE_NAME="session",
            SESSION_EXPIRE_AT_BROWSER_CLOSE=True,
        )
        self.settings.enable()
        return self.made(self.server)

    def close(self) -> None:
        self.settings.disable()


class DjangoAsyncSite(DjangoSite):
    made = staticmethod(lambda server: as_wsgi(django_site.asgi(server)))


class FastApiSite(AdapterSite):
    def build(self) -> Wsgi:
        return as_wsgi(fastapi_site.build_app(lambda: self.handler, self.server, max_age=None))


class StarletteSite(AdapterSite):
    """A `def` route, and a session that is read before it, but for these paths."""

    unread = ("/api/stateless", "/healthz", "/readyz", "/api/logout")
    budget = Site.budget | dict.fromkeys(["set", "remove", "add", "append", "login"], 2)

    def build(self) -> Wsgi:
        async def body_of(request: Request) -> Response:
            body = await request.body()
            return await asyncio.to_thread(serve, request, body)

        def serve(request: Request, body: bytes) -> Response:
            target = request.scope["raw_path"].decode("latin-1")
            asked = Asked(request.method, target, request.headers.get, request.url.scheme, lambda: body)
            try:
                status, answer = respond(asked, request.session, request.session.hop, self.server)
            except ProblemError as error:
                problem = error.problem
                return Response(problem.to_json(), problem.status, problem.headers, PROBLEM_JSON)
            return Response(status_code=status) if answer is None else JSONResponse(answer, status)

        methods = ["GET", "PUT", "DELETE", "POST"]
        options = {"new_handler": lambda: self.handler, "max_age": None, "lazy": False, "skip": self.unread}
        return as_wsgi(
            Starlette(
                routes=[Route("/{path:anything}", body_of, methods=methods)],
                middleware=[Middleware(SessionMiddleware, **options)],
            )
        )


ADAPTERS = [FlaskSite, DjangoSite, DjangoAsyncSite, StarletteSite, FastApiSite]
