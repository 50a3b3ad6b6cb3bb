"""The session as a route sees it: a dict that reads on first use and saves what changed."""

from __future__ import annotations

import contextlib
import copy
import logging
import marshal
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import replace

from .handler import (
    Change,
    Json,
    Listed,
    SessionConflict,
    SessionError,
    SessionGone,
    SessionHandler,
    Written,
)
from .ijson import encode

log = logging.getLogger(__name__)

# Each overtaking means that another request got through, so a few tabs need a few attempts.
MAX_MODIFY_ATTEMPTS = 16


class Session(MutableMapping[str, Json]):
    """One visitor's data for the length of one request.

    `session[key] = value` and changes inside a value are saved when the request ends, key by
    key, so two requests that change different keys both survive. add, append, modify, login
    and the endings act at once: their answer is worth something only when it is true.

    Where no session lives it reads as empty, and the first change creates one, under a new key.
    Every method may raise the errors of SessionHandler.
    """

    def __init__(
        self,
        handler: SessionHandler,
        key: bytes | None,
        new_key: Callable[[], bytes],
        touch_after_s: int = 60,
    ) -> None:
        """key: from the visitor's cookie, None without one. new_key: makes one never used before."""
        self._handler = handler
        self._new_key = new_key
        self._touch_after_s = touch_after_s
        self._is_closed = False
        self._start(key)

    def _start(self, key: bytes | None) -> None:
        self.key = key
        self._was_read = key is None
        self._was_live = False
        self._user: str | None = None
        self._touch_gains_s = 0
        self._data: dict[str, Json] = {}
        self._set: set[str] = set()
        self._removed: set[str] = set()
        # The store's version while _data is known to be that version, else None.
        self._version: int | None = None
        # What the store holds of every value that was lent to the route or replaced:
        # a list or dict can change inside without anybody being told.
        self._stored: dict[str, bytes] = {}

    # Reading

    @property
    def user(self) -> str | None:
        """The user who is logged in, None for an anonymous visitor."""
        self._read()
        return self._user

    def __getitem__(self, key: str) -> Json:
        self._read()
        value = self._data[key]
        if isinstance(value, (list, dict)):
            self._remember(key)
        return value

    def __contains__(self, key: object) -> bool:
        self._read()
        return key in self._data

    def __iter__(self) -> Iterator[str]:
        self._read()
        return iter(list(self._data))

    def __len__(self) -> int:
        self._read()
        return len(self._data)

    # Changes that are saved when the request ends

    def __setitem__(self, key: str, value: Json) -> None:
        self._check_open()
        if key in self._data:
            self._remember(key)
        self._data[key] = value
        self._set.add(key)
        self._removed.discard(key)

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        self.remove(key)

    def remove(self, key: str) -> None:
        """Remove the key if it is there. Unlike del, this needs no reading."""
        self._check_open()
        self._data.pop(key, None)
        self._stored.pop(key, None)
        self._set.discard(key)
        self._removed.add(key)

    def save(self) -> None:
        """Write what changed; if nothing did, extend the expiry when that is due."""
        if not self._save_pending() and self.key and self._touch_gains_s > self._touch_after_s:
            try:
                self._handler.write(self.key, Change())
            except SessionError as error:
                # The visitor's answer is right as it is, and the next request touches again.
                log.warning("a session's expiry was not extended: %s", error)

    def close(self) -> None:
        """Refuse further use: the answer is on its way, and nobody would save what comes now."""
        self._is_closed = True

    # Changes that happen at once

    def add(self, key: str, n: int = 1) -> int:
        """Add n to the integer under key, 0 if there is none, and return the sum. Atomic."""
        total = self._count(Change(add=(key, n)))
        if self._was_read or key in self._data:
            self._data[key] = total
            self._stored[key] = _frozen(total)
        return total

    def append(self, key: str, value: Json) -> int:
        """Append to the list under key, empty if there is none, and return its length. Atomic."""
        length = self._count(Change(append=(key, value)))
        if self._was_read or key in self._data:
            items = self._data.get(key)
            if not isinstance(items, list):  # absent, or made a list by another request since
                items = self._data[key] = []
            items.append(value)
            self._stored[key] = _frozen(items)
        return length

    def modify(self, key: str, function: Callable[[Json], Json], default: Json = None) -> Json:
        """Replace the value under key by function(value) and return the new value. Atomic.

        function gets a copy of the value, or of default if there is none. It runs again
        whenever another request was faster, so it should do nothing but compute.
        Raises SessionConflict when that happened 16 times.
        """
        self._read()
        self._save_pending()
        data, version = self._data, self._version
        for _ in range(MAX_MODIFY_ATTEMPTS):
            if version is None and self.key is not None:
                stored = self._handler.read(self.key)
                data, version = (stored.data, stored.version) if stored else ({}, None)
            value = function(copy.deepcopy(data.get(key, default)))
            try:
                self._write(Change(set={key: value}, expected_version=version))
            except SessionConflict:
                version = None
                continue
            self._data[key] = value
            return value
        raise SessionConflict(f"{key!r} was overtaken {MAX_MODIFY_ATTEMPTS} times")

    def login(self, user: str) -> None:
        """Make the session the user's, under a new key; the old key is ended, the data stay."""
        self._write(replace(self._change(), user=user, rotate_to=self._new_key()))
        self._user = user

    def destroy(self) -> None:
        """End the session, what this request changed included. Its key never works again."""
        if self.key is not None:
            self._handler.destroy(self.key)
        self._start(None)

    # All sessions of the user who is logged in. Each raises ValueError if nobody is.

    def all_of_user(self) -> list[Listed]:
        """Return every live session of the user, this one too."""
        return self._handler.sessions_of_user(self._whoever_is_logged_in())

    def destroy_one_of_user(self, key: bytes) -> bool:
        """End one session of the user, perhaps this one; return whether it lived and was the user's."""
        is_ended = self._handler.end_one_of_user(self._whoever_is_logged_in(), key)
        # If it was not there any more, another tab may have just logged in, and has a newer cookie.
        if is_ended and key == self.key:
            self._start(None)
        return is_ended

    def destroy_all_of_user(self) -> int:
        """End every session of the user, this one too; return how many."""
        ended = self._handler.end_user(self._whoever_is_logged_in())
        self._start(None)
        return ended

    # How it is done

    def _check_open(self) -> None:
        if self._is_closed:
            raise RuntimeError("the request is over; read and change the session before the route returns")

    def _whoever_is_logged_in(self) -> str:
        if self.user is None:
            raise ValueError("nobody is logged in")
        return self.user

    def _read(self) -> None:
        self._check_open()
        if self._was_read or self.key is None:
            return
        stored = self._handler.read(self.key)
        self._was_read = True
        if stored is not None:
            self._was_live = True
            self._user = stored.user
            self._touch_gains_s = stored.touch_gains_s
            self._version = stored.version
            kept = {key: value for key, value in stored.data.items() if key not in self._removed}
            self._data = kept | self._data

    def _remember(self, key: str) -> None:
        if key not in self._stored and key not in self._set:
            self._stored[key] = _frozen(self._data[key])

    def _change(self) -> Change:
        """Return what differs from the store, as far as this request has touched it."""
        touched = self._set | self._stored.keys()
        changed = {key: self._data[key] for key in touched if self._differs(key)}
        return Change(set=changed, remove=frozenset(self._removed))

    def _differs(self, key: str) -> bool:
        """Say whether the value under key is another than the store's. Raises SessionRefused."""
        stored, value = self._stored.get(key), self._data[key]
        if stored is None:
            return True
        with contextlib.suppress(ValueError):  # no JSON type: the encoding below names it
            if _frozen(value) == stored:
                return False
        # Different bytes may still be the same JSON: the names of an object have no order.
        return encode(value, key) != encode(marshal.loads(stored), key)

    def _save_pending(self) -> bool:
        """Write what differs from the store; return whether anything did."""
        change = self._change()
        if change.is_touch:
            return False
        self._write(change)
        return True

    def _count(self, change: Change) -> int:
        self._save_pending()
        result = self._write(change).result
        assert result is not None, "a handler answers add and append with a result"
        return result

    def _write(self, change: Change) -> Written:
        self._check_open()
        if self.key is None:
            written = self._create(change)
        else:
            try:
                written = self._handler.write(self.key, change)
                self.key = change.rotate_to or self.key
                self._was_live = True
            except SessionGone as gone:
                # Ended lately, or under this request's eyes: the visitor has a newer cookie or none.
                # Otherwise the id is forged or forgotten, and its bearer starts a session like anybody else.
                if gone.ended or self._was_live:
                    raise
                written = self._create(change)
        self._touch_gains_s = 0  # a change extends the expiry as well
        is_next = self._version is not None and written.version == self._version + 1
        self._version = written.version if is_next else None
        self._stored.update((key, _frozen(value)) for key, value in change.set.items())
        self._set -= change.set.keys()
        self._removed -= change.remove
        return written

    def _create(self, change: Change) -> Written:
        first = replace(change, create=True, remove=frozenset(), rotate_to=None, expected_version=None)
        if first == Change(create=True):
            return Written(None)  # removing from nothing leaves nothing
        try:
            key = change.rotate_to or self._new_key()
            written = self._handler.write(key, first)
        except SessionConflict:
            key = self._new_key()
            written = self._handler.write(key, first)
        self.key = key
        self._was_live = True
        return written


def _frozen(value: Json) -> bytes:
    """Return a copy of the value as bytes. Equal bytes mean equal values, types included.

    marshal and not JSON: most values are only read, and this is ten times as fast. Version 2, because
    later ones also write how often an object is used.
    """
    return marshal.dumps(value, 2)
