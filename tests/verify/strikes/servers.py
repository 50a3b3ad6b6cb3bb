"""Faults of web servers, PHP servers included."""

from __future__ import annotations

import contextlib
import email.utils
from collections.abc import Callable, Iterator

from docker.models.containers import Container

from verify.deployment import Stack, ask_every_server
from verify.strikes.proof import Strike, ended_with, frozen, proven
from verify.visitor import Answer


def killed(kind: str) -> Strike:
    """Return the strike that kills one server of a kind."""
    return lambda stack: _one_server_less(stack, Container.kill, 137, "SIGKILL", kind)


def stopped(kind: str) -> Strike:
    """Return the strike that stops one server of a kind, as a deployment does."""
    return lambda stack: _one_server_less(stack, Container.stop, 0, "a graceful end", kind)


@contextlib.contextmanager
def _one_server_less(
    stack: Stack, end: Callable[[Container], None], code: int, meaning: str, kind: str
) -> Iterator[str]:
    victim = stack.containers(kind)[0]
    try:
        end(victim)
        ended_with(victim, code, meaning)
        stack.wait_for_servers(stack.servers - 1)
        yield f"{kind}-{victim.id[:12]} ended with {code}, the balancer used one server less"
    finally:
        victim.start()
        stack.wait_for_servers(stack.servers)


@contextlib.contextmanager
def server_frozen(stack: Stack) -> Iterator[str]:
    victim = stack.containers("web")[0]
    with frozen(victim):
        stack.wait_for_servers(stack.servers - 1)
        yield f"web-{victim.id[:12]} stood still, the balancer used one server less"
    stack.wait_for_servers(stack.servers)


@contextlib.contextmanager
def scale(stack: Stack) -> Iterator[str]:
    before = stack.server_names("web")
    try:
        stack.script("infra/scale", str(stack.servers + 2))
        added = stack.server_names("web") - before
        _all_answer(stack)
        stack.script("infra/scale", str(stack.servers - 1))
        left = stack.server_names("web")
        proven(len(added) == 2 and len(left) == stack.servers - 1, f"added {added}, then {left}")
        yield f"{stack.servers} → {stack.servers + 2} → {len(left)} servers, the new ones answered"
    finally:
        stack.script("infra/scale", str(stack.servers))


@contextlib.contextmanager
def rolling_deploy(stack: Stack) -> Iterator[str]:
    before = stack.server_names("web")
    stack.script("infra/deploy")
    after = stack.server_names("web")
    proven(len(after) == len(before) and not before & after, f"{before} became {after}")
    _all_answer(stack)
    yield f"all {len(after)} servers are new ones and answered"


def _all_answer(stack: Stack) -> dict[str, Answer]:
    return ask_every_server(stack, stack.visitor().stateless)


@contextlib.contextmanager
def clocks_apart(stack: Stack) -> Iterator[str]:
    """Deploy servers whose Python tells times that are days apart; see clock/sitecustomize.py."""
    try:
        with stack.overlaid("tests/verify/clock/compose.yml"):
            stack.script("infra/deploy")
        told = [email.utils.parsedate_to_datetime(a.headers["Date"]) for a in _all_answer(stack).values()]
        apart_s = (max(told) - min(told)).total_seconds()
        proven(apart_s > 3600, f"the servers' Date headers are {apart_s:.0f} s apart")
        yield f"the Date headers of the servers were up to {apart_s / 86400:.1f} days apart"
    finally:
        stack.script("infra/deploy")
