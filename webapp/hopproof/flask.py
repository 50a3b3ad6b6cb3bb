"""The session in Flask: `Hopproof(app, new_handler)` makes `flask.session` one of the shared store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime
from functools import lru_cache
from typing import Any

try:
    from flask import Flask, Request, Response, has_request_context, session
    from flask.json.tag import JSONTag, TaggedJSONSerializer
    from flask.sessions import SessionInterface, SessionMixin
except ImportError as error:
    raise ImportError(
        "hopproof.flask needs Flask; try: pip install 'hopproof[flask]' (for a copy: pip install flask)"
    ) from error

from .entries import Codec
from .handler import Json, Lifetimes, SessionError, SessionHandler
from .limits import TOUCH_AFTER_S
from .session import Session
from .web import PROBLEM_JSON, Cookie, Problem, Visit, Web, max_age_s, problem_of

FLASHES = "_flashes"  # of flash(), and of the list of (category, message) that it grows
PERMANENT = "_permanent"


class TagDay(JSONTag):
    """A date or a datetime in ISO form: Flask's own tag drops microseconds, and makes naive ones aware."""

    __slots__ = ()
    key = " iso"

    def check(self, value: Any) -> bool:
        return type(value) in (date, datetime)

    def to_json(self, value: Any) -> str:
        return f"{value.isoformat()}"

    def to_python(self, value: Any) -> date | datetime:
        return datetime.fromisoformat(value) if "T" in value else date.fromisoformat(value)


_tags = TaggedJSONSerializer()
_tags.register(TagDay, index=0)


def _untagged(value: Any) -> Any:
    if isinstance(value, list):
        return [_untagged(item) for item in value]
    if isinstance(value, dict):
        return _tags.untag({name: _untagged(item) for name, item in value.items()})
    return value


def _tagged(value: Any, name: str) -> Json:
    tagged: Json = _tags.tag(value)
    return tagged


# Flask's own form, before it becomes text: tuple, bytes, Markup, UUID and dates are objects with one name.
TAGGED = Codec(_tagged, _untagged)


class FlaskSession(SessionMixin):
    """`flask.session`: the entries, Flask's attributes, and `hop`, which has the verbs of Session.

    The verbs are not attributes of their own, because a template looks for attributes first: `session.user`
    is the entry of that name.
    """

    accessed = False  # Flask sets it

    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        self.hop: Session = visit.session
        self.is_answered = False
        self._came_with = self.hop.key
        self._flashed: list[Any] = []
        self._permanent: bool | None = None
        self._was_cleared = False

    # The entries

    def __getitem__(self, name: str) -> Any:
        if name == FLASHES and self._flashed:
            return [*self.hop.get(FLASHES, []), *self._flashed]
        if name == PERMANENT and self._permanent is not None:
            return self._permanent
        return self.hop[name]

    def __setitem__(self, name: str, value: Any) -> None:
        if name == PERMANENT:
            self.permanent = value
        elif name == FLASHES and value and value[:-1] == self.get(FLASHES, []):
            self.hop.check_unsealed()
            self._flashed.append(value[-1])
        else:
            self.hop[name] = value

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise KeyError(name)
        if name == FLASHES:
            self._flashed = []
        if name == PERMANENT:
            self._permanent = None
        self.hop.remove(name)

    def __iter__(self) -> Iterator[str]:
        names = dict.fromkeys(self.hop)
        if self._flashed:
            names[FLASHES] = None
        if self._permanent is not None:
            names[PERMANENT] = None
        return iter(list(names))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def clear(self) -> None:
        """Remove every entry. A session that is still empty when the answer leaves is ended."""
        super().clear()
        self._was_cleared = True

    # Flask's attributes

    @property
    def permanent(self) -> bool:
        """Whether the cookie outlives the browser. Asks nothing of the store: False until it is known."""
        known = self.hop.known(PERMANENT) if self._permanent is None else self._permanent
        return bool(known)

    @permanent.setter
    def permanent(self, value: bool) -> None:
        self.hop.check_unsealed()
        self._permanent = bool(value)

    @property
    def modified(self) -> bool:
        """Whether a save would write. Set to True, it extends the expiry: changes are found without it."""
        return self.hop.must_touch or bool(self._flashed) or self.hop.has_changes

    @modified.setter
    def modified(self, value: bool) -> None:
        self.hop.must_touch = bool(value)

    @property
    def new(self) -> bool:  # type: ignore[override]
        """Whether the visitor came without a live session, as far as the store has been asked."""
        return self._came_with is None or self.hop.was_unknown

    # The end of the request

    def save(self, lasting_s: int) -> None:
        """Save, with what this class has held back.

        lasting_s: the Max-Age of a permanent session's cookie.
        """
        for flashed in self._flashed:
            self.hop.append(FLASHES, flashed)
        self._flashed = []
        if self._was_cleared and not len(self):
            self.hop.destroy()
            return
        has_session = self.hop.key is not None or self.hop.has_changes
        if self._permanent is not None and has_session and self._permanent != bool(self.hop.get(PERMANENT)):
            self.visit.sends_cookie = True
            self.hop[PERMANENT] = self._permanent
        self.hop.save()
        has_cookie = self.visit.sends_cookie or self.hop.key not in (None, self._came_with)
        if has_cookie and self.hop.get(PERMANENT):
            self.visit.cookie = replace(self.visit.cookie, max_age_s=lasting_s)


class Hopproof(SessionInterface):
    """Flask's sessions in a shared store. Flask's own settings of the cookie and of its lifetime are kept.

    new_handler: returns a handler for one request. identity: the entry by which a login library says who is
    logged in; its change gives the session a new id. lifetimes: those of the store.
    The other parameters are those of Web.
    """

    def __init__(
        self,
        app: Flask | None = None,
        new_handler: Callable[[], SessionHandler] | None = None,
        *,
        lifetimes: Lifetimes | None = None,
        touch_after_s: int = TOUCH_AFTER_S,
        sessions_per_user: int = 0,
        identity: str | None = "_user_id",
        user_prefix: str = "",
        on_error: Callable[[SessionError], None] = lambda error: None,
        on_unknown: Callable[[bytes], None] = lambda key: None,
    ) -> None:
        if new_handler is None:
            raise TypeError("Hopproof needs new_handler, which returns a handler for one request")
        self.lifetimes = lifetimes or Lifetimes()
        self.web = Web(
            new_handler,
            touch_after_s=touch_after_s,
            on_error=on_error,
            sessions_per_user=sessions_per_user,
            on_unknown=on_unknown,
            codec=TAGGED,
            identity=identity,
            user_prefix=user_prefix,
        )
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Take over the sessions of the app. Raises ValueError of settings that would weaken them."""
        self._cookie(app)
        max_age_s("PERMANENT_SESSION_LIFETIME", _lasting_s(app), self.lifetimes)
        app.session_interface = self
        app.extensions["hopproof"] = self
        app.teardown_request(_release)
        if SessionError not in app.error_handler_spec[None][None]:
            app.register_error_handler(SessionError, _answer)

    def open_session(self, app: Flask, request: Request) -> FlaskSession:
        web = replace(self.web, cookie=self._cookie(app))
        return FlaskSession(web.visit(request.environ.get("HTTP_COOKIE")))

    def save_session(  # type: ignore[override]
        self, app: Flask, session: FlaskSession, response: Response
    ) -> None:
        visit = session.visit
        try:
            if response.status_code < 500 and not session.is_answered:
                session.save(min(_lasting_s(app), self.lifetimes.absolute_s))
            settled = visit.settle(response.status_code)
        except SessionError as error:
            settled = visit.fail(error)
        if settled.problem is not None and not session.is_answered:
            _replace(response, settled.problem)
        if settled.set_cookie is not None:
            response.headers.add("Set-Cookie", settled.set_cookie)
        if settled.vary:
            response.vary.add("Cookie")
        if settled.private and "Cache-Control" not in response.headers:
            response.headers["Cache-Control"] = "private"
        if not _is_of_this_context(session):  # session_transaction() of the test client
            visit.release()

    def _cookie(self, app: Flask) -> Cookie:
        if not self.get_cookie_httponly(app):
            raise ValueError("SESSION_COOKIE_HTTPONLY is False, so scripts could read the id; remove it")
        return _cookie(
            self.get_cookie_name(app),
            self.get_cookie_secure(app),
            self.get_cookie_path(app),
            self.get_cookie_domain(app),
            self.get_cookie_samesite(app) or "Lax",
            self.get_cookie_partitioned(app),
        )


def _lasting_s(app: Flask) -> int:
    return int(app.permanent_session_lifetime.total_seconds())


@lru_cache(maxsize=8)
def _cookie(
    name: str, secure: bool, path: str, domain: str | None, same_site: str, partitioned: bool
) -> Cookie:
    return Cookie(
        name,
        None,
        secure,
        has_prefix=False,
        path=path,
        domain=domain,
        same_site=same_site,
        partitioned=partitioned,
    )


def _is_of_this_context(one: FlaskSession) -> bool:
    return has_request_context() and session._get_current_object() is one  # type: ignore[attr-defined]


def _release(error: BaseException | None) -> None:
    one = session._get_current_object()  # type: ignore[attr-defined]
    if isinstance(one, FlaskSession):
        # Not for good: a copied context ends before its request does.
        one.visit.release() if error else one.visit.rest()


def _answer(error: SessionError) -> Response:
    """Answer for a route that the session's error has ended; the app's own handler of SessionError wins."""
    one: FlaskSession = session._get_current_object()  # type: ignore[attr-defined]
    settled = one.visit.fail(error)
    one.is_answered = True
    response = Response()
    _replace(response, settled.problem or problem_of(error))
    return response


def _replace(response: Any, problem: Problem) -> None:
    if hasattr(response.response, "close"):
        response.response.close()
    response.status_code = problem.status
    response.content_type = PROBLEM_JSON
    response.set_data(problem.to_json())
    response.headers.update(problem.headers)
