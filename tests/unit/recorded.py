"""A handler that keeps its sessions in memory and its calls in a list."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from hopproof.handler import Change, Listed, SessionBroken, SessionStoreUnavailable, Stored
from hopproof.memory import MemoryHandler
from hopproof.session import Session


@dataclass
class RecordedHandler:
    """calls: (verb, argument) of every call. is_down: every verb but open and close fails. failing: the verbs
    that fail by themselves.

    broken: the keys of rows that break the row contract. before_write: called before each write, to
    act as another request.
    """

    store: MemoryHandler = field(default_factory=MemoryHandler)
    calls: list[tuple[str, object]] = field(default_factory=list)
    is_down: bool = False
    failing: frozenset[str] = frozenset()
    broken: set[bytes] = field(default_factory=set)
    before_write: Callable[[bytes], object] = lambda key: None
    opened: int = 0

    @property
    def verbs(self) -> list[str]:
        return [verb for verb, _ in self.calls]

    @property
    def changes(self) -> list[Change]:
        return [argument for verb, argument in self.calls if verb == "write"]  # type: ignore[misc]

    def open(self) -> None:
        self.opened += 1

    def close(self) -> None:
        self.opened -= 1

    def read(self, key: bytes) -> Stored | None:
        self._call("read", key)
        self._check(key)
        return self.store.read(key)

    def write(self, key: bytes, change: Change) -> int | None:
        self._call("write", change)
        self._check(key)
        self.before_write(key)
        return self.store.write(key, change)

    def destroy(self, key: bytes) -> None:
        self._call("destroy", key)
        self.store.destroy(key)

    def sessions_of_user(self, user: str) -> list[Listed]:
        self._call("sessions_of_user", user)
        return self.store.sessions_of_user(user)

    def end_one_of_user(self, user: str, key: bytes) -> bool:
        self._call("end_one_of_user", (user, key))
        return self.store.end_one_of_user(user, key)

    def end_user(self, user: str) -> int:
        self._call("end_user", user)
        return self.store.end_user(user)

    def end_oldest_of_user(self, user: str, keep: int, key: bytes) -> int:
        self._call("end_oldest_of_user", (user, keep, key))
        return self.store.end_oldest_of_user(user, keep, key)

    def clean(self) -> int:
        self._call("clean", None)
        return self.store.clean()

    def _check(self, key: bytes) -> None:
        if key in self.broken:
            raise SessionBroken(key)

    def _call(self, verb: str, argument: object) -> None:
        self.calls.append((verb, argument))
        if self.is_down or verb in self.failing:
            raise SessionStoreUnavailable("the test says so")


def new_key() -> bytes:
    return secrets.token_bytes(32)


@dataclass
class Visit:
    """One visitor's session in a store, with other requests that can happen beside it."""

    handler: RecordedHandler = field(default_factory=RecordedHandler)
    now: float = 1000.0

    def __post_init__(self) -> None:
        self.handler.store.now = lambda: self.now

    @property
    def store(self) -> MemoryHandler:
        """The same sessions, unrecorded, for other requests."""
        return self.handler.store

    def put(self, user: str | None = None, /, **data: object) -> bytes:
        key = new_key()
        self.store.write(key, Change(set=data, user=user, create=True))  # type: ignore[arg-type]
        return key

    def session(
        self, key: bytes | None = None, touch_after_s: int = 60, sessions_per_user: int = 0
    ) -> Session:
        return Session(self.handler, key, new_key, touch_after_s, sessions_per_user)

    def data(self, key: bytes | None) -> dict[str, object] | None:
        """Return the data stored now, or None if no session lives under the key."""
        stored = self.store.read(key) if key else None
        return stored.data if stored else None  # type: ignore[return-value]
