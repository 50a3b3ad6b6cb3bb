"""Security events, one line each in the server's log. The request id joins them to the balancer's line.

No line has an id of a session: a key is told by its first 12 digits, as in the operators' tool.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

log = logging.getLogger(__name__)

LONGEST = 200  # characters of a text that a visitor has chosen


def record(event: str, key: bytes | None = None, **facts: str | int | None) -> None:
    """Write the line of an event. key: of the session that it is about. A fact that is None is left out."""
    told = {"event": event, "key": key.hex()[:12] if key else None, **facts}
    shown = {name: fact[:LONGEST] if isinstance(fact, str) else fact for name, fact in told.items()}
    log.info(event, extra={"facts": shown})


def unknown_ids(count: Callable[[], None]) -> Callable[[bytes], None]:
    """Return the function that notes a cookie without a live session, by its key, and counts it."""

    def note(key: bytes) -> None:
        count()
        record("unknown-id", key)

    return note
