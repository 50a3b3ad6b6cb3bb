"""The session of one HTTP request, for any framework: cookie to key, when to save, errors to answers.

An adapter hands in the Cookie header and the status of its answer. It gets back a header to set and perhaps
a problem, which replaces its own answer. bottle.py is such an adapter.

This is the place of session_set_save_handler: it calls the verbs at the right moments. It knows no SQL.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from .entries import PLAIN, Codec
from .handler import (
    Lifetimes,
    SessionBroken,
    SessionConflict,
    SessionError,
    SessionGone,
    SessionHandler,
    SessionRefused,
    SessionStoreUnavailable,
)
from .limits import TOUCH_AFTER_S
from .session import Session

log = logging.getLogger(__name__)

# 32 bytes in base64url without padding; the last of the 43 characters carries four bits only,
# so other spellings of the same bytes are no ids.
SESSION_ID = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")

PROBLEM_JSON = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Cookie:
    """The cookie that carries the session id. HttpOnly is fixed.

    max_age_s: None ends the cookie with the browser. secure: send it over HTTPS only; the
    name then gets the prefix __Host-, which makes browsers insist on that, unless has_prefix is False.
    Raises ValueError of attributes that browsers refuse together, or that give the id away.
    """

    name: str = "session"
    max_age_s: int | None = None
    secure: bool = False
    has_prefix: bool = True
    path: str = "/"
    domain: str | None = None
    same_site: str = "Lax"
    partitioned: bool = False

    def __post_init__(self) -> None:
        if self.same_site not in ("Lax", "Strict", "None"):
            raise ValueError(f"SameSite is Lax, Strict or None, not {self.same_site!r}")
        if not self.secure and (self.same_site == "None" or self.partitioned):
            raise ValueError("browsers refuse a cookie with SameSite=None or Partitioned that is not Secure")
        is_host = self.full_name.lower().startswith("__host-")
        if is_host and (self.domain or self.path != "/" or not self.secure):
            raise ValueError(
                "browsers refuse a cookie __Host-… with a Domain, another Path than /, or no Secure"
            )

    @property
    def full_name(self) -> str:
        return f"__Host-{self.name}" if self.secure and self.has_prefix else self.name

    def read(self, header: str) -> str | None:
        """Return the first well-formed session id in a Cookie header, None if there is none."""
        # No library: the parser of the standard library raises on some malformed headers.
        for pair in header.split(";"):
            name, _, value = pair.strip().partition("=")
            if name == self.full_name and SESSION_ID.fullmatch(value):
                return value
        return None

    def header(self, session_id: str) -> str:
        """Return the value of the Set-Cookie header that hands the id out."""
        lasting = "" if self.max_age_s is None else f"; Max-Age={self.max_age_s}"
        return f"{self.full_name}={session_id}{lasting}{self._attributes}"

    def clearing_header(self) -> str:
        """Return the value of the Set-Cookie header that makes a browser forget the id."""
        return f"{self.full_name}=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT{self._attributes}"

    @property
    def _attributes(self) -> str:
        domain = f"; Domain={self.domain}" if self.domain else ""
        secure = ("; Secure" if self.secure else "") + ("; Partitioned" if self.partitioned else "")
        return f"; HttpOnly; Path={self.path}{domain}; SameSite={self.same_site}{secure}"


def max_age_s(setting: str, age_s: int, lifetimes: Lifetimes) -> int:
    """Return the Max-Age of a cookie that an app wants to live so long, at most the absolute timeout.

    setting: where the app says so. Raises ValueError below the idle timeout: the session would outlive
    the cookie.
    """
    if age_s < lifetimes.idle_s:
        raise ValueError(
            f"{setting} is {age_s} s, less than the store's idle timeout of {lifetimes.idle_s} s; shorten "
            "the store's, which ends every session in time"
        )
    return min(age_s, lifetimes.absolute_s)


def key_of(session_id: str) -> bytes:
    """Return the SHA-256 of the id: the only form that is stored or logged. It is useless as a cookie."""
    return hashlib.sha256(session_id.encode()).digest()


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as an HTTP answer: RFC 9457 problem details, as data.

    kind: short and stable, for programs to act on. name: the entry of the session at fault, if there is one.
    """

    status: int
    kind: str
    detail: str
    name: str | None = None
    retry_after_s: int | None = None

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}

    def to_json(self) -> str:
        """Return the body, of the media type PROBLEM_JSON."""
        document: dict[str, object] = {
            "type": f"urn:hopproof:problem:{self.kind}",
            "title": self.kind,
            "status": self.status,
            "detail": self.detail,
        }
        if self.name is not None:
            document["key"] = self.name
        return json.dumps(document)


def problem_of(error: SessionError) -> Problem:
    """Return the answer that a visitor gets for an error of the handler."""
    match error:
        case SessionStoreUnavailable():
            return Problem(
                503,
                "store-unavailable",
                "The session store does not answer. Nothing is lost that was acknowledged; try again.",
                retry_after_s=1,
            )
        case SessionBroken():
            return Problem(
                500,
                "session-broken",
                "The stored session cannot be used. Nothing was changed; a logout ends it.",
            )
        case SessionGone():
            return Problem(409, "session-gone", "The session was ended. Nothing was changed.")
        case SessionConflict():
            return Problem(409, "conflict", "Other requests kept changing the session. Nothing was changed.")
        case SessionRefused():
            status = {"not-i-json": 400, "too-large": 413, "wrong-type": 409}[error.reason]
            return Problem(status, error.reason, f"{error}. Nothing was changed.", error.name)
        case _:
            raise error


@dataclass(frozen=True, slots=True)
class Settled:
    """The part of the session in an answer.

    set_cookie: the value of a Set-Cookie header, None if the visitor keeps the cookie as it is.
    vary: the answer depends on the cookie, so it needs `Vary: Cookie`.
    private: the answer carries an id, so it needs `Cache-Control: private` unless the app says otherwise.
    problem: the answer that replaces the route's own, None if that stays.
    """

    set_cookie: str | None
    vary: bool
    private: bool
    problem: Problem | None


def _ignore(_: object) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Web:
    """The sessions of one application. It has no state, and opens nothing before the first visit.

    touch_after_s: a visit that changes nothing extends the expiry at most this often.
    sessions_per_user: a login ends the oldest sessions of its user beyond so many; 0: none.
    on_error: called once per request, with the error of the handler that became its answer.
    on_unknown: called once per request, with the key of a cookie that names no live session.
    codec, identity, user_prefix: of Session.
    """

    new_handler: Callable[[], SessionHandler]
    cookie: Cookie = Cookie()
    touch_after_s: int = TOUCH_AFTER_S
    on_error: Callable[[SessionError], None] = _ignore
    sessions_per_user: int = 0
    on_unknown: Callable[[bytes], None] = _ignore
    codec: Codec = PLAIN
    identity: str | None = None
    user_prefix: str = ""

    def visit(self, cookie_header: str | None) -> Visit:
        """Return the session side of one request. The store is asked on the session's first use, not here."""
        return Visit(self, self.cookie.read(cookie_header or ""))

    def visit_with(self, session_id: str | None) -> Visit:
        """Return the same for an id that is no header's. A malformed one counts as none."""
        is_one = session_id is not None and SESSION_ID.fullmatch(session_id)
        return Visit(self, session_id if is_one else None)


class Visit:
    """One request and its session. Call settle or fail, then release.

    The session is saved before the first byte of the answer leaves, so the next request finds it, whichever
    server that reaches. An answer of 500 and above saves nothing, but what add, append, modify, login and the
    endings did stays done, and a new id reaches the visitor with any answer.
    """

    def __init__(self, web: Web, session_id: str | None) -> None:
        self._web = web
        self._session_id = session_id
        self._key = key_of(session_id) if session_id else None
        # Of this answer. An adapter may change both until settle: the Max-Age, and whether a kept id is sent.
        self.cookie = web.cookie
        self.sends_cookie = False
        self._new_ids: dict[bytes, str] = {}
        self._next_id: str | None = None
        self._settled: Settled | None = None
        self.session = Session(
            web.new_handler(),
            self._key,
            self._new_key,
            web.touch_after_s,
            web.sessions_per_user,
            web.codec,
            web.identity,
            web.user_prefix,
        )

    @property
    def session_id(self) -> str | None:
        """The id of the session as far as the store has been asked, None without a live one."""
        key = self.session.key
        if key is None or (key == self._key and self.session.was_unknown):
            return None
        return self._new_ids.get(key, self._session_id)

    @property
    def next_id(self) -> str:
        """The id that the session will have if it gets a new one."""
        self._next_id = self._next_id or secrets.token_urlsafe(32)
        return self._next_id

    def settle(self, status: int, *, seals: bool = True) -> Settled:
        """Save the session, unless the status is 500 or above, and seal it. A second call changes nothing.

        status: of the route's answer. A SessionError is not raised; it becomes the problem.
        seals: False for a websocket, whose verbs go on working, but for those that need a new id.
        """
        if self._settled is None:
            problem = None
            if status < 500:
                try:
                    self.session.save()
                except SessionError as error:
                    problem = self._problem_of(error)
            self._settled = self._seal(problem, seals)
        return self._settled

    def fail(self, error: SessionError) -> Settled:
        """Seal the session of a route that ended with this error, unsaved. A second call changes nothing."""
        if self._settled is None:
            self._settled = self._seal(self._problem_of(error))
        return self._settled

    def rest(self) -> None:
        """Give back what the session borrowed for now. Of a request that has been settled: for good."""
        if self._settled is None:
            self.session.rest()
        else:
            self.release()

    def release(self) -> None:
        """Give back what the session borrowed, when the body has been sent. Safe twice.

        Before settle it means that the route was given up: nothing is saved any more.
        """
        if self._settled is None:
            self._settled = self._seal(None)
        self.session.release()

    def _new_key(self) -> bytes:
        self.session.check_unsealed()
        if self._settled is not None:
            raise RuntimeError("the answer has left, so a new id would not reach the visitor")
        session_id, self._next_id = self.next_id, None
        key = key_of(session_id)
        self._new_ids[key] = session_id
        return key

    def _problem_of(self, error: SessionError) -> Problem:
        self._web.on_error(error)
        if isinstance(error, SessionStoreUnavailable):
            log.error("session store unavailable: %s", error)
        elif isinstance(error, SessionBroken):
            log.error("%s", error)
        return problem_of(error)

    def _seal(self, problem: Problem | None, seals: bool = True) -> Settled:
        if seals:
            self.session.seal()
        if self._key is not None and self.session.was_unknown:
            self._web.on_unknown(self._key)
        key, cookie, set_cookie = self.session.key, self.cookie, None
        if key is None:
            set_cookie = cookie.clearing_header() if self._key is not None else None
        elif key != self._key:
            set_cookie = cookie.header(self._new_ids[key])
        elif self.sends_cookie and problem is None and self._session_id is not None:
            set_cookie = cookie.header(self._session_id)
        is_used = self.session.was_used or set_cookie is not None
        return Settled(set_cookie, vary=is_used, private=set_cookie is not None, problem=problem)
