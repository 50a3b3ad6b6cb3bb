"""Visitors count in a swarm while its servers are replaced, a machine stands still, and a machine dies.

Called by verify, which has made the swarm: each machine is an engine in a container. Exit status 0 if every
promise held.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import docker
from counting import CountingVisitors
from docker.models.containers import Container

from verify.deployment import Stack, freeze, until
from verify.inside import run_inside
from verify.visitor import Answer, served

SERVERS = 3
# Seconds for Swarm to miss a machine and start its servers elsewhere, or to replace all. No verdict depends
# on how soon it does.
LIMIT_S = 180
OF_SERVICE = "label=com.docker.swarm.service.name=hopproof_"
BALANCER = f'docker exec "$(docker ps --quiet --filter {OF_SERVICE}balancer)" bash -c "$0"'
IN_ROTATION = 'exec 3<>/dev/tcp/127.0.0.1/8404; printf "GET /servers HTTP/1.0\\r\\n\\r\\n" >&3; tail -n 1 <&3'
LIST_SERVERS = ("ps", "--all", "--filter", f"{OF_SERVICE}web", "--format", "web-{{.ID}} {{.State}}")
# Ways to break a roll-out: options of `docker service update`.
SABOTEURS = {
    "all-at-once": ("--update-order", "stop-first", "--update-parallelism", "0"),
    "impatient": ("--stop-grace-period", "0s"),
}


class Swarm:
    """The engines, and the stack on them. The first is asked as manager, and has database and balancer."""

    def __init__(self, run: str, url: str) -> None:
        self.visited = Stack("", url, SERVERS)
        client = docker.from_env()
        found = client.containers.list(all=True, filters={"label": f"hopproof.test={run}"})
        self.engines: dict[str, Container] = {}
        for container in sorted(found, key=lambda container: str(container.name)):
            self.engines[container.attrs["Config"]["Hostname"]] = container
        self.first = next(iter(self.engines.values()))
        self.engine_of: dict[str, str] = {}

    def manage(self, *command: str) -> str:
        code, output = run_inside(self.first, ["docker", *command])
        assert code == 0, f"docker {' '.join(command)}: {output}"
        return output.strip()

    def servers(self) -> dict[str, str]:
        """Return the engine of each server that runs, and remember those that ran."""
        running: dict[str, str] = {}
        for name, engine in self.engines.items():
            engine.reload()
            if engine.status != "running":
                continue
            _, output = run_inside(engine, ["docker", *LIST_SERVERS])
            for server, state in (line.split() for line in output.splitlines()):
                self.engine_of[server] = name
                if state == "running":
                    running[server] = name
        return running

    def in_rotation(self) -> int:
        """Return how many servers the balancer uses."""
        code, output = run_inside(self.first, ["bash", "-c", BALANCER, IN_ROTATION])
        assert code == 0, output
        return int(output)

    def wait_for_rotation(self, servers: int) -> None:
        """Return when the balancer uses exactly the servers that run, and they are so many."""

        def is_whole() -> bool:
            return self.in_rotation() == servers == len(self.servers())

        until(is_whole, f"{servers} servers in rotation", LIMIT_S, rest_s=0.5)

    def update(self, *options: str) -> None:
        """Change the servers by `docker service update`, and return when all are replaced and in rotation."""
        before = self.servers()
        self.manage("service", "update", "--detach", *options, "hopproof_web")
        state = ("service", "inspect", "--format", "{{.UpdateStatus.State}}", "hopproof_web")
        until(lambda: self.manage(*state) == "completed", "the roll-out is complete", LIMIT_S, rest_s=1)
        # Until the last old one has drained.
        until(lambda: not before.keys() & self.servers().keys(), "no old server runs", LIMIT_S, rest_s=1)
        self.wait_for_rotation(len(self.servers()))


@dataclass
class Struck:
    """A machine was struck. Until the balancer has noticed, it gives requests to its servers in vain."""

    began_ns: int = field(default_factory=time.monotonic_ns)
    noticed_ns: int = 0

    def excuses(self, answer: Answer) -> bool:
        return answer.invoked_ns <= self.noticed_ns and answer.completed_ns >= self.began_ns

    def describe(self, excused: list[Answer]) -> str:
        """Return how many there are of each status, and when the last of them was sent."""
        last_s = (max(answer.invoked_ns for answer in excused) - self.began_ns) / 1e9
        return f"{count(excused)}, the last sent {max(last_s, 0):.1f} s after it"


@dataclass(frozen=True)
class Event:
    """A thing that happens to the swarm. excused: the statuses of requests in flight on a struck machine."""

    words: str
    happen: Callable[[Swarm], Struck | None]
    excused: frozenset[int] = frozenset()


def hop(swarm: Swarm) -> None:
    """Let one visitor be answered by the servers of every engine."""
    running, visitor = swarm.servers(), swarm.visited.visitor()
    assert set(running.values()) == set(swarm.engines), running

    def is_round() -> bool:
        visitor.add("n")
        return visitor.servers == running.keys()

    until(is_round, f"an answer of each of {running}", rest_s=0)


def roll_out(swarm: Swarm) -> None:
    """Replace all servers. Swarm spreads the new ones over all machines that live."""
    swarm.update("--force")


def strike(swarm: Swarm, how: Callable[[Container], None]) -> tuple[Struck, str, Container]:
    """Strike the last machine; return when the balancer has noticed and Swarm has replaced its servers."""
    name, engine = list(swarm.engines.items())[-1]
    lost = list(swarm.servers().values()).count(name)
    assert lost, f"{name} has no server that could be missed"
    struck = Struck()
    how(engine)
    until(lambda: swarm.in_rotation() <= SERVERS - lost, f"the balancer misses {lost} servers", LIMIT_S)
    struck.noticed_ns = time.monotonic_ns()
    swarm.wait_for_rotation(SERVERS)
    return struck, name, engine


def freeze_machine(swarm: Swarm) -> Struck:
    """Freeze a machine until its servers are replaced, then let it go on."""
    struck, name, engine = strike(swarm, freeze)
    engine.unpause()
    ready = ("node", "inspect", "--format", "{{.Status.State}}", name)
    until(lambda: swarm.manage(*ready) == "ready", f"{name} is back", LIMIT_S, rest_s=1)
    # Its old servers are superfluous now, and drain.
    swarm.wait_for_rotation(SERVERS)
    return struck


def kill_machine(swarm: Swarm) -> Struck:
    """Kill a machine for good."""
    struck, _, _ = strike(swarm, Container.kill)
    return struck


# 504: the balancer waited 4.5 s for an answer. 502: the connection broke before one. 0: the balancer closed
# the visitor's connection, because a kept connection to the server broke. After each of them it is unknown
# whether the count was made. 503 is never excused: no server was there, or a server missed the database.
EVENTS = (
    Event("hop over all machines", hop),
    Event("machine stands still", freeze_machine, frozenset({504})),
    Event("servers replaced", roll_out),
    Event("machine dies", kill_machine, frozenset({0, 502, 504})),
)


@contextlib.contextmanager
def crowd_on(swarm: Swarm) -> Iterator[CountingVisitors]:
    crowd = CountingVisitors(swarm.visited)
    try:
        yield crowd
    finally:
        crowd.stop()


def judge(swarm: Swarm, event: Event) -> bool:
    """Let it happen under a crowd, print a line, and return whether every promise held."""
    broken: list[str] = []
    struck = None
    with crowd_on(swarm) as crowd:
        try:
            crowd.get_around()
            struck = event.happen(swarm)
            crowd.get_around()
        except AssertionError as error:
            broken.append(str(error))
    try:
        crowd.assert_nothing_lost()
    except AssertionError as error:
        broken.append(f"an acknowledged count is lost: {error}")
    failed = crowd.not_ok()
    excused = [
        answer for answer in failed if struck and answer.status in event.excused and struck.excuses(answer)
    ]
    bad = [answer for answer in failed if answer not in excused]
    if bad:
        broken.append(f"failed without an excuse: {count(bad)}")
    swarm.servers()
    seen = {server for visitor in crowd.visitors for server in served(visitor.history)}
    engines = {swarm.engine_of.get(server, "unknown") for server in seen}
    requests = sum(len(visitor.history) for visitor in crowd.visitors)
    print(
        f"{event.words:22} requests {requests:6}   failed {len(failed):3}"
        f"   engines {len(engines)}   servers {len(seen)}   {'BROKEN' if broken else 'held'}",
        *([f"in flight: {struck.describe(excused)}"] if struck and excused else []),
        *broken,
        sep="\n    ",
        flush=True,
    )
    return not broken


def count(answers: list[Answer]) -> str:
    """Return how many there are of each status."""
    statuses = [answer.status for answer in answers]
    return ", ".join(f"{statuses.count(status)} × {status}" for status in sorted(set(statuses)))


def main() -> int:
    swarm = Swarm(os.environ["HOPPROOF_TEST_RUN"], os.environ["HOPPROOF_URL"])
    swarm.wait_for_rotation(SERVERS)
    saboteur = os.environ.get("SABOTEUR", "")
    if not saboteur:
        held = [judge(swarm, event) for event in EVENTS]
        return 0 if all(held) else 1
    swarm.update("--force", *SABOTEURS[saboteur])
    return 0 if judge(swarm, Event("servers replaced", roll_out)) else 1


if __name__ == "__main__":
    sys.exit(main())
