"""The faults of a deployment that is not ours: of the containers that its file names.

They are those of faults.py, struck by Docker alone. What visitors may get meanwhile is not ours to say: any
error is excused, for as long as the fault lasts.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace

from verify.faults import FAULTS, Fault
from verify.strikes.proof import Strike, frozen, killed, proven, state_of
from verify.target import Target

ERRORS = frozenset({0, *range(400, 600)})


def _killed(role: str) -> Strike:
    @contextlib.contextmanager
    def strike(target: Target) -> Iterator[str]:
        victim = target.containers(role)[0]
        with killed(victim):
            yield f"{victim.name} ended with 137"

    return strike


def _stopped(role: str) -> Strike:
    @contextlib.contextmanager
    def strike(target: Target) -> Iterator[str]:
        victim = target.containers(role)[0]
        try:
            victim.stop()
            state = state_of(victim)
            proven(state["Status"] == "exited", f"{victim.name} is {state['Status']}, expected exited")
            yield f"{victim.name} ended with {state['ExitCode']}"
        finally:
            victim.start()

    return strike


def _frozen(role: str) -> Strike:
    @contextlib.contextmanager
    def strike(target: Target) -> Iterator[str]:
        victim = target.containers(role)[0]
        with frozen(victim):
            yield f"{victim.name} stood still"

    return strike


def _restarted(role: str) -> Strike:
    @contextlib.contextmanager
    def strike(target: Target) -> Iterator[str]:
        victim = target.containers(role)[0]
        before = state_of(victim)["StartedAt"]
        victim.restart()
        after = state_of(victim)["StartedAt"]
        proven(before != after, f"started at {before} and at {after}")
        yield f"{victim.name} was started anew at {after}"

    return strike


def _of(name: str, role: str, strike: Strike) -> Fault:
    return replace(
        FAULTS[name], strike=strike, statuses=ERRORS, per_tab=None, needs=role, lacks=None, budget=None
    )


STRUCK: Mapping[str, tuple[str, Strike]] = {
    "server-killed": ("server", _killed("server")),
    "server-stopped": ("server", _stopped("server")),
    "server-frozen": ("server", _frozen("server")),
    "balancer-restarted": ("balancer", _restarted("balancer")),
    "database-killed": ("database", _killed("database")),
    "database-frozen": ("database", _frozen("database")),
    "cache-killed": ("cache", _killed("cache")),
    "cache-frozen": ("cache", _frozen("cache")),
}
FAULTS_OF_ANYBODY = {"calm": FAULTS["calm"]} | {
    name: _of(name, role, strike) for name, (role, strike) in STRUCK.items()
}
