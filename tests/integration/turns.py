"""Requests that a server of a wanted kind answers, in a rotation of several kinds."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from verify.deployment import Stack, until
from verify.visitor import Answer, Visitor


def kind_of(answer: Answer) -> str:
    return answer.server.partition("-")[0]


def asked_of(kind: str, ask: Callable[[], Answer]) -> Answer:
    """Ask until a server of this kind answers; return that answer."""
    answers: list[Answer] = []

    def was_asked() -> bool:
        answers.append(ask())
        return kind_of(answers[-1]) == kind

    until(was_asked, f"an answer of a {kind} server", rest_s=0)
    return answers[-1]


def visitor_of(deployment: Stack, kind: str, act: Callable[[Visitor], Answer]) -> Visitor:
    """Return a new visitor whose first act a server of the kind has answered."""
    visitors: list[Visitor] = []

    def ask() -> Answer:
        visitors.append(deployment.visitor())
        return act(visitors[-1])

    asked_of(kind, ask)
    return visitors[-1]


def new_visitors(deployment: Stack) -> Iterator[Visitor]:
    """Yield visitors, each of whom meets the servers in another order. Raises AssertionError after 60."""
    for shift in range(60):
        # More requests each time: with a fixed number, the turn might never come round to some servers.
        for _ in range(shift % 7):
            deployment.visitor().stateless()
        yield deployment.visitor()
    raise AssertionError("60 visitors have not met the server that was wanted")
