"""The interface of a session handler: six verbs, the values they exchange, and how they fail.

The verbs are those of PHP's session_set_save_handler (open, close, read, write,
destroy, gc), with one difference that everything rests on: write takes the
*change* a request made, never the whole session. Whoever writes back a whole
session also writes back what another server has changed in the meantime.

A handler knows 32-byte keys, JSON values and seconds. It knows no cookie, no
request, no framework and no environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

Reason = Literal["not-i-json", "too-large", "wrong-type"]

# A JSON value as Python spells it. Exact types only: a tuple would come back as a list.
Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

# RFC 7493 section 2.2: beyond this, a reader that holds numbers as doubles sees another number.
MAX_INTEGER = 2**53 - 1

# UTF-8 bytes; the width of the column.
MAX_USER_BYTES = 64


class SessionError(Exception):
    """Something kept a verb from doing what it says. The subclasses say what."""


class SessionStoreUnavailable(SessionError):
    """The store did not answer in time. A write may or may not have happened."""


class SessionGone(SessionError):
    """There is no live session under this key, so nothing was changed.

    ended is True when the session was ended or rotated within the tombstone time,
    False when the key is unknown, expired or long dead.
    """

    def __init__(self, *, ended: bool) -> None:
        super().__init__("the session was ended" if ended else "no live session has this key")
        self.ended = ended


class SessionBroken(SessionError):
    """The row under the key is no session; nothing was changed. destroy works on it as on any."""

    def __init__(self, key: bytes) -> None:
        super().__init__(f"the row of session {key.hex()} breaks the row contract")
        self.key = key


class SessionConflict(SessionError):
    """Another was faster: the version moved on, the new key is taken, or somebody cleans already."""


class SessionRefused(SessionError):
    """The change cannot be stored as it is, so nothing was changed.

    key is the session's top-level key that is at fault, None when it is the sum of all.
    """

    def __init__(self, reason: Reason, key: str | None, explanation: str) -> None:
        super().__init__(explanation)
        self.reason = reason
        self.key = key

    @classmethod
    def too_large(cls, max_bytes: int) -> SessionRefused:
        return cls("too-large", None, f"the session would exceed {max_bytes} bytes")

    @classmethod
    def not_countable(cls, key: str, n: int) -> SessionRefused:
        return cls("wrong-type", key, f"{key!r} holds nothing that {n} can be added to")

    @classmethod
    def not_a_list(cls, key: str) -> SessionRefused:
        return cls("wrong-type", key, f"{key!r} holds no list")


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """When a session ends by itself. Seconds on the store's clock, never a server's."""

    idle_s: int = 1800
    absolute_s: int = 43200
    # How long an ended key is remembered: longer than any request that may still be under way.
    tombstone_s: int = 60


@dataclass(frozen=True, slots=True)
class Stored:
    """A live session as it was read.

    ttl_s: seconds until it expires. touch_gains_s: seconds that a touch would add now,
    0 when the absolute timeout leaves nothing to gain.
    """

    data: dict[str, Json]
    version: int
    user: str | None
    ttl_s: int
    touch_gains_s: int


@dataclass(frozen=True, slots=True)
class Change:
    """The changes that one request makes to a session, applied as a whole or not at all.

    set, remove: top-level keys. add: (key, n) adds n to an integer, an absent one counts
    as 0. append: (key, value) appends to a list, an absent one counts as empty.
    A key may occur in one of the four only.
    user: whom the session belongs to from now on; None leaves that as it is.
    create: the key is new; there is no session under it yet.
    rotate_to: the session lives on under this key, and the old key is ended.
    expected_version: refuse with SessionConflict unless this is still the version.
    An empty change is a touch: it extends the expiry and nothing else.
    """

    set: Mapping[str, Json] = field(default_factory=dict)
    remove: frozenset[str] = frozenset()
    add: tuple[str, int] | None = None
    append: tuple[str, Json] | None = None
    user: str | None = None
    create: bool = False
    rotate_to: bytes | None = None
    expected_version: int | None = None

    def __post_init__(self) -> None:
        counted = [pair[0] for pair in (self.add, self.append) if pair is not None]
        if len(counted) > 1:
            raise ValueError("a change adds or appends at most once; write twice")
        if self.add is not None and type(self.add[1]) is not int:
            raise ValueError(f"{self.add[1]!r} cannot be added: a count is an integer")
        if len({*self.set, *self.remove, *counted}) < len(self.set) + len(self.remove) + len(counted):
            raise ValueError("a key occurs twice in one change; write twice")
        if self.create and (self.rotate_to is not None or self.expected_version is not None):
            raise ValueError("a session that does not exist yet has no old key and no version")
        if self.user is not None and not 1 <= len(self.user.encode()) <= MAX_USER_BYTES:
            raise ValueError(f"a user is 1 to {MAX_USER_BYTES} bytes of UTF-8")

    @property
    def is_touch(self) -> bool:
        return self == Change()


@dataclass(frozen=True, slots=True)
class Written:
    """The result of a write.

    version: the version it made; None after a touch, and where a result came back instead.
    result: the new count of add, the new length of append, else None.
    """

    version: int | None
    result: int | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """One of a user's live sessions, as the user may see it: no id, no data.

    age_s: seconds since the login, or since the creation if that came later.
    unused_s: seconds without a request, at most. Requests that only read are noted now and then,
    and near the absolute timeout none is.
    """

    key: bytes
    age_s: int
    unused_s: int


class SessionHandler(Protocol):
    """Keeps sessions. One instance serves one request; open and close embrace it.

    Every verb but close may raise SessionStoreUnavailable, read and write SessionBroken.
    """

    def open(self) -> None:
        """Get ready for a request. Borrows nothing yet: an untouched session costs nothing."""

    def read(self, key: bytes) -> Stored | None:
        """Return what was last written under key, or None if unknown, expired or ended.

        None is an answer, never a failure: the caller acts on what it believes it
        read, so a failure dressed as "empty" would log visitors out.
        """

    def write(self, key: bytes, change: Change) -> Written:
        """Apply the change to the live session under key, atomically, and acknowledge it.

        Raises SessionGone, SessionConflict or SessionRefused when nothing was changed.
        """

    def destroy(self, key: bytes) -> None:
        """End the session under key, if one lives; the key never works again."""

    def sessions_of_user(self, user: str) -> list[Listed]:
        """Return all live sessions of the user, in no order."""

    def end_one_of_user(self, user: str, key: bytes) -> bool:
        """End the session under key if it lives and is the user's, atomically; return whether it was."""

    def end_user(self, user: str) -> int:
        """End every live session of the user and return how many there were."""

    def clean(self) -> int:
        """Remove every expired session and no other; return how many rows went.

        A handler may keep expired rows for a grace that it was given; they are dead all the same.
        Raises SessionConflict when another cleaner is at work: it does the same.
        """

    def close(self) -> None:
        """Give back what the request borrowed. Safe twice; never raises."""
