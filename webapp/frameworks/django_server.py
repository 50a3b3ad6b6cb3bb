"""Django, for gunicorn: frameworks.django_server:application."""

from __future__ import annotations

from frameworks import django_site
from frameworks.serving import config, cookie_name, new_handler, options, server_of, signed_wsgi

server = server_of("django")
django_site.configure(
    HOPPROOF={"new_handler": new_handler, **options},
    SESSION_COOKIE_AGE=config.session_cookie_max_age_s or config.session_absolute_s,
    SESSION_COOKIE_NAME=cookie_name,
    SESSION_COOKIE_SECURE=config.session_cookie_secure,
    SESSION_EXPIRE_AT_BROWSER_CLOSE=config.session_cookie_max_age_s is None,
)
application = signed_wsgi(django_site.wsgi(server), server)
