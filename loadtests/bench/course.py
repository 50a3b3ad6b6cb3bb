"""The containers of a benchmark: starts each system beside one database, and times one at a time."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
from docker.models.containers import Container

from bench.results import Measurement, lost, measurement
from bench.systems import WORKS, System
from verify.deployment import Deployment, until
from verify.inside import run_inside

# Enough to keep a server busy, and few enough for two cores.
CONNECTIONS = 8
OVERLAY = "loadtests/bench/compose.yml"
LOG = Path(os.environ.get("HOPPROOF_STATE", ".state")) / "bench.log"
# Built by loadtests/bench/build; the other peers share one.
IMAGES = {
    "php-classic": "hopproof/bench-php",
    "valkey": "hopproof/bench-valkey",
    **dict.fromkeys(
        ("express-mysql-session", "connect-session-knex", "connect-redis"), "hopproof/bench-express"
    ),
}


# The services whose containers do a part of the work: {"server": ("web",), ...}.
Parts = Mapping[str, tuple[str, ...]]


class Missing(Exception):
    """A system cannot be measured here; the message is the reason."""


class Course:
    """One database, one load generator, and the systems that have been started on it."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        password = secrets.token_hex(32)
        secret = deployment.folder / "secrets" / "db_bench_password"
        secret.write_text(password)
        secret.chmod(0o444)
        deployment.sql(f"CREATE USER bench@'%' IDENTIFIED BY '{password}'")
        deployment.sql(r"GRANT ALL ON `bench\_%`.* TO bench@'%'")
        deployment.sql("CREATE DATABASE bench_limit CHARACTER SET utf8mb4")
        self.compose("up", "--detach", "--wait", "--no-deps", "load", "limit")

    def compose(self, *arguments: str, **variables: str) -> str:
        return self.deployment.script("infra/compose", *arguments, **variables).stdout

    def start(self, system: System, tuned: str = "") -> None:
        """Return when the system answers and its sessions are made. Raises Missing with the reason."""
        self._find_image(system)
        chosen = {system.variable: tuned or system.tuned}
        try:
            if not system.is_ours:
                self.deployment.sql(f"DROP DATABASE IF EXISTS {system.database}")
                self.deployment.sql(f"CREATE DATABASE {system.database} CHARACTER SET utf8mb4")
            if system.creates_tables:
                once = ("run", "--rm", "--no-deps", "-T", system.service, *system.creates_tables)
                self.compose(*once, **chosen)
            # No visitor is served meanwhile, so no request is waited for.
            up = ("up", "--detach", "--no-deps", "--timeout", "0")
            if beside := [*system.sidecars, *filter(None, [system.relay])]:
                self.compose(*up, *beside)  # as they are: other systems may have their sessions there
            self.compose(*up, "--force-recreate", system.service, **chosen)
            self._in_load("rm", "-rf", self._cookies(system))
            self._in_load("python", "visit.py", "make", system.host, self._cookies(system))
        except AssertionError as error:
            reason = " ".join(str(error).split())[-300:]
            with LOG.open("a") as log:
                log.write(f"\n== {system.service}\n{error}\n{self._last_words(system)}\n")
            raise Missing(f"did not start: {reason}; see {LOG}") from error

    def wait_for_servers(self, balancer: str, count: int) -> None:
        """Return when a balancer says that it uses so many servers."""
        url = f"http://{balancer}:8404/servers"
        ask = f"from urllib.request import urlopen; print(urlopen('{url}', timeout=2).read().decode())"
        told = f'python -c "{ask}"'
        until(lambda: self.version(told, "load") == str(count), f"{count} servers behind {balancer}", 60)

    def stop_all_but(self, *services: str) -> None:
        """Stop the containers of all other services."""
        everything = self.compose("ps", "--services", "--status", "running").split()
        self.compose("stop", "--timeout", "1", *(name for name in everything if name not in services))

    def stop(self, system: System) -> None:
        self.compose("rm", "--force", "--stop", system.service)

    def _find_image(self, system: System) -> None:
        for service in (system.service, *system.sidecars):
            try:
                self.deployment.docker.images.get(IMAGES.get(service, "hopproof/bench-rivals"))
            except docker.errors.ImageNotFound as error:
                raise Missing(f"the image of {service} could not be built; see {LOG}") from error

    def _last_words(self, system: System) -> str:
        containers = self.deployment.containers(system.service)
        return "".join(container.logs(tail=20).decode(errors="replace") for container in containers)

    def measure(self, system: System, work_name: str, seconds: int) -> Measurement:
        """Let all connections do one work for so long, and return the measurement."""
        # Docker may take a second to tell the CPU time, so it is asked only where that is shown.
        if not WORKS[work_name].is_headline:
            return measurement(self.ask(system, work_name, seconds), CONNECTIONS)
        parts: dict[str, tuple[str, ...]] = {"server": (system.service,)}
        if not system.in_memory:
            parts["database"] = ("db",)
        if system.sidecars:
            parts["cache"] = system.sidecars
        return self.timed(parts, lambda: self.ask(system, work_name, seconds))

    def ask(self, system: System, work_name: str, seconds: int) -> str:
        """Let all connections do one work for so long, and return the output of wrk."""
        work = WORKS[work_name]
        cookies = [f"{self._cookies(system)}/{work.sessions}"] if work.sessions else []
        return self.load(system.host, work.request, cookies, seconds)

    def load(self, host: str, request: str, cookies: list[str], seconds: int) -> str:
        # One thread of wrk sends more than two cores can answer.
        wrk = ("wrk", "--threads", "1", "--connections", str(CONNECTIONS), "--duration", f"{seconds}s")
        script = ("--script", "load.lua", f"http://{host}/", "--", f"{request} 200", *cookies)
        return self._in_load(*wrk, *script)

    def look(self, system: System) -> dict[str, Any]:
        """Return the sums of the counters, and the number of broken sessions."""
        return json.loads(self._in_load("python", "visit.py", "look", system.host, self._cookies(system)))

    def statements(self, system: System, work_name: str, requests: int = 128) -> dict[str, float]:
        """Return the statements of one visitor's request, by MySQL's own count: {event: number}.

        One visitor at a time, because only then the number of requests is known exactly.
        """
        method, path = WORKS[work_name].request.split()
        ask = ("python", "visit.py", "ask", system.host, self._cookies(system), method, path)
        # Each session once before: connecting, and the extension of the expiry once a minute, do not count.
        self._in_load(*ask, "64")
        before = self.deployment.statements_of(system.db_user)
        self._in_load(*ask, str(requests))
        after = self.deployment.statements_of(system.db_user)
        asked = {event: (number - before.get(event, 0)) / requests for event, number in after.items()}
        return {event: round(number, 2) for event, number in asked.items() if number >= 0.005}

    def bare_driver(self, verb: str, connections: int, seconds: int) -> Measurement:
        """Return the speed of a statement by id, and what it costs the client and the database."""
        command = ("python", "-m", "gevent.monkey", "bare_driver.py", verb, str(connections), str(seconds))
        before = self._service_s("db")
        said = json.loads(self._in_load(*command))
        used_s = {"client": said["cpu_s"], "database": self._service_s("db") - before}
        requests = said["requests"]
        return {
            "rps": round(requests / said["seconds"], 1),
            "requests": requests,
            "us": {part: round(1e6 * seconds / requests, 1) for part, seconds in used_s.items()},
        }

    def version(self, command: str, service: str) -> str:
        code, output = run_inside(self.deployment.container(service), ["sh", "-c", command])
        return output.strip() if code == 0 else ""

    def cpu_s(self, parts: Parts) -> dict[str, float]:
        """Return the CPU seconds that the containers of each part's services have used since their start."""
        # At once, because each answer of Docker may take a second.
        with ThreadPoolExecutor() as pool:
            asked = {
                part: [pool.submit(self._service_s, one) for one in some] for part, some in parts.items()
            }
            return {part: sum(one.result() for one in some) for part, some in asked.items()}

    def _service_s(self, service: str) -> float:
        def used_ns(container: Container) -> int:
            told = container.stats(stream=False, one_shot=True)
            return int(told["cpu_stats"]["cpu_usage"]["total_usage"])

        with ThreadPoolExecutor() as pool:
            return sum(pool.map(used_ns, self.deployment.containers(service))) / 1e9

    def timed(self, parts: Parts, load: Callable[[], str]) -> Measurement:
        """Let the load come, and return the measurement with the CPU of each part."""
        before = self.cpu_s(parts)
        said = load()
        used = {part: after - before[part] for part, after in self.cpu_s(parts).items()}
        return measurement(said, CONNECTIONS, used)

    def _cookies(self, system: System) -> str:
        return f"/tmp/{system.service}"

    def _in_load(self, *command: str) -> str:
        code, (output, said) = self.deployment.container("load").exec_run(list(command), demux=True)
        assert code == 0, f"{' '.join(command)}: {(said or output or b'').decode()}"
        return (output or b"").decode()


@contextmanager
def open_course() -> Iterator[Course]:
    """Start a deployment of one server, the database and the load generator; stop all of it in the end."""
    with (
        tempfile.TemporaryDirectory(prefix="hopproof-bench-") as folder,
        Deployment(Path(folder), os.environ["HOPPROOF_TEST_RUN"], servers=1) as deployment,
        deployment.overlaid(OVERLAY),
    ):
        yield Course(deployment)


class Timed:
    """The measurements of one system so far, those of each work in order."""

    def __init__(self, course: Course, system: System) -> None:
        self.course = course
        self.system = system
        self.works: dict[str, list[Measurement]] = {work: [] for work in WORKS}
        self._before: dict[str, Any] = {}

    def begin_round(self) -> None:
        self._before = self.course.look(self.system)
        # A second that does not count: connections are opened, caches filled.
        self.course.ask(self.system, "read", 1)

    def measure(self, work: str, seconds: int) -> str:
        """Measure one work once more, and return the speed in words."""
        found = self.course.measure(self.system, work, seconds)
        self.works[work].append(found)
        return "INVALID" if "invalid" in found else f"{found['rps']:,.0f}"

    def end_round(self) -> None:
        """Compare the sessions with the requests since the round began."""
        after = self.course.look(self.system)
        for work, sessions in (("write", "spread"), ("write_one", "one")):
            latest = self.works[work][-1]
            counts = self._before["counts"][sessions], after["counts"][sessions]
            latest["lost"] = lost(latest["requests"], *counts)
        if after["broken"]:
            for measured in self.works.values():
                reason = f"{after['broken']} sessions are not what was put into them"
                measured[-1].setdefault("invalid", reason)
