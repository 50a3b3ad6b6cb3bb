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
from sessions.handler import SessionConflict, SessionHandler, SessionStoreUnavailable
from store import janitor_handlers

logger = logging.getLogger("janitor")


def clean_every(
    period_s: float,
    new_handler: Callable[[], SessionHandler],
    stop: threading.Event,
    may_clean: Callable[[], bool] = lambda: True,
) -> None:
    """Clean now and then once a period, if it may, until `stop` is set. An outage is logged, never fatal."""
    while not stop.is_set():
        if may_clean():
            clean_once(new_handler())
        stop.wait(period_s)


def clean_once(handler: SessionHandler) -> None:
    started = time.monotonic()
    handler.open()
    try:
        removed = handler.clean()
        logger.info("removed %d expired sessions in %.2f s", removed, time.monotonic() - started)
    except SessionConflict as elsewhere:
        logger.info("skipped: %s", elsewhere)
    except SessionStoreUnavailable as error:
        logger.error("could not clean, trying again: %s", error)
    finally:
        handler.close()


def main() -> None:
    log.to_stdout()
    config = read_config(os.environ)
    stop = threading.Event()

    def may_clean() -> bool:
        return config.janitor_window is None or config.janitor_window.include(time.gmtime().tm_hour)

    def stop_when_told() -> None:
        signal.sigwait({signal.SIGTERM})
        stop.set()

    # In a thread, not in a signal handler: a handler that interrupts stop.wait() at the wrong moment waits
    # for a lock that its own thread holds, for ever.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    threading.Thread(target=stop_when_told, daemon=True).start()
    # Asked between two batches as well: on a large table a pass takes longer than its window, or than a stop.
    new_handler = janitor_handlers(config, goes_on=lambda: may_clean() and not stop.is_set())
    clean_every(config.janitor_period_s, new_handler, stop, may_clean)


if __name__ == "__main__":
    main()
