"""Beaker's SessionMiddleware with ext:database, on Bottle.

secret and lock_dir are what its documentation requires; timeout, httponly and the JSON serializer are the
safe choices among its options. A change calls save(), a login regenerate_id(), a logout delete(), as it says.
"""

from __future__ import annotations

from beaker.ext.database import DatabaseNamespaceManager
from beaker.middleware import SessionMiddleware
from bottle import Bottle, request, response

from rivals.probe import SECRET, respond, sqlalchemy_url

app = Bottle()
application = SessionMiddleware(
    app,
    {
        "session.type": "ext:database",
        "session.url": sqlalchemy_url(),
        "session.sa_opts": {"sa.pool_pre_ping": True},
        "session.lock_dir": "/tmp/beaker",
        "session.key": "session",
        "session.secret": SECRET,
        "session.timeout": 1800,
        "session.cookie_expires": True,
        "session.httponly": True,
        "session.data_serializer": "json",
    },
)


@app.route("/<:re:.*>", method=["GET", "PUT", "DELETE", "POST"])
def serve() -> str:
    session = request.environ["beaker.session"]
    response.status, text = respond(
        request.method,
        request.path,
        request.body.read(),
        session,
        login=session.regenerate_id,
        logout=session.delete,
    )
    if request.method != "GET":
        session.save()
    response.content_type = "application/json"
    return text


def create_tables() -> None:
    DatabaseNamespaceManager("any", url=sqlalchemy_url())
