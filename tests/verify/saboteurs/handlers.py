"""Broken handlers: each wraps the real one and breaks one promise in a few lines."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import store
from hopproof import web
from hopproof.handler import Change, SessionGone, SessionHandler, SessionStoreUnavailable, Stored
from hopproof.memory import MemoryHandler
from hopproof.mysql import MySQLHandler


class Sabotaged:
    """The real handler, except for the part that a subclass breaks."""

    def __init__(self, inner: MySQLHandler) -> None:
        self.inner = inner

    def __getattr__(self, verb: str) -> Any:
        return getattr(self.inner, verb)


class AcknowledgeThenWrite(Sabotaged):
    """Acknowledges an append, and does it a second later, if the process still lives then."""

    def write(self, key: bytes, change: Change) -> int | None:
        stored = self.inner.read(key) if change.append else None
        if stored is None or change.append is None:
            return self.inner.write(key, change)
        inner = replace(self.inner)

        def later() -> None:
            time.sleep(1)
            inner.open()
            try:
                inner.write(key, change)
            finally:
                inner.close()

        threading.Thread(target=later, daemon=True).start()
        return len(stored.data.get(change.append[0], ())) + 1


class WholeBlobWriteBack(Sabotaged):
    """Reads the session, changes the copy, writes all of it: concurrent changes are undone."""

    def write(self, key: bytes, change: Change) -> int | None:
        stored = None if change.create or change.rotate_to else self.inner.read(key)
        if stored is None:
            return self.inner.write(key, change)
        data, result = dict(stored.data), None
        if change.add:
            name, n = change.add
            data[name] = result = data.get(name, 0) + n
        if change.append:
            name, item = change.append
            data[name] = [*data.get(name, []), item]
            result = len(data[name])
        data |= change.set
        gone = stored.data.keys() & change.remove
        kept = {name: value for name, value in data.items() if name not in gone}
        self.inner.write(key, Change(set=kept, remove=gone))
        return result


class TouchRollsBack(Sabotaged):
    """Extends the expiry by writing back the session that it read a moment ago."""

    _read: Stored | None = None

    def read(self, key: bytes) -> Stored | None:
        self._read = self.inner.read(key)
        return self._read and replace(self._read, extendable_s=10**6)

    def write(self, key: bytes, change: Change) -> int | None:
        if change.is_touch and self._read is not None:
            return self.inner.write(key, Change(set=self._read.data))
        return self.inner.write(key, change)


class Upsert(Sabotaged):
    """Writes whether the session lives or not, so a slow request revives it."""

    def write(self, key: bytes, change: Change) -> int | None:
        try:
            return self.inner.write(key, change)
        except SessionGone:
            change = replace(change, rotate_to=None, expected_version=None)
            if self.inner.connection.ask(self.REVIVE, key=key).matched:
                return self.inner.write(key, change)
            return self.inner.write(key, replace(change, create=True))

    REVIVE = """UPDATE sessions SET data = JSON_OBJECT(), created_at = UNIX_TIMESTAMP(),
      expires_at = UNIX_TIMESTAMP() + 1800, absolute_at = UNIX_TIMESTAMP() + 43200 WHERE id = %(key)s"""


class ExpiryOnlyInClean(Sabotaged):
    """Serves an expired row until the cleaner has removed it."""

    def read(self, key: bytes) -> Stored | None:
        self._revive(key)
        return self.inner.read(key)

    def write(self, key: bytes, change: Change) -> int | None:
        self._revive(key)
        return self.inner.write(key, change)

    def _revive(self, key: bytes) -> None:
        self.inner.connection.ask(
            "UPDATE sessions SET expires_at = UNIX_TIMESTAMP() + 60 "
            "WHERE id = %(key)s AND data IS NOT NULL AND expires_at <= UNIX_TIMESTAMP()",
            key=key,
        )


class OwnClock(ExpiryOnlyInClean):
    """Compares the expiry with the clock of the server that happens to answer."""

    def read(self, key: bytes) -> Stored | None:
        found = super().read(key)
        return None if found is None or self._ahead_s() > found.ttl_s else found

    def _revive(self, key: bytes) -> None:
        if self._ahead_s() < 0:
            super()._revive(key)

    def _ahead_s(self) -> float:
        database_s = float(self.inner.connection.ask("SELECT UNIX_TIMESTAMP(NOW(6))").rows[0][0])
        return time.time() - float(database_s)


class LastAnswerAgain(Sabotaged):
    """Keeps the last answer of the process for a moment, and gives it to the next visitor."""

    last: tuple[float, Stored | None] = (0.0, None)

    def read(self, key: bytes) -> Stored | None:
        at, stored = LastAnswerAgain.last
        if time.monotonic() - at > 0.02:
            stored = self.inner.read(key)
            LastAnswerAgain.last = (time.monotonic(), stored)
        return copy.deepcopy(stored)


class AdoptUnknownIds(Sabotaged):
    """Creates a session under any id that comes."""

    def write(self, key: bytes, change: Change) -> int | None:
        try:
            return self.inner.write(key, change)
        except SessionGone as gone:
            if gone.ended or change.rotate_to:
                raise
            return self.inner.write(key, replace(change, create=True))


class CreateOnRead(Sabotaged):
    """Stores an empty session when a visitor without one reads."""

    def read(self, key: bytes) -> Stored | None:
        found = self.inner.read(key)
        if found is None:
            self.inner.connection.ask(
                MySQLHandler.CREATE.replace("INSERT", "INSERT IGNORE"),
                key=key,
                data="{}",
                user=None,
                first_idle_s=600,
                absolute_s=600,
            )
        return found


class NoneOnException(Sabotaged):
    """Takes an outage for an empty session."""

    def read(self, key: bytes) -> Stored | None:
        try:
            return self.inner.read(key)
        except SessionStoreUnavailable:
            return None


def _shifted_clean(by_timeouts: int) -> type[Sabotaged]:
    class Cleaner(Sabotaged):
        """Is off by one idle timeout."""

        def clean(self) -> int:
            idle_s = self.inner.lifetimes.idle_s
            return self.inner.connection.ask(
                "DELETE FROM sessions WHERE expires_at <= UNIX_TIMESTAMP() + %(seconds)s",
                seconds=by_timeouts * idle_s,
            ).matched

    return Cleaner


_memory = MemoryHandler()

HANDLERS: dict[str, Callable[[MySQLHandler], Any]] = {
    "dict-per-process": lambda inner: _memory,
    "acknowledge-then-write": AcknowledgeThenWrite,
    "whole-blob-write-back": WholeBlobWriteBack,
    "touch-rolls-back": TouchRollsBack,
    "upsert": Upsert,
    "expiry-only-in-clean": ExpiryOnlyInClean,
    "own-clock": OwnClock,
    "last-answer-again": LastAnswerAgain,
    "adopt-unknown-ids": AdoptUnknownIds,
    "create-on-read": CreateOnRead,
    "none-on-exception": NoneOnException,
    "cleaner-too-early": _shifted_clean(1),
    "cleaner-too-late": _shifted_clean(-1),
}


NAME = Path("/saboteur/name")


def saboteur() -> str:
    """Return the name of the broken part. It changes while the servers run, which saves restarts."""
    return NAME.read_text().strip()


def sabotage() -> None:
    """Replace parts by broken ones, before the composition root puts them together."""
    real_key_of, real_handlers = web.key_of, store.mysql_handlers

    def key_of(session_id: str) -> bytes:
        return real_key_of(session_id.lower() if saboteur() == "case-folded-ids" else session_id)

    def mysql_handlers(*arguments: Any, **named: Any) -> Callable[[], SessionHandler]:
        new_handler = real_handlers(*arguments, **named)

        def new_broken_handler() -> SessionHandler:
            return HANDLERS.get(saboteur(), Sabotaged)(new_handler())

        return new_broken_handler

    web.key_of, store.mysql_handlers = key_of, mysql_handlers
