"""The session handler: six verbs, the values they exchange, and how they fail.

The verbs are those of PHP's session_set_save_handler (open, close, read, write, destroy, gc), with one
difference that everything rests on: write takes the *change* that a request made, never the whole session.
A server that writes back a whole session also writes back what another server has changed in the meantime.

A handler knows 32-byte keys, JSON values and seconds. It knows no cookie, request, framework or environment.
A key is the SHA-256 of a session id. A name is a top-level entry of a session's data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Literal, Protocol

from . import limits

Reason = Literal["not-i-json", "too-large", "wrong-type"]

# A JSON value as Python spells it. Exact types only: a tuple would come back as a list.
Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


class Nobody(Enum):
    """The type of NOBODY: as the user of a Change it makes the session anonymous."""

    NOBODY = "nobody"


NOBODY: Final = Nobody.NOBODY


class SessionError(Exception):
    """A verb could not do what it says. The subclasses say why."""


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
    """The row under the key breaks the row contract, so nothing was changed. destroy still ends it."""

    def __init__(self, key: bytes) -> None:
        super().__init__(f"the row of session {key.hex()} breaks the row contract")
        self.key = key


class SessionConflict(SessionError):
    """Another request was faster: the version moved on, the new key is taken, or a cleaner is at work."""


class SessionRefused(SessionError):
    """The change cannot be stored as it is, so nothing was changed.

    name is the entry at fault, None if the session as a whole is too large.
    """

    def __init__(self, reason: Reason, name: str | None, explanation: str) -> None:
        super().__init__(explanation)
        self.reason = reason
        self.name = name

    @classmethod
    def too_large(cls, max_bytes: int) -> SessionRefused:
        return cls("too-large", None, f"the session would exceed {max_bytes} bytes")

    @classmethod
    def not_countable(cls, name: str, n: int) -> SessionRefused:
        return cls("wrong-type", name, f"{n} cannot be added to the value of {name!r}")

    @classmethod
    def not_a_list(cls, name: str) -> SessionRefused:
        return cls("wrong-type", name, f"{name!r} holds no list")


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """When a session ends by itself. Seconds on the store's clock, never a server's.

    anonymous_idle_s: the idle timeout of a session without a user; None: the same as with one.
    """

    idle_s: int = limits.IDLE_S
    absolute_s: int = limits.ABSOLUTE_S
    tombstone_s: int = limits.TOMBSTONE_S
    anonymous_idle_s: int | None = None

    def idle_of(self, user: str | None) -> int:
        """Return the idle timeout of a session of this user."""
        return self.idle_s if user is not None or self.anonymous_idle_s is None else self.anonymous_idle_s


def size_limit(user: str | None, max_bytes: int, anonymous_max_bytes: int | None) -> int:
    """Return the most bytes in a session of this user. anonymous_max_bytes None: the same without a user."""
    return max_bytes if user is not None or anonymous_max_bytes is None else anonymous_max_bytes


@dataclass(frozen=True, slots=True)
class Stored:
    """A live session as it was read.

    ttl_s: seconds until it expires. extendable_s: seconds by which a touch would extend that now,
    0 when the absolute timeout leaves nothing to extend.
    """

    data: dict[str, Json]
    version: int
    user: str | None
    ttl_s: int
    extendable_s: int


@dataclass(frozen=True, slots=True)
class Change:
    """The change of one request to a session, applied as a whole or not at all.

    set, remove: entries by their names. add: (name, n) adds n to an integer, an absent one counts
    as 0. append: (name, value) appends to a list, an absent one counts as empty.
    A name may occur in one of the four only.
    user: the user that the session belongs to from now on; NOBODY for none; None keeps the user.
    A new user does not get the data of another one: they are left behind, and the session begins empty.
    create: the key is new; there is no session under it yet.
    rotate_to: the new key of the session. The old key is ended.
    expected_version: refuse with SessionConflict unless this is still the version.
    An empty change is a touch: it extends the expiry and nothing else. With create it makes an empty session.
    """

    set: Mapping[str, Json] = field(default_factory=dict)
    remove: frozenset[str] = frozenset()
    add: tuple[str, int] | None = None
    append: tuple[str, Json] | None = None
    user: str | Nobody | None = None
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
            raise ValueError("a name occurs twice in one change; write twice")
        if self.create and (self.rotate_to is not None or self.expected_version is not None):
            raise ValueError("a session that does not exist yet has no old key and no version")
        if isinstance(self.user, str) and not 1 <= len(self.user.encode()) <= limits.MAX_USER_BYTES:
            raise ValueError(f"a user is 1 to {limits.MAX_USER_BYTES} bytes of UTF-8")

    @property
    def is_touch(self) -> bool:
        return self == _TOUCH

    def user_after(self, before: str | None) -> str | None:
        """Return the session's user after the change."""
        if self.user is None:
            return before
        return self.user if isinstance(self.user, str) else None

    def leaves_data_behind(self, before: str | None) -> bool:
        """Return whether another user takes over a session of this one, so that its data are dropped."""
        return isinstance(self.user, str) and before not in (None, self.user)


_TOUCH = Change()


@dataclass(frozen=True, slots=True)
class Listed:
    """One of a user's live sessions, as the user may see it: no id, no data.

    age_s: seconds since the login, or since the creation if that came later.
    unused_s: seconds without a request, at most. Requests that only read extend the expiry at most once
    per touch interval, and near the absolute timeout not at all.
    """

    key: bytes
    age_s: int
    unused_s: int


class SessionHandler(Protocol):
    """Keeps sessions. One instance serves one request, between open and close.

    Every verb but close may raise SessionStoreUnavailable, read and write SessionBroken.
    """

    def open(self) -> None:
        """Get ready for a request. Borrows nothing yet: an untouched session costs nothing.

        It may be opened again after close, to read once more.
        """

    def read(self, key: bytes) -> Stored | None:
        """Return what was last written under key, or None if it is unknown, expired or ended.

        None is an answer, never a failure: the caller acts on the answer, so a
        failure that looks like "empty" would log visitors out.
        """

    def write(self, key: bytes, change: Change) -> int | None:
        """Apply the change to the live session under key, atomically, and acknowledge it.

        Return the new count of add, the new length of append, else None. Every change but a touch raises
        the version by 1. Raises SessionGone, SessionConflict or SessionRefused when nothing was changed.
        """

    def destroy(self, key: bytes) -> None:
        """End the session under key, if one lives; the key never works again."""

    def clean(self) -> int:
        """Remove every expired session and no other; return how many rows went.

        A handler may keep expired rows for a grace period; they are dead all the same.
        Raises SessionConflict while another cleaner is at work.
        """

    def close(self) -> None:
        """Give back what the request borrowed. Safe to call twice; never raises."""


class UserSessions(Protocol):
    """Four more verbs: a user's own list of sessions, and "log out everywhere". A handler may lack them."""

    def sessions_of_user(self, user: str) -> list[Listed]:
        """Return the live sessions of the user, in no order; MAX_LISTED of them if there are more."""

    def end_one_of_user(self, user: str, key: bytes) -> bool:
        """End the session under key if it lives and is the user's, atomically; return whether it did."""

    def end_user(self, user: str) -> int:
        """End every live session of the user and return how many there were.

        A store may do it in several steps. Then some may have ended when it raises SessionStoreUnavailable,
        and a second call ends the others.
        """

    def end_oldest_of_user(self, user: str, keep: int, key: bytes) -> int:
        """End the user's oldest sessions until so many live ones are left, the one under key among them.

        Return how many ended: at most MAX_ENDED_AT_ONCE, so the next call may find more.
        """


class ListingHandler(SessionHandler, UserSessions, Protocol):
    """A handler with all ten verbs."""
