"""Composition root of `make dev`: the same app on the memory handler, in one process."""

from __future__ import annotations

import log
from app import build_app
from metrics import Metrics
from plugin import Cookie, SessionPlugin
from sessions.memory import MemoryHandler

log.to_stdout()
handler = MemoryHandler()
metrics = Metrics()
application = build_app(
    SessionPlugin(lambda: handler, Cookie(), on_error=metrics.count_error),
    server="web-dev",
    is_draining=lambda: False,
    store_answers=lambda: True,
    metrics=metrics,
)
