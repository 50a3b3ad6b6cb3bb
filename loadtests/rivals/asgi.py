"""The store named by PEER as an ASGI application, with the headers and checks for the balancer.

wsgi.py is the same for the stores of WSGI.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.responses import Response

from rivals.probe import SERVER

store = import_module(f"rivals.{os.environ['PEER'].replace('-', '_')}")

Message = dict[str, Any]


async def application(scope: Message, receive: Any, send: Callable[[Message], Awaitable[None]]) -> None:
    """Sign every answer of the store, and answer health checks without it."""

    async def send_signed(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["X-Served-By"] = SERVER
            headers["Cache-Control"] = "no-store"
        await send(message)

    is_check = scope.get("path") in ("/healthz", "/readyz")
    await (Response() if is_check else store.application)(scope, receive, send_signed)
