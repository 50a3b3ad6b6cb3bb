"""Faults of the balancer."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from verify.deployment import Stack
from verify.strikes.proof import proven, state_of


@contextlib.contextmanager
def balancer_reloaded(stack: Stack) -> Iterator[str]:
    balancer = stack.container("balancer")
    before = _workers(stack)
    for _ in range(3):
        stack.script("infra/reload")
        time.sleep(1)
    after = _workers(stack)
    proven(
        after - before and balancer.id == stack.container("balancer").id, f"workers {before}, then {after}"
    )
    yield f"three reloads, workers {sorted(before)} → {sorted(after)} in the same container"


def _workers(stack: Stack) -> set[int]:
    (_, *workers) = stack.haproxy_processes()
    return set(workers)


@contextlib.contextmanager
def balancer_restarted(stack: Stack) -> Iterator[str]:
    balancer = stack.container("balancer")
    before = state_of(balancer)["StartedAt"]
    balancer.restart()
    after = state_of(balancer)["StartedAt"]
    proven(before != after, f"started at {before} and at {after}")
    yield f"the container was started anew at {after}"
    stack.wait_for_servers(stack.servers)
