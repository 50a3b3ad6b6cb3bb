"""The session in Bottle: a route with a parameter named `session` gets one."""

from __future__ import annotations

import inspect
import logging
import traceback
from collections.abc import Callable
from typing import Any

try:
    from bottle import HTTPError, HTTPResponse, Route, request, response
except ImportError as error:
    raise ImportError(
        "hopproof.bottle needs Bottle; try: pip install 'hopproof[bottle]' (for a copy: pip install bottle)"
    ) from error

from .handler import SessionError, SessionHandler
from .limits import TOUCH_AFTER_S
from .session import Session
from .web import PROBLEM_JSON, Cookie, Problem, Web

log = logging.getLogger(__name__)


def problem_response(problem: Problem) -> HTTPResponse:
    """Return the problem as problem JSON."""
    headers = {"Content-Type": PROBLEM_JSON, **problem.headers}
    return HTTPResponse(problem.to_json(), problem.status, headers)


class SessionPlugin:
    """Bottle plugin (API 2) for routes with a parameter named `session`.

    The session is saved when the route returns, redirects or aborts, before the first byte leaves.
    """

    name = "session"
    api = 2

    def __init__(
        self,
        new_handler: Callable[[], SessionHandler],
        cookie: Cookie | None = None,
        touch_after_s: int = TOUCH_AFTER_S,
        on_error: Callable[[SessionError], None] = lambda error: None,
        answer_problem: Callable[[Problem], HTTPResponse] = problem_response,
        sessions_per_user: int = 0,
        on_unknown: Callable[[bytes], None] = lambda key: None,
    ) -> None:
        """on_error: called with each handler error that becomes an answer, which answer_problem makes.

        The other parameters are those of Web.
        """
        self.web = Web(
            new_handler, cookie or Cookie(), touch_after_s, on_error, sessions_per_user, on_unknown
        )
        self.answer_problem = answer_problem

    def apply(self, callback: Callable[..., Any], route: Route) -> Callable[..., Any]:
        # Not Bottle's route.get_callback_args(): it never returns for a closure over a plain value.
        if "session" not in inspect.signature(route.callback).parameters:
            return callback
        if inspect.isgeneratorfunction(route.callback):
            raise TypeError(
                f"{route.rule}: a route that yields runs when its session is saved; return instead"
            )

        def with_session(*args: Any, **kwargs: Any) -> Any:
            return self._serve(lambda session: callback(*args, **kwargs, session=session))

        return with_session

    def _serve(self, callback: Callable[[Session], Any]) -> Any:
        visit = self.web.visit(request.environ.get("HTTP_COOKIE"))
        try:
            try:
                answer = _answer(callback, visit.session)
                status = answer.status_code if isinstance(answer, HTTPResponse) else response.status_code
                settled = visit.settle(status)
            except SessionError as error:
                settled = visit.fail(error)
        finally:
            visit.release()
        if settled.problem is not None:
            answer = self.answer_problem(settled.problem)

        # A response that is returned replaces the global one, its headers included.
        carrier = answer if isinstance(answer, HTTPResponse) else response
        if settled.set_cookie is not None:
            carrier.add_header("Set-Cookie", settled.set_cookie)
        if settled.vary:
            carrier.add_header("Vary", "Cookie")
        if settled.private and "Cache-Control" not in carrier.headers:
            carrier.set_header("Cache-Control", "private")
        return answer


def _answer(callback: Callable[[Session], Any], session: Session) -> Any:
    """Return the route's answer; Bottle's redirect() and abort() raise theirs."""
    try:
        return callback(session)
    except HTTPResponse as raised:
        return raised
    except SessionError:
        raise
    except Exception as error:
        # Answered here, because Bottle's own answer would lack the cookie of a new id.
        log.exception("a route failed")
        return HTTPError(500, "Internal Server Error", error, traceback.format_exc())
