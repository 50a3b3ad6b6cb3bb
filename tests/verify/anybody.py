"""The faults of a deployment that is not ours: of the containers that its file names.

They are those of faults.py, struck by Docker alone. What visitors may get meanwhile is not ours to say: any
error is excused, for as long as the fault lasts.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace

from docker.models.containers import Container

from verify.faults import FAULTS, Fault
from verify.strikes.proof import frozen, killed, proven, state_of
from verify.target import Target

ERRORS = frozenset({0, *range(400, 600)})


@contextlib.contextmanager
def _killed(victim: Container) -> Iterator[str]:
    with killed(victim):
        yield f"{victim.name} ended with 137"


@contextlib.contextmanager
def _stopped(victim: Container) -> Iterator[str]:
    try:
        victim.stop()
        state = state_of(victim)
        proven(state["Status"] == "exited", f"{victim.name} is {state['Status']}, expected exited")
        yield f"{victim.name} ended with {state['ExitCode']}"
    finally:
        victim.start()


@contextlib.contextmanager
def _frozen(victim: Container) -> Iterator[str]:
    with frozen(victim):
        yield f"{victim.name} stood still"


@contextlib.contextmanager
def _restarted(victim: Container) -> Iterator[str]:
    before = state_of(victim)["StartedAt"]
    victim.restart()
    after = state_of(victim)["StartedAt"]
    proven(before != after, f"started at {before} and at {after}")
    yield f"{victim.name} was started anew at {after}"


Hurt = Callable[[Container], AbstractContextManager[str]]
HURT: Mapping[str, tuple[str, Hurt]] = {
    "server-killed": ("server", _killed),
    "server-stopped": ("server", _stopped),
    "server-frozen": ("server", _frozen),
    "balancer-restarted": ("balancer", _restarted),
    "database-killed": ("database", _killed),
    "database-frozen": ("database", _frozen),
    "cache-killed": ("cache", _killed),
    "cache-frozen": ("cache", _frozen),
}


def _of(name: str, role: str, hurt: Hurt) -> Fault:
    """Return our fault of this name, struck at the oldest container of a role."""

    def strike(target: Target) -> AbstractContextManager[str]:
        return hurt(target.containers(role)[0])

    return replace(
        FAULTS[name], strike=strike, statuses=ERRORS, per_tab=None, needs=role, lacks=None, budget=None
    )


FAULTS_OF_ANYBODY = {"calm": FAULTS["calm"]} | {
    name: _of(name, role, hurt) for name, (role, hurt) in HURT.items()
}
