"""The session engine: Django's methods on a session of the shared store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.sessions.backends.base import CreateError, SessionBase, UpdateError
from django.utils import timezone

from ..handler import SessionConflict, SessionError, SessionGone
from ..session import Session
from ..web import Visit
from .options import configured, web

EXPIRY = "_session_expiry"  # of set_expiry: seconds without a request, or a moment in ISO form
# A session with an expiry of its own, in seconds, is touched whenever this part of them has passed.
TOUCH_PART = 10


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
