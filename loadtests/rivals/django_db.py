"""django.contrib.sessions.backends.db, Django's default."""

from __future__ import annotations

from rivals.django_site import create_tables, site

__all__ = ["application", "create_tables"]

application = site(SESSION_ENGINE="django.contrib.sessions.backends.db")
