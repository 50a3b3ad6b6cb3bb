"""Health, readiness and metrics: for the balancer, for Prometheus and for people."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bottle import Bottle, request, response
from prometheus_client import CONTENT_TYPE_LATEST

from hopproof.handler import Json
from metrics import Metrics
from problem import refused

HEALTH = ("/healthz", "/readyz", "/healthz/store")


def once_a_second(ask: Callable[[], bool], now: Callable[[], float] = time.monotonic) -> Callable[[], bool]:
    """Return a function that repeats the answer of `ask` for a second.

    /healthz/store is public, and each question costs the store a query. Callers that come meanwhile wait.
    """
    lock = threading.Lock()
    kept: list[tuple[float, bool]] = []

    def answer() -> bool:
        with lock:
            if not kept or now() - kept[0][0] >= 1:
                said = ask()
                kept[:] = [(now(), said)]
            return kept[0][1]

    return answer


@dataclass(frozen=True, slots=True)
class Server:
    """The state of a server that its answers tell: its name, and whether it takes visitors."""

    name: str
    has_started: Callable[[], bool]
    is_draining: Callable[[], bool]
    store_answers: Callable[[], bool]

    def health(self, path: str) -> dict[str, Json]:
        """Return the answer to a question about this server's health. Raises its problem."""
        # Never asks the database: a dependency that all servers share must not take them all out.
        if path == "/readyz" and self.is_draining():
            raise refused(404, "draining", "This server finishes what it has and takes nothing new.")
        if path == "/readyz" and not self.has_started():
            raise refused(503, "starting", "This server is not ready yet.", retry_after_s=1)
        if path == "/healthz/store" and not self.store_answers():
            raise refused(503, "store-unavailable", "The session table does not answer.", retry_after_s=1)
        if path not in HEALTH:
            raise refused(404, "not-found", "There is nothing here; the page is on other servers.")
        return {"server": self.name}


def add_health(app: Bottle, server: Server) -> None:
    for path in HEALTH:
        app.get(path, callback=partial(server.health, path))


def add_metrics(app: Bottle, metrics: Metrics, store_answers: Callable[[], bool]) -> None:
    @app.get("/metrics")
    def show_metrics() -> bytes:
        # The balancer refuses visitors this exact path. Bottle would take other spellings of it, too.
        if request.environ["RAW_URI"] != "/metrics":
            raise refused(404, "not-found", "Spell it /metrics.")
        response.content_type = CONTENT_TYPE_LATEST
        return metrics.exposition(store_answers())
