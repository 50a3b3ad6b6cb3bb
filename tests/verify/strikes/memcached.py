"""Faults of memcached, with CACHE=memcached."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from verify.deployment import Stack
from verify.strikes.proof import frozen, killed, proven


@contextlib.contextmanager
def memcached_killed(stack: Stack) -> Iterator[str]:
    with killed(stack.container("memcached")):
        yield "memcached ended with 137"


@contextlib.contextmanager
def memcached_frozen(stack: Stack) -> Iterator[str]:
    with frozen(stack.container("memcached")):
        yield "memcached stood still"


@contextlib.contextmanager
def memcached_cut_off(stack: Stack) -> Iterator[str]:
    """Cut one server off memcached, while the others go on serving copies."""
    victim = stack.containers("web")[0]
    network = stack.docker.networks.get(f"{stack.project}_cache")
    try:
        network.disconnect(victim)
        network.reload()
        proven(victim not in network.containers, f"{victim.name} is still on the network")
        yield f"web-{victim.id[:12]} was off memcached's network, the others were on it"
    finally:
        network.reload()
        if victim not in network.containers:
            network.connect(victim)
