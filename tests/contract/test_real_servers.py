"""The adapter for Starlette in uvicorn on a real table: what no client in the same process can show."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import uvicorn
from our_worlds import SqlWorld
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.sync.client import connect

from hopproof.handler import Change, SessionGone
from hopproof.mysql import MySQLHandler
from hopproof.starlette import SessionMiddleware, load
from hopproof.web import key_of

SESSION_ID = "A" * 43
PATIENT_S = 60


@pytest.fixture
def world(sql_world: SqlWorld) -> SqlWorld:
    return sql_world


@pytest.fixture
def session_id(world: SqlWorld) -> str:
    world.new_handler().write(key_of(SESSION_ID), Change(set={"n": 0}, create=True))
    return SESSION_ID


@contextlib.contextmanager
def serving(
    world: SqlWorld, view: Callable[[Any], Any], socket_view: Any = None, pool: Any = None
) -> Iterator[int]:
    """Serve / and /ws by uvicorn on a port of 127.0.0.1, and yield the port."""
    pool = pool or world.pool
    routes: list[Any] = [Route("/", view)]
    if socket_view is not None:
        routes.append(WebSocketRoute("/ws", socket_view))
    options = {"new_handler": lambda: MySQLHandler(pool, deadline_s=PATIENT_S), "threads": 4}
    app = Starlette(routes=routes, middleware=[Middleware(SessionMiddleware, **options)])
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def asking(port: int, session_id: str) -> socket.socket:
    """Send a request, and return the connection."""
    connection = socket.create_connection(("127.0.0.1", port), PATIENT_S)
    request = f"GET / HTTP/1.1\r\nHost: a\r\nCookie: session={session_id}\r\nConnection: close\r\n\r\n"
    connection.sendall(request.encode())
    return connection


def whole_answer(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


def stored(world: SqlWorld, session_id: str) -> Any:
    found = world.new_handler().read(key_of(session_id))
    return found.data if found else None


def test_the_value_is_in_the_table_when_the_first_byte_arrives(world: SqlWorld, session_id: str) -> None:
    may_end = threading.Event()

    async def view(request: Request) -> StreamingResponse:
        async def body() -> Any:
            yield b"first"
            await asyncio.to_thread(may_end.wait, PATIENT_S)
            yield b"last"

        (await load(request))["b"] = 2
        return StreamingResponse(body())

    with serving(world, view) as port, asking(port, session_id) as connection:
        first = connection.recv(1)
        seen = stored(world, session_id)
        may_end.set()
        rest = whole_answer(connection)

    assert (first, seen) == (b"H", {"n": 0, "b": 2})
    assert b"last" in rest


def test_a_visitor_who_leaves_keeps_no_connection_and_no_half_change(
    world: SqlWorld, session_id: str
) -> None:
    has_begun, may_end = threading.Event(), threading.Event()

    async def view(request: Request) -> PlainTextResponse:
        session = await load(request)
        session["a"], session["b"] = 1, 1
        has_begun.set()
        await asyncio.to_thread(may_end.wait, PATIENT_S)
        return PlainTextResponse("nobody reads this")

    pool = world.server.web.pool()
    with serving(world, view, pool=pool) as port:
        with asking(port, session_id):
            assert has_begun.wait(PATIENT_S)
        may_end.set()
    # uvicorn has ended, and so has the request.
    assert stored(world, session_id) in ({"n": 0}, {"n": 0, "a": 1, "b": 1})
    assert pool._places.qsize() == pool._size
    pool.close()


def test_requests_at_once_on_one_loop_lose_no_count(world: SqlWorld, session_id: str) -> None:
    async def view(request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(await request.session.hop.aadd("n")))

    def ask(port: int) -> int:
        with asking(port, session_id) as connection:
            return int(whole_answer(connection).rpartition(b"\r\n\r\n")[2])

    with serving(world, view) as port, ThreadPoolExecutor(16) as visitors:
        counts = list(visitors.map(lambda _: ask(port), range(64)))

    assert sorted(counts) == list(range(1, 65))


def test_a_websocket_has_the_session_of_its_browser_until_that_ends(world: SqlWorld, session_id: str) -> None:
    raised: list[type[Exception]] = []

    async def chat(websocket: WebSocket) -> None:
        session = await load(websocket)
        await websocket.accept()
        await websocket.send_text(f"{session['n']} {await session.hop.aadd('n')}")
        await websocket.receive_text()
        try:
            await session.hop.aadd("n")
        except SessionGone as error:
            raised.append(type(error))
        await websocket.close()

    cookie = {"Cookie": f"session={session_id}"}
    with (
        serving(world, lambda request: PlainTextResponse("page"), chat) as port,
        connect(f"ws://127.0.0.1:{port}/ws", additional_headers=cookie, proxy=None) as browser,
    ):
        assert browser.recv(PATIENT_S) == "0 1"
        assert stored(world, session_id) == {"n": 1}
        world.new_handler().destroy(key_of(session_id))
        browser.send("more")
        with contextlib.suppress(Exception):  # the end of the connection
            browser.recv(PATIENT_S)

    assert raised == [SessionGone]


def test_a_new_session_reaches_the_browser_with_the_handshake(world: SqlWorld) -> None:
    async def chat(websocket: WebSocket) -> None:
        (await load(websocket))["a"] = 1
        await websocket.accept()
        await websocket.close()

    with (
        serving(world, lambda request: PlainTextResponse("page"), chat) as port,
        connect(f"ws://127.0.0.1:{port}/ws", proxy=None) as browser,
    ):
        assert browser.response is not None
        cookie = browser.response.headers["set-cookie"]

    assert stored(world, cookie.partition("=")[2].partition(";")[0]) == {"a": 1}
