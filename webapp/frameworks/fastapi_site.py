"""The probe API in FastAPI, in `async def` routes: entries after `load`, and the verbs with an a."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import Depends, FastAPI, Request, Response
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException

import events
from body import check_length, checked_user, json_value
from frameworks.probe import COUNTERS, DATA, LISTS, OWN, key_in
from health import Server
from hopproof.handler import Json, SessionHandler
from hopproof.starlette import SessionMiddleware, StarletteSession, Verbs, load
from hopproof.web import PROBLEM_JSON, Problem
from origin import check_origin
from probe import in_list, name_after, require_login
from problem import ProblemError, refused


class Anything(Convertor[str]):
    """Any path. Starlette's own convertor for paths takes no line break, which a name may have."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("anything", Anything())
NO_CONTENT: dict[str, Any] = {"status_code": 204, "response_class": Response}


def build_app(new_handler: Callable[[], SessionHandler], server: Server, **options: Any) -> FastAPI:
    """Return the application. options: of SessionMiddleware."""
    app = FastAPI(openapi_url=None, dependencies=[Depends(refuse_cross_site)])
    app.add_middleware(SessionMiddleware, new_handler=new_handler, **options)
    app.add_exception_handler(ProblemError, lambda request, error: answer(error.problem))
    app.add_exception_handler(HTTPException, not_routed)
    add_routes(app, server)
    return app


def verbs(request: Request) -> Verbs:
    hop: Verbs = request.session.hop
    return hop


async def logged_in(session: StarletteSession = Depends(load)) -> Verbs:  # noqa: B008
    require_login(session.hop)
    return session.hop


def add_routes(app: FastAPI, server: Server) -> None:
    @app.get("/api/session")
    async def show(session: StarletteSession = Depends(load)) -> dict[str, Any]:  # noqa: B008
        return {"server": server.name, "user": session.hop.user, "data": dict(session)}

    @app.put(DATA + "{name:anything}", **NO_CONTENT)
    async def set_value(request: Request) -> None:
        request.session[name_after(DATA, target_of(request))] = await value_of(request)

    @app.delete(DATA + "{name:anything}", **NO_CONTENT)
    async def remove_value(request: Request) -> None:
        request.session.hop.remove(name_after(DATA, target_of(request)))

    @app.post(COUNTERS + "{name:anything}")
    async def count(request: Request, hop: Verbs = Depends(verbs)) -> dict[str, int]:  # noqa: B008
        return {"value": await hop.aadd(name_after(COUNTERS, target_of(request)))}

    @app.post(LISTS + "{name:anything}")
    async def append(request: Request, hop: Verbs = Depends(verbs)) -> dict[str, int]:  # noqa: B008
        name, value = name_after(LISTS, target_of(request)), await value_of(request)
        return {"length": await hop.aappend(name, value)}

    @app.post("/api/login")
    async def login(request: Request, hop: Verbs = Depends(verbs)) -> dict[str, str]:  # noqa: B008
        body = await value_of(request)
        name = checked_user(body.get("user") if isinstance(body, dict) else None)
        before = hop.key
        await hop.alogin(name)
        events.record("login", hop.key, user=name, before=before)
        return {"user": name}

    @app.post("/api/logout", **NO_CONTENT)
    async def logout(hop: Verbs = Depends(verbs)) -> None:  # noqa: B008
        key = hop.key
        await hop.adestroy()
        if key is not None:
            events.record("logout", key)

    @app.post("/api/logout-everywhere")
    async def logout_everywhere(hop: Verbs = Depends(logged_in)) -> dict[str, int]:  # noqa: B008
        key, user = hop.key, hop.user
        ended = await hop.adestroy_all_of_user()
        events.record("logout-everywhere", key, user=user, ended=ended)
        return {"ended": ended}

    @app.get("/api/sessions")
    async def list_sessions(hop: Verbs = Depends(logged_in)) -> dict[str, Any]:  # noqa: B008
        return {"sessions": [in_list(listed, hop) for listed in await hop.aall_of_user()]}

    @app.delete(OWN + "{digits}", **NO_CONTENT)
    async def end_session(digits: str, hop: Verbs = Depends(logged_in)) -> None:  # noqa: B008
        key, user = key_in(digits), hop.user
        if not await hop.adestroy_one_of_user(key):
            raise refused(404, "no-such-session", "No live session of yours has this key.")
        events.record("session-ended", key, user=user)

    @app.get("/api/stateless")
    def stateless() -> dict[str, str]:
        return {"server": server.name}

    @app.get("/{path:path}")
    def health(request: Request) -> dict[str, Any]:
        return server.health(request.url.path)


def target_of(request: Request) -> str:
    """Return the path as the client sent it."""
    return bytes(request.scope["raw_path"]).decode("latin-1")


async def value_of(request: Request) -> Json:
    """Return the value in the body. Raises a 400 or 413 problem."""
    check_length(int(request.headers.get("Content-Length") or 0))
    body = await request.body()
    check_length(len(body))
    return json_value(body)


def refuse_cross_site(request: Request) -> None:
    check_origin(request.method, request.headers.get, request.url.scheme)


def answer(problem: Problem) -> Response:
    return Response(problem.to_json(), problem.status, problem.headers, PROBLEM_JSON)


def not_routed(request: Request, error: HTTPException) -> Response:
    return answer(Problem(error.status_code, error.detail.lower().replace(" ", "-"), error.detail))
