"""Flask-Session on Flask-SQLAlchemy, as its documentation configures it.

Defaults, except SameSite, which its page on security recommends, and SQLAlchemy's own advice for databases
that come and go (pool_pre_ping). A login calls regenerate(), which the session interface has for it; a logout
clears the session, which deletes row and cookie.
"""

from __future__ import annotations

from flask import Flask, request, session
from flask_session import Session
from flask_sqlalchemy import SQLAlchemy

from rivals.probe import respond, sqlalchemy_url

app = Flask(__name__)
db = SQLAlchemy()
app.config.update(
    SQLALCHEMY_DATABASE_URI=sqlalchemy_url(),
    SQLALCHEMY_ENGINE_OPTIONS={"pool_pre_ping": True},
    SESSION_TYPE="sqlalchemy",
    SESSION_SQLALCHEMY=db,
    SESSION_COOKIE_SAMESITE="Lax",
)
db.init_app(app)
Session(app)
application = app


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


def create_tables() -> None:
    """Do nothing: Session(app) has created them."""
