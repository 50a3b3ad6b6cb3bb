"""The faults of a deployment that is not ours: Docker strikes the containers that its file names.

They are those of faults.py. What visitors may get meanwhile is not ours to say: any error is excused, for as
long as the fault lasts. The file may describe more faults, as commands, and say what each may cost.
"""

from __future__ import annotations

import contextlib
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from docker.models.containers import Container

from verify.evidence import Budget
from verify.faults import FAULTS, Fault
from verify.strikes.proof import DidNotStrike, frozen, killed, proven, state_of
from verify.target import BUDGET, BadTarget, Target

ERRORS = frozenset({0, *range(400, 600)})
# The longest that a command may take.
COMMAND_S = 120
TAKES: Mapping[str, Literal["server", "balancer", "store", "cache"]] = {
    "server": "server",
    "balancer": "balancer",
    "database": "store",
    "cache": "cache",
}


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


def _run(command: Sequence[str], folder: Path) -> str:
    """Return the sentence that says that it ended well. Raises DidNotStrike."""
    said = shlex.join(command)
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DidNotStrike(f"{said} did not end within {COMMAND_S} s") from error
    last = done.stdout.strip().rpartition("\n")[2]
    proven(done.returncode == 0, f"{said} ended with {done.returncode}: {last}")
    return f"{said} ended with 0"


def _commanded(name: str, described: Mapping[str, Any]) -> Fault:
    """Return the fault that a command of the file makes. No error is excused unless the file says so."""

    @contextlib.contextmanager
    def strike(target: Target) -> Iterator[str]:
        try:
            yield _run(described["command"], target.folder)
        finally:
            if "heal" in described:
                _run(described["heal"], target.folder)

    may_take_s = FAULTS["calm"].may_take_s + COMMAND_S * len({"command", "heal"} & described.keys())
    return Fault(name.replace("-", " "), strike, heals_itself="heal" not in described, may_take_s=may_take_s)


def _as_described(name: str, described: Mapping[str, Any], by_docker: Fault | None, folder: Path) -> Fault:
    for entry in {"command", "heal"} & described.keys():
        program = described[entry][0]
        if not shutil.which(folder / program if "/" in program else program):
            raise BadTarget(f"faults.{name}.{entry}: there is no program {program}")
    if "command" in described:
        fault = _commanded(name, described)
    elif by_docker:
        fault = by_docker
    else:
        container = f", or containers.{HURT[name][0]}" if name in HURT else ""
        raise BadTarget(f"faults.{name}: command is missing{container}")
    differs = {entry: described[entry] for entry in ("title", "hold_s") if entry in described}
    if "takes" in described:
        differs["takes"] = TAKES[described["takes"]]
    if "errors" in described:
        excused = (ERRORS, None) if described["errors"] else (frozenset(), 0)
        differs["statuses"], differs["per_tab"] = excused
    if described.keys() & {*BUDGET}:
        differs["budget"] = Budget(**{entry: described.get(entry) for entry in BUDGET})
    return replace(fault, **differs)


def faults_of(target: Target) -> dict[str, Fault]:
    """Return what can strike a target, calm first. Raises BadTarget."""
    found = {"calm": FAULTS["calm"]}
    found |= {name: _of(name, *hurt) for name, hurt in HURT.items() if hurt[0] in target.services}
    for name, described in target.faults.items():
        found[name] = _as_described(name, described, found.get(name), target.folder)
    return found
