"""Metrics of a web server for Prometheus: requests, their durations, and errors of the session handler.

Counting costs a request 9 µs of CPU, of some 350; docs/performance.md says how that was measured.
"""

from __future__ import annotations

import fcntl
import os
import re
from itertools import count
from pathlib import Path
from typing import IO, Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector

from hopproof.handler import (
    SessionBroken,
    SessionConflict,
    SessionError,
    SessionGone,
    SessionRefused,
    SessionStoreUnavailable,
)

ERROR_KINDS: dict[type[SessionError], str] = {
    SessionStoreUnavailable: "unavailable",
    SessionGone: "gone",
    SessionConflict: "conflict",
    SessionRefused: "refused",
    SessionBroken: "broken",
}

# Seconds. Close together where reads and writes lie (5 to 25 ms), and up to the time budget and beyond.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)

# Visitors could make up others, and each would be one more series for ever.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

# Written by hand: the library would keep a gauge per process, but this is one answer per scrape.
STORE_ANSWERS = """# HELP hopproof_store_answers 1 if the session store answered, a second ago at most.
# TYPE hopproof_store_answers gauge
hopproof_store_answers {:d}
"""


class Metrics:
    """The counts of one server: of this process, or of all processes that share the folder.

    A process keeps its counts in files under a number that it holds a lock on. When it dies, the
    kernel frees the number and the next process goes on counting there: no count is lost, none
    goes back, and there are never more files than processes that run at once.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        if folder is not None:
            folder.mkdir(exist_ok=True)
            number, self._lock = _free_number(folder)
            # The library takes the folder, and a name instead of the process id, in no other way.
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
            values.ValueClass = values.MultiProcessValue(lambda: number)
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "hopproof_requests",
            "Requests answered, by route as it is written in the code.",
            ["route", "method", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "hopproof_request_duration_seconds",
            "From the request's arrival in the app to its answer.",
            ["route", "method"],
            buckets=BUCKETS,
            registry=self._registry,
        )
        errors = Counter(
            "hopproof_session_errors",
            "Requests that ended in an error of the session handler, by kind.",
            ["kind"],
            registry=self._registry,
        )
        # All kinds start at 0: a rate needs a value from before the first error.
        self._errors = {error: errors.labels(kind) for error, kind in ERROR_KINDS.items()}
        self._unknown = Counter(
            "hopproof_unknown_ids",
            "Requests with a cookie without a live session: made up, expired or ended.",
            registry=self._registry,
        )
        self._known: dict[tuple[Any, str, str], tuple[Counter, Histogram]] = {}

    def count_request(self, environ: dict[str, Any], status: str, seconds: float) -> None:
        """Count an answer. status: as in WSGI, like "200 OK"."""
        # Found by Bottle's route object: a look-up by labels takes as long as counting.
        seen = (environ.get("bottle.route"), environ["REQUEST_METHOD"], status)
        series = self._known.get(seen)
        if series is None:
            series = self._series(*seen)
        series[0].inc()
        series[1].observe(seconds)

    def count_error(self, error: SessionError) -> None:
        self._errors[type(error)].inc()

    def count_unknown(self) -> None:
        self._unknown.inc()

    def exposition(self, store_answers: bool) -> bytes:
        """Return everything in Prometheus's text format, and whether the store has just answered."""
        registry = self._registry
        if self._folder is not None:
            registry = CollectorRegistry()
            MultiProcessCollector(registry, str(self._folder))
        return generate_latest(registry) + STORE_ANSWERS.format(store_answers).encode()

    def _series(self, route: Any, method: str, status: str) -> tuple[Counter, Histogram]:
        # Without a route nothing bounds the methods that visitors send, so they are not remembered.
        rule = re.sub("<.*>", "<key>", route.rule) if route is not None else "none"
        method = method if method in METHODS else "other"
        series = self._requests.labels(rule, method, status[:3]), self._seconds.labels(rule, method)
        if route is not None:
            self._known[route, method, status] = series
        return series


def _free_number(folder: Path) -> tuple[int, IO[bytes]]:
    """Return the smallest number that no living process holds, and the file whose lock holds it."""
    for number in count():
        held = (folder / f"{number}.lock").open("wb")
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held.close()
        else:
            return number, held
    raise AssertionError("numbers do not end")
