"""Security events, one line each in the server's log. The request id joins them to the balancer's line.

No line has an id of a session: a key is told by its first 12 digits, as in the operators' tool.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

log = logging.getLogger(__name__)

LONGEST = 200  # characters of a text that a visitor has chosen


def record(event: str, key: bytes | None = None, **facts: bytes | str | int | None) -> None:
    """Write the line of an event. key: of the session that it is about.

    A fact in bytes is a key, too. A fact that is None is left out.
    """
    told = {"event": event, "key": key, **facts}
    log.info(event, extra={"facts": {name: _shown(fact) for name, fact in told.items()}})


def _shown(fact: bytes | str | int | None) -> str | int | None:
    if isinstance(fact, bytes):
        return fact.hex()[:12]
    return fact[:LONGEST] if isinstance(fact, str) else fact


def unknown_ids(count: Callable[[], None]) -> Callable[[bytes], None]:
    """Return the function that notes a cookie without a live session, by its key, and counts it."""

    def note(key: bytes) -> None:
        count()
        record("unknown-id", key)

    return note
