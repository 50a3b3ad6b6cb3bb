"""Removes expired sessions on a schedule, outside any request.

PHP rolls dice inside requests instead; then a visitor waits for the broom, and on a quiet
site nobody sweeps. Several janitors may run: the handler lets one clean at a time.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable

import log
from config import read_config
from sessions.handler import SessionHandler, SessionStoreUnavailable
from store import janitor_handlers

logger = logging.getLogger("janitor")


def clean_every(period_s: float, new_handler: Callable[[], SessionHandler], stop: threading.Event) -> None:
    """Clean now and then once a period until `stop` is set. An outage is logged, never fatal."""
    while not stop.is_set():
        started = time.monotonic()
        handler = new_handler()
        handler.open()
        try:
            removed = handler.clean()
            logger.info("removed %d expired sessions in %.2f s", removed, time.monotonic() - started)
        except SessionStoreUnavailable as error:
            logger.error("could not clean, trying again in %d s: %s", period_s, error)
        finally:
            handler.close()
        stop.wait(period_s)


def main() -> None:
    log.to_stdout()
    config = read_config(os.environ)
    stop = threading.Event()

    def stop_when_told() -> None:
        signal.sigwait({signal.SIGTERM})
        stop.set()

    # In a thread, not in a signal handler: a handler that interrupts stop.wait() at the wrong moment waits
    # for a lock that its own thread holds, for ever.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    threading.Thread(target=stop_when_told, daemon=True).start()
    clean_every(config.janitor_period_s, janitor_handlers(config), stop)


if __name__ == "__main__":
    main()
