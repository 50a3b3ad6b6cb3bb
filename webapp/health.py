"""Health, readiness and metrics: for the balancer, for Prometheus and for people."""

from __future__ import annotations

from collections.abc import Callable

from bottle import Bottle, request, response
from prometheus_client import CONTENT_TYPE_LATEST

from hopproof.handler import Json
from metrics import Metrics
from problem import refused


def add_health(
    app: Bottle, server: str, is_draining: Callable[[], bool], store_answers: Callable[[], bool]
) -> None:
    @app.get("/healthz")
    def alive() -> dict[str, Json]:
        return {"server": server}

    @app.get("/readyz")
    def ready() -> dict[str, Json]:
        # Never asks the database: a dependency that all servers share must not take them all out.
        if is_draining():
            raise refused(404, "draining", "This server finishes what it has and takes nothing new.")
        return {"server": server}

    @app.get("/healthz/store")
    def store() -> dict[str, Json]:
        if not store_answers():
            raise refused(503, "store-unavailable", "The session table does not answer.", retry_after_s=1)
        return {"server": server}


def add_metrics(app: Bottle, metrics: Metrics, store_answers: Callable[[], bool]) -> None:
    @app.get("/metrics")
    def show_metrics() -> bytes:
        # The balancer refuses visitors this exact path. Bottle would take other spellings of it, too.
        if request.environ["RAW_URI"] != "/metrics":
            raise refused(404, "not-found", "Spell it /metrics.")
        response.content_type = CONTENT_TYPE_LATEST
        return metrics.exposition(store_answers())
