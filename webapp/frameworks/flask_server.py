"""Flask, for gunicorn: frameworks.flask_server:application."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import session

from frameworks.flask_site import build_app
from frameworks.serving import config, cookie_name, new_handler, options, server_of, signed_wsgi

server = server_of("flask")
lasting_s = config.session_cookie_max_age_s
settings: dict[str, Any] = {
    "SESSION_COOKIE_NAME": cookie_name,
    "SESSION_COOKIE_SECURE": config.session_cookie_secure,
}
if lasting_s is not None:
    settings["PERMANENT_SESSION_LIFETIME"] = timedelta(seconds=lasting_s)
app = build_app(new_handler, server, settings, **options)
if lasting_s is not None:
    app.before_request(lambda: setattr(session, "permanent", True))
application = signed_wsgi(app, server)
