"""The session in Django: SESSION_ENGINE = "hopproof.django", and the SessionMiddleware of this module."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

try:
    from asgiref.sync import sync_to_async
    from django.conf import settings
    from django.contrib.sessions.backends.base import CreateError, SessionBase, UpdateError
    from django.contrib.sessions.exceptions import SessionInterrupted
    from django.contrib.sessions.middleware import SessionMiddleware as DjangoMiddleware
    from django.contrib.sessions.serializers import JSONSerializer
    from django.core.exceptions import ImproperlyConfigured
    from django.core.signals import got_request_exception, setting_changed
    from django.dispatch import receiver
    from django.http import HttpRequest, HttpResponse
    from django.utils import timezone
    from django.utils.asyncio import async_unsafe
    from django.utils.cache import patch_vary_headers
    from django.utils.module_loading import import_string
except ImportError as error:
    raise ImportError(
        "hopproof.django needs Django; try: pip install 'hopproof[django]' (for a copy: pip install django)"
    ) from error

from .brief import brief
from .entries import Codec
from .handler import (
    Json,
    Lifetimes,
    SessionConflict,
    SessionError,
    SessionGone,
    SessionHandler,
    SessionRefused,
)
from .limits import TOUCH_AFTER_S
from .session import Session
from .web import PROBLEM_JSON, Cookie, Problem, Visit, Web, max_age_s

EXPIRY = "_session_expiry"  # of set_expiry: seconds without a request, or a moment in ISO form
# A session with an expiry of its own, in seconds, is touched whenever this part of them has passed.
TOUCH_PART = 10


@dataclass(frozen=True, slots=True)
class Hopproof:
    """The setting HOPPROOF, a dict with these names.

    new_handler: returns a handler for one session, or the dotted path of such a function.
    lifetimes: those of the store. identity: the entry by which a login says who is logged in.
    The others are parameters of Web.
    """

    new_handler: Callable[[], SessionHandler]
    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    touch_after_s: int = TOUCH_AFTER_S
    sessions_per_user: int = 0
    identity: str | None = "_auth_user_id"
    user_prefix: str = ""
    on_error: Callable[[SessionError], None] = lambda error: None
    on_unknown: Callable[[bytes], None] = lambda key: None

    def web(self) -> Web:
        """Return the sessions of the site. Raises ValueError of settings that would weaken them."""
        return Web(
            brief(self.new_handler, _check_thread),
            _cookie(),
            self.touch_after_s,
            self.on_error,
            self.sessions_per_user,
            self.on_unknown,
            _codec(),
            self.identity,
            self.user_prefix,
        )


@async_unsafe(
    "the session store was asked on an event loop; use the methods that begin with a, such as aget and aset, "
    "or sync_to_async"
)
def _check_thread() -> None:
    pass


@lru_cache(maxsize=1)
def configured() -> Hopproof:
    """Return the setting HOPPROOF. Raises ImproperlyConfigured."""
    options = dict(getattr(settings, "HOPPROOF", {}))
    if isinstance(options.get("new_handler"), str):
        options["new_handler"] = import_string(options["new_handler"])
    try:
        return Hopproof(**options)
    except TypeError as error:
        raise ImproperlyConfigured(
            f"HOPPROOF: {error}; type HOPPROOF = {{'new_handler': 'mysite.sessions.new_handler'}}, the path "
            "of a function that returns a handler"
        ) from error


@lru_cache(maxsize=1)
def web() -> Web:
    """Return the sessions of the site. Raises ImproperlyConfigured of settings that would weaken them."""
    try:
        return configured().web()
    except ValueError as error:
        raise ImproperlyConfigured(str(error)) from error


def _cookie() -> Cookie:
    max_age_s("SESSION_COOKIE_AGE", settings.SESSION_COOKIE_AGE, configured().lifetimes)
    if not settings.SESSION_COOKIE_HTTPONLY:
        raise ValueError("SESSION_COOKIE_HTTPONLY is False, so scripts could read the id; remove it")
    return Cookie(
        settings.SESSION_COOKIE_NAME,
        None,
        bool(settings.SESSION_COOKIE_SECURE),
        has_prefix=False,
        path=settings.SESSION_COOKIE_PATH,
        domain=settings.SESSION_COOKIE_DOMAIN,
        same_site=settings.SESSION_COOKIE_SAMESITE or "Lax",
    )


def _codec() -> Codec:
    """Return SESSION_SERIALIZER as a codec: what comes back from its text is what is stored."""
    serializer = import_string(settings.SESSION_SERIALIZER)()
    probe = {"a": [1, "b"]}
    try:
        is_json = json.loads(serializer.dumps(probe)) == probe
    except ValueError:
        is_json = False
    if not is_json:
        raise ValueError(
            f"SESSION_SERIALIZER {settings.SESSION_SERIALIZER!r} writes no JSON, which other languages could "
            "not read; type SESSION_SERIALIZER = 'django.contrib.sessions.serializers.JSONSerializer'"
        )

    def to_json(value: Any, name: str) -> Json:
        try:
            stored: Json = json.loads(serializer.dumps(value))
        except (TypeError, ValueError, RecursionError) as error:
            raise SessionRefused("not-i-json", name, f"the value of {name!r} is no JSON: {error}") from error
        if not isinstance(name, str) or _has_other_names(value):
            raise SessionRefused("not-i-json", name, f"the value of {name!r} has a key that is no text")
        return stored

    def from_json(value: Json) -> Any:
        return serializer.loads(json.dumps(value).encode())

    return Codec(to_json) if type(serializer) is JSONSerializer else Codec(to_json, from_json)


def _has_other_names(value: Any) -> bool:
    if isinstance(value, dict):
        return any(not isinstance(name, str) or _has_other_names(item) for name, item in value.items())
    return isinstance(value, list | tuple) and any(map(_has_other_names, value))


@receiver(setting_changed)
def _forget_settings(**_: object) -> None:
    configured.cache_clear()
    web.cache_clear()


@contextmanager
def _in_djangos_words() -> Iterator[None]:
    try:
        yield
    except SessionGone as error:
        raise UpdateError(str(error)) from error
    except SessionConflict as error:
        raise CreateError(str(error)) from error


class Verbs:
    """The verbs of a store's session, each after a read: the session's own expiry may have passed."""

    UNREAD = frozenset({"destroy", "key"})  # a session that cannot be read can be ended

    def __init__(self, store: SessionStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        if name not in self.UNREAD:
            self._store._load()
        return getattr(self._store._hop, name)


class SessionStore(SessionBase):
    """`request.session`: Django's session, with the entries in the store, and `hop`, which has its verbs.

    The entries are those of hop, so Django's methods and the verbs see the same session. A first use reads.
    """

    visit: Visit
    _hop: Session

    def __init__(self, session_key: str | None = None) -> None:
        # An uncaught error of the store, which Django has answered with its page for 500.
        self.failure: SessionError | None = None
        super().__init__(session_key)

    def _get_session_key(self) -> str | None:
        return self.visit.next_id if self._cycles else self.visit.session_id

    def _set_session_key(self, value: str | None) -> None:
        self.visit = web().visit_with(value)
        self._hop = self.visit.session
        self._came_with = self.visit.session_id
        self._cycles = False
        self._has_new_expiry = False
        self._is_saved = False
        self._is_loaded = False

    session_key = property(_get_session_key)
    _session_key = property(_get_session_key, _set_session_key)

    # Reading

    @property
    def hop(self) -> Verbs:
        """The verbs of Session."""
        return Verbs(self)

    def _load(self) -> None:
        self.accessed = True
        if self._is_loaded:
            return
        self._hop.load()
        self._is_loaded = True
        if self._hop.ttl_s is not None and EXPIRY in self._hop:
            self._keep_expiry(self._hop[EXPIRY], self._hop.ttl_s)

    def _keep_expiry(self, expiry: int | str, ttl_s: int) -> None:
        """End the session if its own expiry has passed, which may come before the store's."""
        if isinstance(expiry, str):
            is_over = datetime.fromisoformat(expiry) <= timezone.now()
        else:
            unused_s = configured().lifetimes.idle_of(self._hop.user) - ttl_s
            is_over = expiry < 0 or 0 < expiry <= unused_s
            self._hop.must_touch = 0 < expiry <= unused_s * TOUCH_PART
        if is_over:
            self._hop.lapse()

    def _get_session(self, no_load: bool = False) -> Session:
        self._load()
        return self._hop

    _session = property(_get_session)

    async def _aget_session(self, no_load: bool = False) -> Session:
        if not self._is_loaded:
            await sync_to_async(self._load)()
        self.accessed = True
        return self._hop

    def load(self) -> dict[str, Any]:
        return dict(self._session)

    def exists(self, session_key: str) -> bool:
        visit = web().visit_with(session_key)
        visit.session.load()
        return visit.session_id is not None

    def is_empty(self) -> bool:
        """Return whether there is nothing to save, and no cookie to keep. Asks nothing of the store."""
        if self.session_key is not None or self._hop.was_unknown:
            return False
        return not len(self._hop)

    def __bool__(self) -> bool:
        return not self.is_empty()

    # Changes

    def clear(self) -> None:
        """Remove every entry. The session itself lives on, empty."""
        self._session.clear()
        self.modified = True

    def create(self) -> None:
        """Begin a session under a new id, with the entries that this object has read or set."""
        with _in_djangos_words():
            if self.session_key is not None:
                kept = dict(self._hop) if self._is_loaded else {}
                self._session_key = None
                self._hop.update(kept)
            self._hop.create()
        self.accessed = self.modified = self._is_saved = True

    def save(self, must_create: bool = False) -> None:
        """Write the changes now, or extend the expiry. Without a session yet, begin one."""
        self._load()
        if must_create or self.session_key is None:
            self.create()
            return
        with _in_djangos_words():
            if not self._save_changes():
                self._hop.touch()
        self._is_saved = True

    def delete(self, session_key: str | None = None) -> None:
        if session_key is None or session_key == self.session_key:
            self._cycles = False
            self._hop.destroy()
        else:
            web().visit_with(session_key).session.destroy()

    def flush(self) -> None:
        """End the session. What is set afterwards begins another one."""
        self.accessed = self.modified = True
        self.delete()

    def cycle_key(self) -> None:
        """Give the session a new id with the next save; `session_key` is that id from now on."""
        self._hop.check_unsealed()
        self._cycles = self.accessed = self.modified = True

    async def aflush(self) -> None:
        await sync_to_async(self.flush)()

    async def acycle_key(self) -> None:
        self.cycle_key()

    @classmethod
    def clear_expired(cls) -> None:
        """Remove the expired sessions. While another cleaner is at work, that one does."""
        handler = configured().new_handler()
        handler.open()
        try:
            handler.clean()
        except SessionConflict:
            pass
        finally:
            handler.close()

    def _save_changes(self) -> bool:
        rotates, self._cycles = self._cycles, False
        return self._hop.save_changes(rotates)

    def finish(self) -> None:
        """Save for an answer that is about to leave. Raises SessionError."""
        is_kept = settings.SESSION_SAVE_EVERY_REQUEST
        if is_kept or self._cycles:
            self._load()
        has_saved = self._save_changes() or self._is_saved
        session_id = self.session_key
        if session_id is not None and not has_saved and (is_kept or self.modified):
            self._hop.touch()
        is_new = session_id != self._came_with
        self.visit.sends_cookie = session_id is not None and (is_kept or self._has_new_expiry)
        if session_id is not None and (is_new or self.visit.sends_cookie):
            age_s = None if self.get_expire_at_browser_close() else max(self.get_expiry_age(), 0)
            self.visit.cookie = replace(self.visit.cookie, max_age_s=age_s)

    # Expiry: at most the store's absolute timeout

    def set_expiry(self, value: Any) -> None:
        super().set_expiry(value)
        self._has_new_expiry = True

    async def aset_expiry(self, value: Any) -> None:
        await super().aset_expiry(value)
        self._has_new_expiry = True

    def get_session_cookie_age(self) -> int:
        age_s: int = settings.SESSION_COOKIE_AGE
        return min(age_s, _longest_s())

    def get_expiry_age(self, **kwargs: Any) -> int:
        age_s: int = super().get_expiry_age(**kwargs)
        return min(age_s, _longest_s())

    async def aget_expiry_age(self, **kwargs: Any) -> int:
        age_s: int = await super().aget_expiry_age(**kwargs)
        return min(age_s, _longest_s())

    def get_expiry_date(self, **kwargs: Any) -> datetime:
        return _capped(super().get_expiry_date(**kwargs), **kwargs)

    async def aget_expiry_date(self, **kwargs: Any) -> datetime:
        return _capped(await super().aget_expiry_date(**kwargs), **kwargs)


def _longest_s() -> int:
    return configured().lifetimes.absolute_s


def _capped(date: datetime, modification: datetime | None = None, **_: Any) -> datetime:
    return min(date, (modification or timezone.now()) + timedelta(seconds=_longest_s()))


class SessionMiddleware(DjangoMiddleware):
    """Django's middleware, but it saves the session as a change, and answers its errors as problems."""

    def process_request(self, request: HttpRequest) -> None:
        session_id = web().cookie.read(request.META.get("HTTP_COOKIE", ""))
        request.session = self.SessionStore(session_id)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer for a view that ended with an error of the session."""
        store = _store_of(request)
        if store is not None and isinstance(exception, SessionError):
            problem = store.visit.fail(exception).problem
            return None if problem is None else _answer(problem)
        if isinstance(exception, UpdateError):
            raise _interrupted() from exception
        return None

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        store = _store_of(request)
        if store is None:
            return response
        visit = store.visit
        try:
            if store.failure is not None:
                raise store.failure
            if response.status_code < 500:
                store.finish()
            settled = visit.settle(response.status_code)
        except SessionError as error:
            settled = visit.fail(error)
            if isinstance(error, SessionGone):
                raise _interrupted() from error
        if settled.problem is not None:
            response = _answer(settled.problem)
        if settled.set_cookie is not None:
            response.cookies.load(settled.set_cookie)
        if settled.vary or store.accessed:
            patch_vary_headers(response, ("Cookie",))
        if settled.private and not response.has_header("Cache-Control"):
            response.headers["Cache-Control"] = "private"
        return response


def _store_of(request: HttpRequest | None) -> SessionStore | None:
    store = getattr(request, "session", None)
    return store if isinstance(store, SessionStore) else None


def _interrupted() -> SessionInterrupted:
    return SessionInterrupted(
        "the session was ended before its request was answered, by a logout for example"
    )


def _answer(problem: Problem) -> HttpResponse:
    return HttpResponse(problem.to_json(), PROBLEM_JSON, problem.status, headers=problem.headers)


@receiver(got_request_exception)
def _remember(request: HttpRequest | None = None, **_: object) -> None:
    """Keep an error of the session that no view and no middleware has caught: Django answers 500 itself."""
    store, error = _store_of(request), sys.exc_info()[1]
    if store is not None and isinstance(error, SessionError):
        store.failure = error


web()  # a setting that is refused stops the start
