"""Logins and endings of sessions with their security events, for the API and for the page."""

from __future__ import annotations

import events
from hopproof.session import Session


def log_in(session: Session, user: str) -> None:
    """Make the session the user's, under a new key."""
    before = session.key
    session.login(user)
    events.record("login", session.key, user=user, before=before)


def log_out(session: Session) -> None:
    """End the session, if there is one."""
    key = session.key
    session.destroy()
    if key is not None:
        # Without the user: his name would cost a query. The login's line with this key has it.
        events.record("logout", key)


def log_out_everywhere(session: Session) -> int:
    """End all sessions of the user who is logged in; return how many."""
    key, user = session.key, session.user
    ended = session.destroy_all_of_user()
    events.record("logout-everywhere", key, user=user, ended=ended)
    return ended


def end_one(session: Session, key: bytes) -> bool:
    """End one session of the user who is logged in; return whether it lived and was the user's."""
    user = session.user
    is_ended = session.destroy_one_of_user(key)
    if is_ended:
        events.record("session-ended", key, user=user)
    return is_ended
