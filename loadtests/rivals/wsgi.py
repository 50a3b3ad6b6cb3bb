"""The store named by PEER as a WSGI application, with the headers and checks for the balancer.

`python -m rivals.wsgi` creates the store's tables instead, if it has any, once, before any server starts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

from config import DRAINING
from rivals.probe import SERVER

store = import_module(f"rivals.{os.environ['PEER'].replace('-', '_')}")


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Sign every answer of the store, and answer health checks without it."""

    def start_signed(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        return start_response(
            status, [*headers, ("X-Served-By", SERVER), ("Cache-Control", "no-store")], exc_info
        )

    if environ["PATH_INFO"] in ("/healthz", "/readyz"):
        is_draining = environ["PATH_INFO"] == "/readyz" and DRAINING.exists()
        start_signed("404 Not Found" if is_draining else "200 OK", [("Content-Length", "0")])
        return []
    return store.application(environ, start_signed)


if __name__ == "__main__":
    getattr(store, "create_tables", lambda: None)()
