"""The middleware: when the session is saved, and what answers an error of it."""

from __future__ import annotations

import sys

from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.exceptions import SessionInterrupted
from django.contrib.sessions.middleware import SessionMiddleware as DjangoMiddleware
from django.core.signals import got_request_exception
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

from ..handler import SessionError, SessionGone
from ..web import PROBLEM_JSON, Problem
from .options import web
from .store import SessionStore


class SessionMiddleware(DjangoMiddleware):
    """Django's middleware, but it saves the session as a change, and answers its errors as problems."""

    def process_request(self, request: HttpRequest) -> None:
        session_id = web().cookie.read(request.META.get("HTTP_COOKIE", ""))
        request.session = self.SessionStore(session_id)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer for a view that ended with an error of the session."""
        store = _store_of(request)
        if store is not None and isinstance(exception, SessionError):
            problem = store.visit.fail(exception).problem
            return None if problem is None else _answer(problem)
        if isinstance(exception, UpdateError):
            raise _interrupted() from exception
        return None

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        store = _store_of(request)
        if store is None:
            return response
        visit = store.visit
        try:
            if store.failure is not None:
                raise store.failure
            if response.status_code < 500:
                store.finish()
            settled = visit.settle(response.status_code)
        except SessionError as error:
            settled = visit.fail(error)
            if isinstance(error, SessionGone):
                raise _interrupted() from error
        if settled.problem is not None:
            response = _answer(settled.problem)
        if settled.set_cookie is not None:
            response.cookies.load(settled.set_cookie)
        if settled.vary or store.accessed:
            patch_vary_headers(response, ("Cookie",))
        if settled.private and not response.has_header("Cache-Control"):
            response.headers["Cache-Control"] = "private"
        return response


def _store_of(request: HttpRequest | None) -> SessionStore | None:
    store = getattr(request, "session", None)
    return store if isinstance(store, SessionStore) else None


def _interrupted() -> SessionInterrupted:
    return SessionInterrupted(
        "the session was ended before its request was answered, by a logout for example"
    )


def _answer(problem: Problem) -> HttpResponse:
    return HttpResponse(problem.to_json(), PROBLEM_JSON, problem.status, headers=problem.headers)


@receiver(got_request_exception)
def _remember(request: HttpRequest | None = None, **_: object) -> None:
    """Keep an error of the session that no view and no middleware has caught: Django answers 500 itself."""
    store, error = _store_of(request), sys.exc_info()[1]
    if store is not None and isinstance(error, SessionError):
        store.failure = error
