"""A problem as an error that a route raises."""

from __future__ import annotations

from bottle import HTTPError

from hopproof.web import Problem


class ProblemError(HTTPError):
    """An HTTP error whose answer is a problem, as JSON for a program or as a page for a person."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.status, problem.detail, **problem.headers)
        self.problem = problem


def refused(status: int, kind: str, detail: str, retry_after_s: int | None = None) -> ProblemError:
    """Return the error to raise for a request that is refused."""
    return ProblemError(Problem(status, kind, detail, retry_after_s=retry_after_s))
