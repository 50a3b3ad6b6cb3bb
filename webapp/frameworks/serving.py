"""Config → handlers → a server of another framework, and what each of its answers has besides."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable
from typing import Any

import events
import log
from app import signed
from config import DRAINING, read_config
from health import Server, once_a_second
from hopproof.web import Cookie
from store import answers, connected, lifetimes, web_handlers

log.to_stdout()
config = read_config(os.environ)
new_handler = web_handlers(config)
# Behind TLS the name has the prefix __Host-, which no framework adds by itself.
cookie_name = Cookie(config.session_cookie, secure=config.session_cookie_secure).full_name
# The options that each adapter has.
options: dict[str, Any] = {
    "lifetimes": lifetimes(config),
    "touch_after_s": config.session_touch_s,
    "sessions_per_user": config.sessions_per_user,
    "on_unknown": events.unknown_ids(lambda: None),
}


def server_of(kind: str) -> Server:
    """Return this server, a flask-…, django-… or fastapi-…, and connect to the store."""
    return Server(
        f"{kind}-{socket.gethostname()}",
        has_started=connected(new_handler).is_set,
        is_draining=DRAINING.exists,
        store_answers=once_a_second(lambda: answers(new_handler)),
    )


def signed_wsgi(app: Callable[..., Iterable[bytes]], server: Server) -> Callable[..., Iterable[bytes]]:
    """Return the WSGI application with the server's name on every answer, and the request's id in its log."""
    signing = signed(app, server.name, lambda environ, status, seconds: None)  # type: ignore[arg-type]

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        log.request_id.set(environ.get("HTTP_X_REQUEST_ID"))
        return signing(environ, start_response)

    return application
