"""starsessions with its RedisStore, on Starlette.

The lifetime, the cookie over plain HTTP and the closed client are its README's. A login calls
regenerate_session_id() and a logout clears the session, as its examples do.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starsessions import SessionAutoloadMiddleware, SessionMiddleware
from starsessions.session import regenerate_session_id
from starsessions.stores.redis import RedisStore

from rivals.probe import respond

client = Redis.from_url("redis://valkey")


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    yield
    await client.aclose()


async def serve(request: Request) -> Response:
    status, text = respond(
        request.method,
        request.url.path,
        await request.body(),
        request.session,
        login=lambda: regenerate_session_id(request),
        logout=request.session.clear,
    )
    return Response(text, status, media_type="application/json" if text else None)


application = Starlette(
    routes=[Route("/{_:path}", serve, methods=["GET", "PUT", "DELETE", "POST"])],
    middleware=[
        Middleware(
            SessionMiddleware,
            store=RedisStore(connection=client),
            cookie_https_only=False,
            lifetime=3600 * 24 * 14,
        ),
        Middleware(SessionAutoloadMiddleware),
    ],
    lifespan=lifespan,
)
