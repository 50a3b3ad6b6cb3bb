"""The application put together, and what every answer of it has: server, headers, one shape for errors."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

from bottle import Bottle, HTTPError, request, response

from body import MAX_BODY_BYTES
from header import header
from health import Server, add_health, add_metrics
from hopproof.bottle import SessionPlugin
from hopproof.web import PROBLEM_JSON, Problem
from metrics import Metrics
from origin import check_origin
from page import CONTENT_SECURITY_POLICY, add_page, error_page
from probe import add_probe_api
from problem import ProblemError


def build_app(
    plugin: SessionPlugin,
    server: str,
    has_started: Callable[[], bool],
    is_draining: Callable[[], bool],
    store_answers: Callable[[], bool],
    metrics: Metrics,
) -> Callable[..., Iterable[bytes]]:
    """Return the WSGI application that calls itself `server` in every answer, and counts what it answers."""
    app = Bottle()
    app.install(plugin)
    add_probe_api(app, server)
    add_health(app, Server(server, has_started, is_draining, store_answers))
    add_metrics(app, metrics, store_answers)
    add_page(app, server)
    app.add_hook("before_request", refuse_cross_site)
    app.default_error_handler = show_error  # type: ignore[method-assign]
    return signed(app, server, metrics.count_request)


def show_error(error: HTTPError) -> str:
    """Return the body of an error: a page for a person, problem JSON for a program."""
    if isinstance(error, ProblemError):
        problem = error.problem
    else:
        title = error.status_line.partition(" ")[2].lower().replace(" ", "-")
        problem = Problem(error.status_code, title, str(error.body))
    wants_page = "text/html" in (header("Accept") or "") and not request.path.startswith("/api/")
    response.content_type = "text/html; charset=UTF-8" if wants_page else PROBLEM_JSON
    return error_page(problem) if wants_page else problem.to_json()


def refuse_cross_site() -> None:
    """Refuse a request that another site makes a visitor's browser send. Raises a 403 problem."""
    check_origin(request.method, header, request.environ["wsgi.url_scheme"])


def unchunk(environ: dict[str, Any]) -> None:
    """Give a chunked body a length. gunicorn has joined the chunks, and Bottle would try to do so again."""
    if "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
        del environ["HTTP_TRANSFER_ENCODING"]
        body = environ["wsgi.input"].read(MAX_BODY_BYTES + 1)
        environ["wsgi.input"] = BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))


def signed(
    app: Bottle, server: str, count_request: Callable[[dict[str, Any], str, float], None]
) -> Callable[..., Iterable[bytes]]:
    """Return the application with the server's name, and limits for browsers, on every answer.

    Around Bottle and not a hook in it: no answer gets past this, uncounted.
    """
    signature = [
        ("X-Served-By", server),
        ("Cache-Control", "no-store"),
        ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "same-origin"),
    ]

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        began = time.perf_counter()
        unchunk(environ)

        def start_signed(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            # The route has run: Bottle starts an answer only when it is complete.
            count_request(environ, status, time.perf_counter() - began)
            # no-store is stricter than the session's private.
            others = [header for header in headers if header[0] != "Cache-Control"]
            return start_response(status, [*others, *signature], exc_info)

        return app(environ, start_signed)

    return application
