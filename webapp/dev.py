"""Composition root of `make dev`: the same app on the memory handler, in one process."""

from __future__ import annotations

import log
from app import build_app
from hopproof.bottle import SessionPlugin
from hopproof.memory import MemoryHandler
from metrics import Metrics
from problem import ProblemError

log.to_stdout()
handler = MemoryHandler()
metrics = Metrics()
application = build_app(
    SessionPlugin(lambda: handler, on_error=metrics.count_error, answer_problem=ProblemError),
    server="web-dev",
    has_started=lambda: True,
    is_draining=lambda: False,
    store_answers=lambda: True,
    metrics=metrics,
)
