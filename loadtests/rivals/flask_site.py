"""A Flask app whose one view is the probe API, with Flask-Session. Modules choose where it keeps sessions.

Defaults, except SameSite, which its page on security recommends. A login calls regenerate(), which the
session interface has for it; a logout clears the session, which deletes entry and cookie.
"""

from __future__ import annotations

from typing import Any

from flask import Flask, request, session
from flask_session import Session

from rivals.probe import respond


def site(*extensions: Any, **of_the_store: Any) -> Flask:
    app = Flask(__name__)
    app.config.update(SESSION_COOKIE_SAMESITE="Lax", **of_the_store)
    for extension in extensions:
        extension.init_app(app)
    Session(app)

    @app.route("/<path:_>", methods=["GET", "PUT", "DELETE", "POST"])
    def serve(_: str):
        status, text = respond(
            request.method,
            request.path,
            request.get_data(),
            session,
            login=lambda: app.session_interface.regenerate(session),
            logout=session.clear,
        )
        return app.response_class(text, status, mimetype="application/json" if text else None)

    return app
