"""A Django site whose one view is the probe API. django_db and django_cached_db choose its sessions.

The MySQL backend asks for mysqlclient, which has no wheel; PyMySQL takes its place by install_as_MySQLdb().
A login calls cycle_key() and a logout flush(), as django.contrib.auth's login() and logout() do with
the session. Accounts would add tables, and nothing to the comparison.
"""

from __future__ import annotations

from typing import Any

import django
import pymysql
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.http import HttpRequest, HttpResponse
from django.urls import re_path

from rivals.probe import SECRET, database, respond


def site(**of_the_store: Any) -> WSGIHandler:
    pymysql.install_as_MySQLdb()
    config = database()
    settings.configure(
        SECRET_KEY=SECRET,
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        INSTALLED_APPS=["django.contrib.sessions"],
        MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.mysql",
                "HOST": config.db_host,
                "NAME": config.db_name,
                "USER": config.db_user,
                "PASSWORD": config.db_password(),
                # "Persistent connections" and CONN_HEALTH_CHECKS, as the page on databases recommends.
                "CONN_MAX_AGE": 60,
                "CONN_HEALTH_CHECKS": True,
                "OPTIONS": {"ssl_disabled": True},  # as ours
            }
        },
        SESSION_COOKIE_NAME="session",
        **of_the_store,
    )
    django.setup(set_prefix=False)
    return WSGIHandler()


def serve(request: HttpRequest) -> HttpResponse:
    status, text = respond(
        request.method,
        request.path,
        request.body,
        request.session,
        login=request.session.cycle_key,
        logout=request.session.flush,
    )
    return HttpResponse(text, status=status, content_type="application/json" if text else None)


urlpatterns = [re_path("", serve)]


def create_tables() -> None:
    call_command("migrate", verbosity=0)
    call_command("createcachetable", verbosity=0)
