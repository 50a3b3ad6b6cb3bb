"""django.contrib.sessions.backends.cached_db, on a cache that all servers share.

The default cache is one per process, where a server would not see what another wrote; Django's documentation
says to take a shared one. There is none here but the database, and DatabaseCache is Django's way of using it.
"""

from __future__ import annotations

from rivals.django_site import create_tables, site

__all__ = ["application", "create_tables"]

application = site(
    SESSION_ENGINE="django.contrib.sessions.backends.cached_db",
    CACHES={
        "default": {
            "BACKEND": "django.core.cache.backends.db.DatabaseCache",
            "LOCATION": "django_cache",
            # The default, 300, would throw out sessions of this comparison.
            "OPTIONS": {"MAX_ENTRIES": 100_000},
        }
    },
)
