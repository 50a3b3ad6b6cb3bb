"""Flask, for gunicorn: frameworks.flask_server:application."""

from __future__ import annotations

from datetime import timedelta

from flask import session

from frameworks.flask_site import build_app
from frameworks.serving import config, cookie_name, new_handler, options, server_of, signed_wsgi

server = server_of("flask")
app = build_app(new_handler, server, **options)
app.config.update(SESSION_COOKIE_NAME=cookie_name, SESSION_COOKIE_SECURE=config.session_cookie_secure)
if config.session_cookie_max_age_s is not None:
    app.config["PERMANENT_SESSION_LIFETIME"] = timedelta(seconds=config.session_cookie_max_age_s)
    app.before_request(lambda: setattr(session, "permanent", True))
application = signed_wsgi(app, server)
