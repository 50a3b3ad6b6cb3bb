"""Composition root: config → handler → plugin → app. The only file that knows them all."""

from __future__ import annotations

import os
import socket

import events
import log
from app import build_app
from config import DRAINING, METRICS, read_config
from health import once_a_second
from hopproof.bottle import SessionPlugin
from hopproof.web import Cookie
from metrics import Metrics
from problem import ProblemError
from store import answers, connected, web_handlers

log.to_stdout()
config = read_config(os.environ)
new_handler = web_handlers(config)
metrics = Metrics(METRICS)


application = build_app(
    SessionPlugin(
        new_handler,
        Cookie(config.session_cookie, config.session_cookie_max_age_s, config.session_cookie_secure),
        config.session_touch_s,
        metrics.count_error,
        ProblemError,
        config.sessions_per_user,
        events.unknown_ids(metrics.count_unknown),
    ),
    # The container's own id. A slot name of the balancer would pass to the next container.
    server=f"web-{socket.gethostname()}",
    has_started=connected(new_handler).is_set,
    is_draining=DRAINING.exists,
    store_answers=once_a_second(lambda: answers(new_handler)),
    metrics=metrics,
)
