"""A world is a place where sessions are kept, with time that a test can move. By it a store joins the suite.

A handler of your own gets a class with the methods of World: tests/contract/run my_store.py:MyWorld
docs/examples/sqlite_store.py is one.
"""

from __future__ import annotations

import secrets
from typing import Any, Protocol

from hopproof.handler import Change, Json, SessionHandler


def new_key() -> bytes:
    return secrets.token_bytes(32)


def content(handler: SessionHandler, key: bytes) -> tuple[Any, ...] | None:
    """Return all of the session that stays the same while time goes by."""
    stored = handler.read(key)
    return stored and (stored.data, stored.version, stored.user)


class World(Protocol):
    """Made anew for each test, without arguments, and with an empty store.

    It may also have `not_offered`, a dict: words of a promise that the store does not make, and the reason.
    """

    def new_handler(self, **settings: Any) -> SessionHandler:
        """Return an opened handler, as if on another server than all the others. Other threads call it, too.

        settings: lifetimes, max_bytes, anonymous_max_bytes, clean_grace_s. Without them the handler has
        those of hopproof.limits, and no grace.
        """

    def age(self, seconds: float) -> None:
        """Let so much time pass for every session there is, as its store counts time."""

    def row_count(self) -> int:
        """Rows that are kept, tombstones and expired ones included."""


class Extras(Protocol):
    """Methods that a world may have. Without put or close, the command adds its own."""

    def put(self, user: str | None = None, /, **data: Json) -> bytes:
        """Return the key of a new session with these data. By default a handler writes it."""

    def unreachable_handler(self) -> SessionHandler:
        """Return an opened handler whose store does not answer. Without it, those promises are not tried."""

    def close(self) -> None:
        """Remove what the world has made. By default nothing; the suite closes each handler before."""


def put(handler: SessionHandler, user: str | None, data: dict[str, Json]) -> bytes:
    key = new_key()
    handler.write(key, Change(set=data, user=user, create=True))
    handler.close()
    handler.open()
    return key
