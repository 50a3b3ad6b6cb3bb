"""django.contrib.sessions.backends.cache on Django's own cache in Redis."""

from __future__ import annotations

from rivals.django_site import site

application = site(
    SESSION_ENGINE="django.contrib.sessions.backends.cache",
    CACHES={
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://valkey:6379",
        }
    },
)
