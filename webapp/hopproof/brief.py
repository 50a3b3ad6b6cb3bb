"""A handler for sessions outside of requests, and beside an event loop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, cast

from .handler import SessionHandler


class BriefHandler:
    """Another handler, opened and closed around each verb, so that nothing stays borrowed between two.

    Its time budget is one of each verb, then, and no longer one of the request. Threads may share it.
    """

    def __init__(self, handler: SessionHandler, check: Callable[[], None]) -> None:
        """check: called before each verb; raises where the store must not be asked."""
        self._handler = handler
        self._check = check
        self._lock = threading.Lock()

    def open(self) -> None:
        """Do nothing: each verb opens the handler."""

    def close(self) -> None:
        """Do nothing: each verb has closed the handler."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        verb = getattr(self._handler, name)  # AttributeError of a handler that lacks the verb

        def ask(*arguments: Any) -> Any:
            self._check()
            with self._lock:
                self._handler.open()
                try:
                    return verb(*arguments)
                finally:
                    self._handler.close()

        return ask


def brief(
    new_handler: Callable[[], SessionHandler], check: Callable[[], None]
) -> Callable[[], SessionHandler]:
    """Return a function that makes brief handlers of those that new_handler makes."""
    return lambda: cast(SessionHandler, BriefHandler(new_handler(), check))
