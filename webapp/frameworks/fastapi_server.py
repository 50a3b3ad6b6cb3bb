"""FastAPI in uvicorn: python -m frameworks.fastapi_server."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from threading import Thread
from types import FrameType
from typing import Any

import uvicorn
from starlette.datastructures import MutableHeaders

import log
from config import DRAINING
from frameworks.fastapi_site import build_app
from frameworks.serving import config, cookie_name, new_handler, options, server_of

# As in gunicorn.conf.py, which says why: the balancer's checks to wait for, and how long without any.
LAST_CHECK = 3
UNASKED_S = 3

Message = dict[str, Any]


class Signed:
    """The ASGI application with the server's name on every answer, and the request's id in its log."""

    def __init__(self, app: Callable[..., Awaitable[None]], name: str) -> None:
        self.app = app
        self.name = name

    async def __call__(
        self, scope: Message, receive: Any, send: Callable[[Message], Awaitable[None]]
    ) -> None:
        for name, value in scope.get("headers", ()):
            if name == b"x-request-id":
                log.request_id.set(value.decode("latin-1"))

        async def send_signed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Served-By"] = self.name
                headers["Cache-Control"] = "no-store"
                headers["X-Content-Type-Options"] = "nosniff"
            await send(message)
            is_refused_check = scope.get("path") == "/readyz" and message.get("status") == 404
            if is_refused_check and scope["client"][0] != "127.0.0.1":
                with DRAINING.open("ab") as checks:
                    checks.write(b".")

        await self.app(scope, receive, send_signed)


class DrainingServer(uvicorn.Server):
    """uvicorn with a pause between SIGTERM and the stop, while the balancer still sends."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        DRAINING.touch()
        Thread(target=self._stop_when_drained, daemon=True).start()

    def _stop_when_drained(self) -> None:
        checks, asked_at = 0, time.monotonic()
        while checks < LAST_CHECK and time.monotonic() < asked_at + UNASKED_S:
            time.sleep(0.1)
            if (heard := DRAINING.stat().st_size) > checks:
                checks, asked_at = heard, time.monotonic()
        self.should_exit = True


def main() -> None:
    DRAINING.unlink(missing_ok=True)
    server = server_of("fastapi")
    app = build_app(
        new_handler,
        server,
        session_cookie=cookie_name,
        max_age=config.session_cookie_max_age_s,
        https_only=config.session_cookie_secure,
        threads=64,  # requests that the balancer sends at once (SERVER_MAXCONN)
        **options,
    )
    DrainingServer(
        uvicorn.Config(
            Signed(app, server.name),
            host="0.0.0.0",
            port=8000,
            access_log=False,  # the balancer logs every request
            log_config=None,
            # The balancer closes unused connections within seconds, and has to be first.
            timeout_keep_alive=3600,
            proxy_headers=False,
            server_header=False,
            h11_max_incomplete_event_size=65536,
        )
    ).run()


if __name__ == "__main__":
    main()
