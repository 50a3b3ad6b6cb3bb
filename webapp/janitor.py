"""Removes expired sessions on a schedule, outside any request.

PHP cleans at random inside requests instead (session.gc_probability): a visitor waits for it, and a quiet
site is not cleaned. Several janitors may run: the handler lets one clean at a time.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable

from prometheus_client import Counter, Gauge, Summary, start_http_server

import log
from config import read_config
from hopproof.handler import SessionConflict, SessionHandler, SessionStoreUnavailable
from store import janitor_handlers

logger = logging.getLogger("janitor")

# The port for Prometheus, inside the network only.
METRICS_PORT = 9100

REMOVED = Counter("hopproof_janitor_removed_rows", "Expired rows that were removed.")
PASSES = Counter("hopproof_janitor_passes", "Passes, by how they ended: done, skipped, failed.", ["outcome"])
PASS_SECONDS = Summary("hopproof_janitor_pass_duration_seconds", "How long the passes took that were done.")
LAST_PASS = Gauge(
    "hopproof_janitor_last_pass_timestamp_seconds", "When the last pass ended that was done; 0: none was."
)
PERIOD = Gauge("hopproof_janitor_period_seconds", "Seconds between two passes, as it is set.")
MAY_CLEAN = Gauge("hopproof_janitor_may_clean", "1 within the hours in which it works.")
# All three start at 0: a rate needs a value from before the first pass.
DONE, SKIPPED, FAILED = (PASSES.labels(outcome) for outcome in ("done", "skipped", "failed"))


def clean_every(
    period_s: float,
    new_handler: Callable[[], SessionHandler],
    stop: threading.Event,
    may_clean: Callable[[], bool] = lambda: True,
) -> None:
    """Clean now and once a period, if may_clean, until `stop` is set. An outage is logged, never fatal."""
    while not stop.is_set():
        is_time = may_clean()
        MAY_CLEAN.set(is_time)
        if is_time:
            clean_once(new_handler())
        stop.wait(period_s)


def clean_once(handler: SessionHandler) -> None:
    started = time.monotonic()
    handler.open()
    try:
        removed = handler.clean()
        seconds = time.monotonic() - started
        logger.info("removed %d expired sessions in %.2f s", removed, seconds)
        REMOVED.inc(removed)
        PASS_SECONDS.observe(seconds)
        LAST_PASS.set_to_current_time()
        DONE.inc()
    except SessionConflict as elsewhere:
        logger.info("skipped: %s", elsewhere)
        SKIPPED.inc()
    except SessionStoreUnavailable as error:
        logger.error("could not clean, trying again: %s", error)
        FAILED.inc()
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

    # In a thread, not in a signal handler: a handler that interrupts stop.wait() at the wrong moment would
    # wait for ever, for a lock that its own thread holds.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    threading.Thread(target=stop_when_told, daemon=True).start()
    PERIOD.set(config.janitor_period_s)
    try:
        start_http_server(METRICS_PORT)
    except OSError as error:  # a second janitor in one container, started by hand: cleaning matters more
        logger.warning("this janitor has no metrics, as port %d is taken: %s", METRICS_PORT, error)
    # Asked between two batches as well: on a large table a pass takes longer than its window, or than a stop.
    new_handler = janitor_handlers(config, should_continue=lambda: may_clean() and not stop.is_set())
    clean_every(config.janitor_period_s, new_handler, stop, may_clean)


if __name__ == "__main__":
    main()
