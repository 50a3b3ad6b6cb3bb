"""The probe API in Flask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask, Response, jsonify, request, session
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter

from frameworks.probe import Asked, respond
from health import Server
from hopproof.flask import Hopproof
from hopproof.handler import SessionHandler
from hopproof.web import PROBLEM_JSON, Problem
from problem import ProblemError

METHODS = ["GET", "PUT", "DELETE", "POST"]


class Anything(BaseConverter):
    """Any path. Flask's own converter for paths takes no line break, which a name may have."""

    regex = r"[\s\S]*"
    part_isolating = False


def build_app(
    new_handler: Callable[[], SessionHandler],
    server: Server,
    config: Mapping[str, Any] | None = None,
    **options: Any,
) -> Flask:
    """Return the application. config: of Flask. options: of Hopproof, which judges the config."""
    app = Flask(__name__, static_folder=None)
    app.config.update(config or {})
    app.url_map.merge_slashes = False  # a name may have two
    app.url_map.converters["anything"] = Anything
    Hopproof(app, new_handler, **options)
    app.register_error_handler(ProblemError, lambda error: answer(error.problem))
    app.register_error_handler(HTTPException, not_routed)

    @app.route("/<anything:path>", methods=METHODS)
    def serve(path: str) -> Response:
        asked = Asked(
            request.method,
            request.environ["RAW_URI"],
            request.headers.get,
            request.scheme,
            request.get_data,
        )
        status, body = respond(asked, session, session.hop, server)  # type: ignore[attr-defined]
        made = Response() if body is None else jsonify(body)
        made.status_code = status
        if body is None:
            del made.headers["Content-Type"]
        return made

    return app


def answer(problem: Problem) -> Response:
    return Response(problem.to_json(), problem.status, problem.headers, content_type=PROBLEM_JSON)


def not_routed(error: HTTPException) -> Response:
    status = error.code or 500
    return answer(Problem(status, error.name.lower().replace(" ", "-"), error.description or error.name))
