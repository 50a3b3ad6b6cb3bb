"""Gives every Bottle route that asks for `session` one, and brings the cookie home.

This is the place of session_set_save_handler: it knows the cookie, the request and the
verbs, and calls the verbs at the right moments. It knows no SQL.
"""

from __future__ import annotations

import hashlib
import inspect
import logging
import re
import secrets
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bottle import HTTPError, HTTPResponse, Route, request, response

from problem import Problem
from sessions.handler import (
    SessionBroken,
    SessionConflict,
    SessionError,
    SessionGone,
    SessionHandler,
    SessionRefused,
    SessionStoreUnavailable,
)
from sessions.session import Session

log = logging.getLogger(__name__)

# 32 bytes in base64url without padding; the last of the 43 characters carries four bits only,
# so other spellings of the same bytes are no ids.
SESSION_ID = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")


@dataclass(frozen=True, slots=True)
class Cookie:
    """How the id travels. HttpOnly, SameSite=Lax, Path=/ and no Domain are not up for choice.

    max_age_s: None ends the cookie with the browser. secure: send it over HTTPS only; the
    name then gets the prefix __Host-, which makes browsers insist on that.
    """

    name: str = "session"
    max_age_s: int | None = None
    secure: bool = False

    @property
    def full_name(self) -> str:
        return f"__Host-{self.name}" if self.secure else self.name

    def read(self, header: str) -> str | None:
        """Return the session id in a Cookie header, None if there is none of the right form."""
        # Not Bottle's request.cookies: the parser under it raises on some malformed headers.
        for pair in header.split(";"):
            name, _, value = pair.strip().partition("=")
            if name == self.full_name:
                return value if SESSION_ID.fullmatch(value) else None
        return None

    def send(self, answer: HTTPResponse, session_id: str) -> None:
        lasting = {} if self.max_age_s is None else {"maxage": self.max_age_s}
        answer.set_cookie(self.full_name, session_id, **self._attributes(), **lasting)

    def clear(self, answer: HTTPResponse) -> None:
        answer.delete_cookie(self.full_name, **self._attributes())

    def _attributes(self) -> dict[str, Any]:
        return {"path": "/", "httponly": True, "samesite": "lax", "secure": self.secure}


def key_of(session_id: str) -> bytes:
    """Return the only form in which an id is stored or logged: who reads the table can log in as nobody."""
    return hashlib.sha256(session_id.encode()).digest()


class SessionPlugin:
    """Bottle plugin (API 2) for routes with a parameter named `session`.

    The session is saved when the route returns, redirects or aborts, before the first byte of
    the answer leaves, so the next request finds it, whichever server gets that. An answer of
    500 and above saves nothing, but what add, append, modify, login and the endings did stays
    done, and a new id reaches the visitor on whatever answer leaves.
    """

    name = "session"
    api = 2

    def __init__(
        self,
        new_handler: Callable[[], SessionHandler],
        cookie: Cookie,
        touch_after_s: int = 60,
        on_error: Callable[[SessionError], None] = lambda error: None,
    ) -> None:
        """on_error: is told of every error of the handler that a visitor is told of."""
        self.new_handler = new_handler
        self.cookie = cookie
        self.touch_after_s = touch_after_s
        self.on_error = on_error

    def apply(self, callback: Callable[..., Any], route: Route) -> Callable[..., Any]:
        # Not Bottle's route.get_callback_args(): it never returns for a closure over a plain value.
        if "session" not in inspect.signature(route.callback).parameters:
            return callback
        if inspect.isgeneratorfunction(route.callback):
            raise TypeError(
                f"{route.rule}: a route that yields runs when its session is saved; return instead"
            )

        def with_session(*args: Any, **kwargs: Any) -> Any:
            return self._serve(lambda session: callback(*args, **kwargs, session=session))

        return with_session

    def _serve(self, callback: Callable[[Session], Any]) -> Any:
        session_id = self.cookie.read(request.environ.get("HTTP_COOKIE", ""))
        key = key_of(session_id) if session_id else None
        new_ids: dict[bytes, str] = {}

        def new_key() -> bytes:
            new_id = secrets.token_urlsafe(32)
            new_ids[key_of(new_id)] = new_id
            return key_of(new_id)

        handler = self.new_handler()
        session = Session(handler, key, new_key, self.touch_after_s)
        handler.open()
        try:
            answer = _answer(callback, session)
            status = answer.status_code if isinstance(answer, HTTPResponse) else response.status_code
            if status < 500:
                session.save()
        except SessionError as error:
            self.on_error(error)
            answer = problem_of(error)
        finally:
            session.close()
            handler.close()

        if session.key != key:
            # A response that is returned replaces the global one, its cookies included.
            carrier = answer if isinstance(answer, HTTPResponse) else response
            if session.key is None:
                self.cookie.clear(carrier)
            else:
                self.cookie.send(carrier, new_ids[session.key])
        return answer


def problem_of(error: SessionError) -> Problem:
    """Return the answer that a visitor gets for a handler's error."""
    match error:
        case SessionStoreUnavailable():
            log.error("session store unavailable: %s", error)
            return Problem(
                503,
                "store-unavailable",
                "The session store does not answer. Nothing is lost that was acknowledged; try again.",
                Retry_After="1",
            )
        case SessionBroken():
            log.error("%s; what is wrong: make sessions ARGS='show %s'", error, error.key.hex())
            return Problem(
                500,
                "session-broken",
                "What is stored of this session cannot be used. Nothing was changed; a logout ends it.",
            )
        case SessionGone():
            return Problem(409, "session-gone", "The session was ended. Nothing was changed.")
        case SessionConflict():
            return Problem(409, "conflict", "Other requests kept changing the session. Nothing was changed.")
        case SessionRefused():
            status = {"not-i-json": 400, "too-large": 413, "wrong-type": 409}[error.reason]
            return Problem(status, error.reason, f"{error}. Nothing was changed.", key=error.key)
        case _:
            raise error


def _answer(callback: Callable[[Session], Any], session: Session) -> Any:
    """Return what the route answers; Bottle's redirect() and abort() raise theirs."""
    try:
        return callback(session)
    except HTTPResponse as raised:
        return raised
    except SessionError:
        raise
    except Exception as error:
        # Left to Bottle, the answer would lose the cookie of an id that is new since this request.
        log.exception("a route failed")
        return HTTPError(500, "Internal Server Error", error, traceback.format_exc())
