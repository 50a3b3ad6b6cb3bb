"""The session in Starlette and FastAPI: a middleware in plain ASGI, and `load`, a dependency as well."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

try:
    from starlette.datastructures import MutableHeaders
    from starlette.requests import HTTPConnection
    from starlette.types import ASGIApp, Message, Receive, Scope, Send
except ImportError as error:
    raise ImportError(
        "hopproof.starlette needs Starlette; try: pip install 'hopproof[starlette]' (for a copy: pip install "
        "starlette)"
    ) from error

from .brief import brief
from .handler import Lifetimes, Listed, SessionError, SessionHandler, SessionStoreUnavailable
from .limits import DEADLINE_S, TOUCH_AFTER_S
from .session import Session
from .web import PROBLEM_JSON, Cookie, Problem, Settled, Visit, Web, max_age_s

T = TypeVar("T")

# A websocket has an answer as well: the message that accepts it, or the response that refuses it.
STARTS = {"http.response.start", "websocket.accept", "websocket.http.response.start"}
ACCEPTED = 200  # in place of a status, which the message that accepts a websocket does not have
# Seconds. A question waits this long for a thread, and then as long as its handler allows. Not shorter: a
# busy machine started a thread half a second late, and that was no outage.
LONGEST_WAIT_S = DEADLINE_S


class Threads:
    """The threads that ask the store, so that the event loop never waits for it.

    They are the middleware's own: the event loop's are shared with files and with every `def` route. A call
    that is cancelled goes on in its thread, so no connection is left halfway.
    """

    def __init__(self, size: int) -> None:
        """size: questions to the store at once, more than there are connections.

        The wait for a connection counts into the handler's deadline, and the wait for a thread does not.
        """
        self._executor = ThreadPoolExecutor(size, thread_name_prefix="hopproof")

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Return function(*arguments). Raises SessionStoreUnavailable if no thread was free in time."""
        asked_at = time.monotonic()

        def in_time() -> T:
            if time.monotonic() - asked_at > LONGEST_WAIT_S:
                raise SessionStoreUnavailable(f"no thread was free for {LONGEST_WAIT_S} s")
            return function(*arguments)

        return await asyncio.wrap_future(self._executor.submit(in_time))


class Verbs:
    """The verbs of Session, each in two forms: `await hop.aadd("n")`, and `hop.add("n")` in a `def` route."""

    def __init__(self, session: Session, threads: Threads) -> None:
        self._session = session
        self._run = threads.run

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    async def aload(self) -> None:
        await self._run(self._session.load)

    async def areload(self) -> None:
        await self._run(self._session.reload)

    async def atouch(self) -> None:
        await self._run(self._session.touch)

    async def asave(self) -> None:
        await self._run(self._session.save)

    async def aadd(self, name: str, n: int = 1) -> int:
        return await self._run(self._session.add, name, n)

    async def aappend(self, name: str, value: Any) -> int:
        return await self._run(self._session.append, name, value)

    async def amodify(self, name: str, function: Callable[[Any], Any], default: Any = None) -> Any:
        return await self._run(self._session.modify, name, function, default)

    async def alogin(self, user: str) -> None:
        await self._run(self._session.login, user)

    async def aforget_user(self) -> None:
        await self._run(self._session.forget_user)

    async def arotate(self) -> None:
        await self._run(self._session.rotate)

    async def acreate(self) -> None:
        await self._run(self._session.create)

    async def adestroy(self) -> None:
        await self._run(self._session.destroy)

    async def aall_of_user(self) -> list[Listed]:
        return await self._run(self._session.all_of_user)

    async def adestroy_one_of_user(self, key: bytes) -> bool:
        return await self._run(self._session.destroy_one_of_user, key)

    async def adestroy_all_of_user(self) -> int:
        return await self._run(self._session.destroy_all_of_user)


class StarletteSession(MutableMapping[str, Any]):
    """`request.session`: the entries, Starlette's attributes, and `hop`, which has the verbs.

    On the event loop its entries can be read once it is loaded: by `await load(request)`, or by lazy=False.
    """

    accessed = False  # Starlette sets it, by mark_accessed

    def __init__(self, visit: Visit, threads: Threads) -> None:
        self.visit = visit
        self._session = visit.session
        self.hop = Verbs(visit.session, threads)
        self.is_accepted = False  # the websocket
        self._was_cleared = False

    def __getitem__(self, name: str) -> Any:
        return self._session[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._check_request()
        self._session[name] = value

    def __delitem__(self, name: str) -> None:
        self._check_request()
        del self._session[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._session)

    def __len__(self) -> int:
        return len(self._session)

    def __ior__(self, other: Any) -> StarletteSession:
        self.update(other)
        return self

    def popitem(self) -> tuple[str, Any]:
        if not len(self):
            raise KeyError("the session is empty")
        name = list(self)[-1]
        return name, self.pop(name)

    def clear(self) -> None:
        """Remove every entry. A session that is still empty when the answer leaves is ended."""
        for name in list(self):
            del self[name]
        self._was_cleared = True

    @property
    def modified(self) -> bool:
        """Whether a save would write. Set to True, it extends the expiry: changes are found without it."""
        return self._session.must_touch or self._session.has_changes

    @modified.setter
    def modified(self, value: bool) -> None:
        self._session.must_touch = value

    def mark_accessed(self) -> None:
        self.accessed = True

    def mark_modified(self) -> None:
        self.accessed = self.modified = True

    def settle(self, status: int) -> Settled:
        """Save the session for an answer with this status."""
        try:
            if status < 500 and self._was_cleared and not len(self):
                self._session.destroy()
            return self.visit.settle(status, seals=not self.is_accepted)
        except SessionError as error:
            return self.visit.fail(error)

    def _check_request(self) -> None:
        if self.is_accepted:
            raise RuntimeError(
                "a websocket has no answer with which its session could be saved; use the verbs, such as "
                "await session.hop.amodify(…)"
            )


async def load(connection: HTTPConnection) -> StarletteSession:
    """Return the session of a request or websocket, read from the store. For FastAPI: Depends(load)."""
    session = connection.session
    if not isinstance(session, StarletteSession):
        raise TypeError(
            f"request.session is a {type(session).__name__}, none of hopproof's SessionMiddleware"
        )
    await session.hop.aload()
    return session


def _check_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError(
        "the session store was asked on the event loop, which would stop every other request; begin the "
        "route with await load(request), and use the verbs with an a, such as await session.hop.aadd(…)"
    )


class SessionMiddleware:
    """Starlette's SessionMiddleware with the sessions in a shared store. Its options of the cookie are kept.

    new_handler: returns a handler for one request. threads: the requests that may ask the store at once.
    lazy: False reads the session of each request with a cookie before the app runs, but for paths that begin
    with one of skip; then entries can be read without `await`.
    lifetimes: those of the store. The other parameters are those of Web.
    Raises ValueError of options that would weaken the session.
    """

    def __init__(
        self,
        app: ASGIApp,
        new_handler: Callable[[], SessionHandler] | None = None,
        session_cookie: str = "session",
        max_age: int | None = 14 * 24 * 60 * 60,
        path: str = "/",
        same_site: str = "lax",
        https_only: bool = False,
        domain: str | None = None,
        partitioned: bool = False,
        *,
        secret_key: object = None,
        lazy: bool = True,
        skip: Collection[str] = (),
        threads: int = 40,
        lifetimes: Lifetimes | None = None,
        touch_after_s: int = TOUCH_AFTER_S,
        sessions_per_user: int = 0,
        identity: str | None = None,
        user_prefix: str = "",
        on_error: Callable[[SessionError], None] = lambda error: None,
        on_unknown: Callable[[bytes], None] = lambda key: None,
    ) -> None:
        if secret_key is not None:
            raise TypeError("secret_key is not needed, since the cookie is a random id; remove it")
        if new_handler is None:
            raise TypeError("SessionMiddleware needs new_handler, which returns a handler for one request")
        lifetimes = lifetimes or Lifetimes()
        cookie = Cookie(
            session_cookie,
            None if max_age is None else max_age_s("max_age", max_age, lifetimes),
            https_only,
            has_prefix=False,
            path=path,
            domain=domain,
            same_site=same_site.capitalize(),
            partitioned=partitioned,
        )
        self.app = app
        self.web = Web(
            brief(new_handler, _check_loop),
            cookie,
            touch_after_s,
            on_error,
            sessions_per_user,
            on_unknown,
            identity=identity,
            user_prefix=user_prefix,
        )
        self._is_lazy = lazy
        self._skip = tuple(skip)
        self._threads = Threads(threads)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_one = isinstance(scope.get("session"), StarletteSession)  # of the same middleware around a mount
        if scope["type"] not in ("http", "websocket") or has_one:
            await self.app(scope, receive, send)
            return
        cookies = [value.decode("latin-1") for name, value in scope["headers"] if name == b"cookie"]
        session = StarletteSession(self.web.visit("; ".join(cookies)), self._threads)
        scope["session"] = session
        answer = _Answer(session, scope, send, self._threads)
        try:
            if not self._is_lazy and not scope["path"].startswith(self._skip):
                await session.hop.aload()
                session.visit.session.was_used = False  # the route has not used it yet
            await self.app(scope, receive, answer.send)
        except SessionError as error:
            if answer.has_started:
                raise
            await answer.replace(session.visit.fail(error))
        except Exception:
            if not answer.has_started:
                await answer.crash()
            raise


class _Answer:
    """The messages of the app on their way to the visitor. The session is saved before the first of them."""

    def __init__(self, session: StarletteSession, scope: Scope, send: Send, threads: Threads) -> None:
        self._session = session
        self._scope = scope
        self._send = send
        self._run = threads.run
        self._is_replaced = False
        self.has_started = False

    async def send(self, message: Message) -> None:
        if message["type"] in STARTS and not self.has_started:
            await self._start(message)
        elif not self._is_replaced:
            await self._send(message)

    async def _start(self, message: Message) -> None:
        if self._scope.get("session") is not self._session:
            raise RuntimeError(
                "scope['session'] was replaced, so its changes would be lost; change the entries of "
                "request.session instead"
            )
        self._session.is_accepted = message["type"] == "websocket.accept"
        status = message.get("status", ACCEPTED)
        is_touched = self._session.hop.was_used or self._session.hop.must_touch
        settled = (
            await self._run(self._session.settle, status) if is_touched else self._session.settle(status)
        )
        if settled.problem is not None:
            await self.replace(settled)
            return
        message.setdefault("headers", [])
        self._add_headers(MutableHeaders(scope=message), settled)
        self.has_started = True
        await self._send(message)

    async def replace(self, settled: Settled) -> None:
        """Answer with the problem, and drop what the app still sends."""
        self._is_replaced = True
        if settled.problem is not None:
            await self._respond(settled, settled.problem)

    async def crash(self) -> None:
        """Answer for an app that has failed, if the visitor has to get a new id all the same."""
        settled = self._session.settle(500)
        if settled.set_cookie is not None:
            await self._respond(settled, None)

    async def _respond(self, settled: Settled, problem: Problem | None) -> None:
        is_socket = self._scope["type"] == "websocket"
        if is_socket and "websocket.http.response" not in self._scope.get("extensions", {}):
            self.has_started = True
            await self._send({"type": "websocket.close", "code": 1011, "reason": ""})
            return
        status, body = (problem.status, problem.to_json()) if problem else (500, "Internal Server Error")
        kind = "websocket.http.response" if is_socket else "http.response"
        headers = MutableHeaders(
            {
                "content-type": PROBLEM_JSON if problem else "text/plain",
                "content-length": f"{len(body.encode())}",
            }
        )
        headers.update(problem.headers if problem else {})
        self._add_headers(headers, settled)
        self.has_started = True
        await self._send({"type": f"{kind}.start", "status": status, "headers": headers.raw})
        await self._send({"type": f"{kind}.body", "body": body.encode()})

    def _add_headers(self, headers: MutableHeaders, settled: Settled) -> None:
        if settled.set_cookie is not None:
            headers.append("set-cookie", settled.set_cookie)
        if settled.vary or self._session.accessed:
            headers.add_vary_header("Cookie")
        if settled.private and "cache-control" not in headers:
            headers["cache-control"] = "private"
