"""The session as a route sees it: a dict that reads on first use and saves what changed."""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import replace
from typing import Any, cast

from .entries import PLAIN, Codec, Entries
from .handler import (
    NOBODY,
    Change,
    Listed,
    Nobody,
    SessionConflict,
    SessionError,
    SessionGone,
    SessionHandler,
    SessionRefused,
    UserSessions,
)
from .limits import MAX_MODIFY_ATTEMPTS, MAX_USER_BYTES, TOUCH_AFTER_S

log = logging.getLogger(__name__)


class Session(MutableMapping[str, Any]):
    """One visitor's data for the length of one request.

    `session[name] = value` and changes inside a value are saved when the request ends, name by
    name, so two requests that change different entries both survive. add, append, modify, login,
    forget_user, rotate, create and the endings act at once: when they return, the change is stored.

    Without a live session the dict is empty, and the first change creates a session under a new key.
    Every method may raise the errors of SessionHandler.
    """

    def __init__(
        self,
        handler: SessionHandler,
        key: bytes | None,
        new_key: Callable[[], bytes],
        touch_after_s: int = TOUCH_AFTER_S,
        sessions_per_user: int = 0,
        codec: Codec = PLAIN,
        identity: str | None = None,
        user_prefix: str = "",
    ) -> None:
        """key: of the visitor's cookie, None without a cookie. new_key: returns a key never used before.

        sessions_per_user: a login ends the oldest sessions of its user beyond so many; 0: none.
        codec: of the values. identity: the entry that says who is logged in, for login libraries that know no
        login(): the user is user_prefix and its value as text.
        """
        self._handler = handler
        self._new_key = new_key
        self._touch_after_s = touch_after_s
        self._sessions_per_user = sessions_per_user
        self._codec = codec
        self._identity = identity
        self._user_prefix = user_prefix
        self._is_sealed = False
        self._is_open = False
        self._is_released = False
        # A framework may hand one session to several threads.
        self._lock = threading.RLock()
        # True: the save extends the expiry even when that is not due.
        self.must_touch = False
        # True once a route has read or changed the session: its answer depends on the cookie then.
        self.was_used = False
        # True once the store has found no live session under the visitor's key.
        self.was_unknown = False
        self._start(key)

    def _start(self, key: bytes | None) -> None:
        self.key = key
        self._was_read = key is None
        self._was_live = False
        self._user: str | None = None
        # Seconds until the session expires, as it was read; None before that and without a live session.
        self.ttl_s: int | None = None
        self._extendable_s = 0
        self._entries = Entries(self._codec)
        # The store's version while the entries are known to be of that version, else None.
        self._version: int | None = None

    @property
    def hop(self) -> Session:
        """This session. Where the mapping is a framework's own, the verbs stand under this name."""
        return self

    # Reading

    def load(self) -> None:
        """Read the session now, once. Every method below does so when it needs to."""
        self.was_used = True
        if self._was_read:  # before the lock, which another thread may hold for as long as the store takes
            return
        with self._lock:
            if not self._was_read and self.key is not None:
                self._load(self.key)

    def reload(self) -> None:
        """Read again, and drop what was not saved: for a request that lasts, such as a websocket."""
        with self._lock:
            self._start(self.key)
            self.load()

    @property
    def user(self) -> str | None:
        """The user who is logged in, None for an anonymous visitor."""
        self.load()
        return self._user

    def __getitem__(self, name: str) -> Any:
        self.load()
        return self._entries.lend(name)

    def __contains__(self, name: object) -> bool:
        self.load()
        return name in self._entries.values

    def __iter__(self) -> Iterator[str]:
        self.load()
        return iter(list(self._entries.values))

    def __len__(self) -> int:
        self.load()
        return len(self._entries.values)

    # Changes that are saved when the request ends

    def __setitem__(self, name: str, value: Any) -> None:
        self.check_unsealed()
        self._entries.put(name, value)

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise KeyError(name)
        self.remove(name)

    def remove(self, name: str) -> None:
        """Remove the entry if it is there. Unlike del, this needs no reading."""
        self.check_unsealed()
        self._entries.remove(name)

    def save(self) -> None:
        """Write the changes; if there are none, extend the expiry when that is due."""
        is_due = self.must_touch or self._extendable_s > self._touch_after_s
        if not self.save_changes() and is_due:
            try:
                self.touch()
            except SessionError as error:
                # The visitor's answer is right as it is, and the next request touches again.
                log.warning("a session's expiry was not extended: %s", error)

    def save_changes(self, rotates: bool = False) -> bool:
        """Write the difference to the store; return whether there was any.

        rotates: the session gets a new key by it, even without a difference.
        """
        with self._lock:
            change = self._entries.change()
            if self._identity is not None and self._identity in change.set:
                self.login(self._identified(self._identity))
            elif self._identity in change.remove and self.user is not None:
                self.forget_user()
            elif rotates:
                self._rotate(None)
            elif change.is_touch:
                return False
            else:
                self._write(change)
            return True

    @property
    def has_changes(self) -> bool:
        """Whether a save would write entries. Asks nothing of the store. Raises SessionRefused."""
        return not self._entries.change().is_touch

    def seal(self) -> None:
        """Refuse changes from now on: the answer is on its way, so a later change would be lost."""
        self._is_sealed = True

    def rest(self) -> None:
        """Close the handler. The next use of the session opens it again."""
        with self._lock:
            if self._is_open:
                self._is_open = False
                self._handler.close()

    def release(self) -> None:
        """Seal the session and close the handler; reading goes on working. Safe twice."""
        self.seal()
        self._is_released = True
        self.rest()

    # Changes that happen at once

    def touch(self) -> None:
        """Extend the expiry of the session, if there is one, whether that is due or not."""
        self.must_touch, self._extendable_s = False, 0
        if self.key is not None:
            self._opened.write(self.key, Change())

    def add(self, name: str, n: int = 1) -> int:
        """Add n to the integer under name, 0 if there is none, and return the sum. Atomic."""
        total = self._count(Change(add=(name, n)))
        if self._was_read or name in self._entries.values:
            self._entries.note(name, total)
        return total

    def append(self, name: str, value: Any) -> int:
        """Append to the list under name, empty if there is none, and return its length. Atomic."""
        length = self._count(Change(append=(name, self._codec.to_json(value, name))))
        if self._was_read or name in self._entries.values:
            items = self._entries.values.get(name)
            # Absent, or made a list by another request since.
            before = items if isinstance(items, list) else []
            before.append(value)
            self._entries.note(name, before)
        return length

    def modify(self, name: str, function: Callable[[Any], Any], default: Any = None) -> Any:
        """Replace the value under name by function(value) and return the new value. Atomic.

        function gets a copy of the value, or of default if there is none. It runs again
        whenever another request was faster, so it should only compute.
        Raises SessionConflict after 16 attempts.
        """
        self.load()
        self.save_changes()
        entries, version = self._entries, self._version
        for _ in range(MAX_MODIFY_ATTEMPTS):
            if version is None and self.key is not None:
                stored = self._opened.read(self.key)
                entries, version = Entries(self._codec), stored.version if stored else None
                entries.load(stored.data if stored else {})
            value = function(copy.deepcopy(entries.values.get(name, default)))
            try:
                self._write(Change(set={name: self._codec.to_json(value, name)}, expected_version=version))
            except SessionConflict:
                version = None
                continue
            self._entries.values[name] = value
            return value
        raise SessionConflict(f"{name!r} was overtaken {MAX_MODIFY_ATTEMPTS} times")

    def login(self, user: str) -> None:
        """Make the session the user's, under a new key; the old key is ended.

        The data stay, unless they are those of another user: then only what this request has set is kept.
        """
        change = replace(self._entries.change(), user=user, rotate_to=self._new_key())
        if change.leaves_data_behind(self._user):
            kept = {name: self._entries.values[name] for name in change.set}
            self._entries = Entries(self._codec)
            for name, value in kept.items():
                self._entries.put(name, value)
        self._write(change)
        self._user = user
        if self._sessions_per_user and self.key is not None:
            self._end_oldest(user, self.key)

    def forget_user(self) -> None:
        """Make the session an anonymous one, under a new key; the old key is ended, the data stay.

        It is no logout on a shared computer, where the data should go, too: that is destroy.
        """
        self._rotate(NOBODY)
        self._user = None

    def rotate(self) -> None:
        """Move the session, if there is one, to a new key; the old one is ended, user and data stay."""
        self.save_changes(rotates=True)

    def create(self) -> None:
        """Create an empty session under a new key, unless the visitor has a live one."""
        if not self.save_changes() and not self._was_live:
            self._write(Change(), even_if_empty=True)

    def destroy(self) -> None:
        """End the session and drop unsaved changes. Its key never works again."""
        self.check_unsealed()
        self.lapse()

    def lapse(self) -> None:
        """End the session as one whose time is over: like destroy, but a late read may find that out, too."""
        with self._lock:
            if self.key is not None:
                self._opened.destroy(self.key)
            self._start(None)

    # All sessions of the user who is logged in. Each raises ValueError without a login.

    def all_of_user(self) -> list[Listed]:
        """Return every live session of the user, this one too."""
        return self._listing.sessions_of_user(self._logged_in_user())

    def destroy_one_of_user(self, key: bytes) -> bool:
        """End one session of the user, perhaps this one; return whether it lived and was the user's."""
        self.check_unsealed()
        is_ended = self._listing.end_one_of_user(self._logged_in_user(), key)
        # If it had ended before, another tab may have just logged in, with a newer cookie.
        if is_ended and key == self.key:
            self._start(None)
        return is_ended

    def destroy_all_of_user(self) -> int:
        """End every session of the user, this one too; return how many."""
        self.check_unsealed()
        ended = self._listing.end_user(self._logged_in_user())
        self._start(None)
        return ended

    # How it is done

    def known(self, name: str) -> Any:
        """Return the value as far as this request has read it, else None. Asks nothing of the store."""
        return self._entries.values.get(name)

    def check_unsealed(self) -> None:
        """Raise RuntimeError if a change comes too late."""
        self.was_used = True
        if self._is_sealed:
            raise RuntimeError(
                "the session has been saved and the answer is on its way, so this change would be lost; "
                "change the session before the route returns: a streamed body, a background task and the "
                "code after a dependency's yield come too late"
            )

    @property
    def _opened(self) -> SessionHandler:
        if not self._is_open:
            self._handler.open()
            self._is_open = True
        return self._handler

    @property
    def _listing(self) -> UserSessions:
        if not hasattr(self._handler, "sessions_of_user"):
            raise TypeError(f"{type(self._handler).__name__} keeps no list of a user's sessions")
        return cast(UserSessions, self._opened)

    def _logged_in_user(self) -> str:
        if self.user is None:
            raise ValueError("there is no logged-in user, so no list of sessions")
        return self.user

    def _load(self, key: bytes) -> None:
        try:
            stored = self._opened.read(key)
        finally:
            if self._is_released:  # by a body that is still being made, for example
                self.rest()
        self._was_read = True
        if stored is None:
            self.was_unknown = True
        else:
            self._was_live = True
            self._user = stored.user
            self.ttl_s = stored.ttl_s
            self._extendable_s = stored.extendable_s
            self._version = stored.version
            self._entries.load(stored.data)

    def _identified(self, identity: str) -> str:
        user = f"{self._user_prefix}{self._entries.values[identity]}"
        size = len(user.encode())
        if not 1 <= size <= MAX_USER_BYTES:
            raise SessionRefused(
                "too-large" if size else "wrong-type",
                identity,
                f"the user in {identity!r} has {size} bytes, and the store takes 1 to {MAX_USER_BYTES}",
            )
        return user

    def _count(self, change: Change) -> int:
        self.save_changes()
        result = self._write(change)
        assert result is not None, "a handler answers add and append with a result"
        return result

    def _end_oldest(self, user: str, key: bytes) -> None:
        try:
            self._listing.end_oldest_of_user(user, self._sessions_per_user, key)
        except SessionError as error:
            # The login is done and has to reach the visitor; the next one ends what this one left.
            log.warning("a user's oldest sessions were not ended: %s", error)

    def _rotate(self, user: Nobody | None) -> None:
        self._write(replace(self._entries.change(), user=user, rotate_to=self._new_key()))

    def _write(self, change: Change, *, even_if_empty: bool = False) -> int | None:
        self.check_unsealed()
        with self._lock:
            if self.key is None:
                result = self._create(change, even_if_empty)
            else:
                try:
                    result = self._opened.write(self.key, change)
                    self.key = change.rotate_to or self.key
                    self._was_live = True
                    # Only a change that expects a version tells which one it has made.
                    seen = change.expected_version
                    self._version = seen + 1 if seen is not None and seen == self._version else None
                except SessionGone as gone:
                    self.was_unknown = True
                    # The session ended lately or during this request: the visitor has a newer cookie or none.
                    # Otherwise the id is forged or long dead: a new session starts, as without a cookie.
                    if gone.ended or self._was_live:
                        raise
                    result = self._create(change, even_if_empty)
            self._extendable_s = 0  # a change extends the expiry as well
            self._entries.written(change)
            return result

    def _create(self, change: Change, even_if_empty: bool) -> int | None:
        user = change.user_after(None)
        first = Change(change.set, add=change.add, append=change.append, user=user, create=True)
        if first == Change(create=True) and not even_if_empty:
            return None  # removing from nothing leaves nothing
        try:
            key = change.rotate_to or self._new_key()
            result = self._opened.write(key, first)
        except SessionConflict:
            key = self._new_key()
            result = self._opened.write(key, first)
        self.key = key
        self._was_live = True
        return result
