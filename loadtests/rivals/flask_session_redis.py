"""Flask-Session on Redis, its documentation's first choice."""

from __future__ import annotations

from redis import Redis

from rivals.flask_site import site

application = site(SESSION_TYPE="redis", SESSION_REDIS=Redis(host="valkey"))
