"""The settings: HOPPROOF, and those of Django that tell how a cookie and its values are."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.contrib.sessions.serializers import JSONSerializer
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.dispatch import receiver
from django.utils.asyncio import async_unsafe
from django.utils.module_loading import import_string

from ..brief import brief
from ..entries import Codec
from ..handler import Json, Lifetimes, SessionError, SessionHandler, SessionRefused
from ..limits import TOUCH_AFTER_S
from ..web import Cookie, Web, max_age_s


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
