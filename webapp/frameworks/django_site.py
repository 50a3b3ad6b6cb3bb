"""The probe API in Django, as WSGI or ASGI application. Django has one set of settings per process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import re_path

from frameworks.probe import Asked, respond
from health import Server
from hopproof.web import PROBLEM_JSON, Problem
from problem import ProblemError

SERVER: list[Server] = []  # a view has no other way to it


def configure(**options: Any) -> None:
    """Set Django up. options: settings, HOPPROOF among them."""
    settings.configure(
        ALLOWED_HOSTS=["*"],  # the balancer refuses foreign names
        DATA_UPLOAD_MAX_MEMORY_SIZE=None,  # the limit of the probe API comes first
        LOGGING_CONFIG=None,
        MIDDLEWARE=["hopproof.django.SessionMiddleware"],
        ROOT_URLCONF="frameworks.django_site",
        SESSION_ENGINE="hopproof.django",
        **options,
    )
    django.setup(set_prefix=False)


def wsgi(server: Server) -> Callable[..., Any]:
    SERVER[:] = [server]
    made: Callable[..., Any] = get_wsgi_application()
    return made


def asgi(server: Server) -> Callable[..., Any]:
    SERVER[:] = [server]
    made: Callable[..., Any] = get_asgi_application()
    return made


def target_of(request: HttpRequest) -> str:
    """Return path and query as the client sent them."""
    if "RAW_URI" in request.META:
        return str(request.META["RAW_URI"])
    return bytes(request.scope["raw_path"]).decode("latin-1")


def serve(request: HttpRequest) -> HttpResponse:
    asked = Asked(
        request.method, target_of(request), request.headers.get, request.scheme, lambda: request.body
    )
    try:
        status, body = respond(asked, request.session, request.session.hop, SERVER[0])
    except ProblemError as error:
        return answer(error.problem)
    made = HttpResponse(status=status) if body is None else JsonResponse(body, status=status)
    if body is None:
        del made.headers["Content-Type"]
    return made


def answer(problem: Problem) -> HttpResponse:
    return HttpResponse(problem.to_json(), PROBLEM_JSON, problem.status, headers=problem.headers)


def failed(request: HttpRequest) -> HttpResponse:
    return answer(Problem(500, "internal-server-error", "The server has failed."))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    # Django's own answer to a save after a logout. The probe API has this one.
    return answer(Problem(409, "session-gone", "The session was ended. Nothing was changed."))


handler400, handler500 = bad_request, failed
urlpatterns = [re_path("", serve)]
