"""The proof that a fault struck, and steps that several faults share."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

from docker.models.containers import Container

from verify.deployment import freeze


class DidNotStrike(Exception):
    """The fault left no trace. The message names the trace that was expected."""


# Of our own stack, or of a target: faults.py and anybody.py know which.
Strike = Callable[[Any], AbstractContextManager[str]]


def proven(claim: object, evidence: str) -> None:
    if not claim:
        raise DidNotStrike(f"no proof that it struck: {evidence}")


def state_of(container: Container) -> dict[str, object]:
    container.reload()
    state: dict[str, object] = container.attrs["State"]
    return state


def ended_with(container: Container, code: int, meaning: str) -> None:
    exit_code = state_of(container)["ExitCode"]
    proven(exit_code == code, f"exit code {exit_code}, expected {code} ({meaning})")


@contextlib.contextmanager
def frozen(victim: Container) -> Iterator[None]:
    try:
        freeze(victim)
        yield
        status = state_of(victim)["Status"]
        proven(status == "paused", f"{victim.name} is {status}, expected paused")
    finally:
        if state_of(victim)["Paused"]:
            victim.unpause()


@contextlib.contextmanager
def _ended(victim: Container, end: Callable[[], object], code: int, meaning: str) -> Iterator[None]:
    try:
        end()
        ended_with(victim, code, meaning)
        yield
    finally:
        victim.start()


def killed(victim: Container) -> AbstractContextManager[None]:
    return _ended(victim, victim.kill, 137, "SIGKILL")


def stopped(victim: Container) -> AbstractContextManager[None]:
    """Ask a container to stop, which it has to do by itself."""
    return _ended(victim, victim.stop, 0, "it ended by itself")
