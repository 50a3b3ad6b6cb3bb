"""A deployment of the real compose file: the one that runs here, or a project of its own."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import docker
from docker.models.containers import Container
from testcontainers.compose import DockerCompose

from verify.inside import run_inside
from verify.subject import Subject
from verify.visitor import SERVER_KINDS, Answer

ROOT = Path(__file__).parents[2]
T = TypeVar("T")
# With DB=group the database is these, and the service `db` is the router to one of them.
MEMBERS = ("db-1", "db-2", "db-3")
# The services whose containers run all the time; the others are jobs.
LASTING = ("db", *MEMBERS, "keeper", "memcached", *SERVER_KINDS, "balancer", "janitor")
UNHEALTHY = re.compile(r"\((health: starting|unhealthy)\)")


def until(condition: Callable[[], T], what: str, deadline_s: float = 30, rest_s: float = 0.1) -> T:
    """Return the condition's first true value. Fails with the last value seen."""
    end = time.monotonic() + deadline_s
    while True:
        seen = condition()
        if seen:
            return seen
        assert time.monotonic() < end, f"not within {deadline_s} s: {what}; last seen: {seen!r}"
        time.sleep(rest_s)


def freeze(container: Container) -> None:
    """Freeze a container's processes; `unpause` lets them go on.

    A process that waits for its disk cannot be frozen at that moment, and runc gives up within milliseconds,
    so the caller has to try again (https://github.com/opencontainers/runc/pull/4388).
    """

    def is_frozen() -> bool:
        try:
            container.pause()
        except docker.errors.APIError as refused:
            if "unable to freeze" not in str(refused):
                raise
            return False
        return True

    until(is_frozen, f"{container.name} stands still")


LIST_READABLE_SECRETS = 'for file in /run/secrets/*; do [ ! -r "$file" ] || basename "$file"; done'


def readable_secrets(container: Container) -> list[str]:
    """The passwords that the container's own user may read."""
    code, output = run_inside(container, ["bash", "-c", LIST_READABLE_SECRETS])
    assert code == 0, output
    return output.split()


MYSQL = (
    'ask() { mysql --user=root --password="$(cat /run/secrets/db_root_password)" --batch --skip-column-names'
    ' "$@"; };'
)
SQL = f'{MYSQL} ask hopproof --execute "$0"'
# At a member of a group: by the router, since one that stood still takes itself for the primary for seconds.
SQL_BY_ROUTER = f'{MYSQL} ask hopproof --host=db --execute "$0"'


def ask_inside(container: Container, script: str, statement: str) -> tuple[int, list[str]]:
    """Run SQL or SQL_BY_ROUTER, and return its exit status and its lines, without the client's warnings."""
    code, output = run_inside(container, ["bash", "-c", script, statement])
    return code, [line for line in output.splitlines() if not line.startswith("mysql: [Warning]")]


class Stack(Subject):
    """A deployment of ours that runs: its address, its containers, its table."""

    def __init__(
        self, project: str, url: str, servers: int, ca: str | None = None, folder: Path = ROOT / ".state"
    ) -> None:
        """ca: the file of the authority behind an https URL, None for those that this machine trusts.

        folder: what `make up` keeps of it, passwords included.
        """
        super().__init__(url, ca)
        self.folder = folder
        self.project = project
        self.servers = servers
        self.docker = docker.from_env()
        # Docker's filter for what belongs to it.
        self.ours = {"label": f"com.docker.compose.project={project}"}
        # Compose's own variable: the file, and overlays on top of it.
        self.variables = {"COMPOSE_FILE": str(ROOT / "docker-compose.yml")}

    def script(
        self, name: str, *arguments: str, fails: bool = False, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run one of the project's scripts on this deployment and return its output."""
        done = subprocess.run(
            [ROOT / name, *arguments],
            env={**os.environ, **self.variables, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert (done.returncode != 0) == fails, f"{name}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    @contextlib.contextmanager
    def overlaid(self, overlay: str, **variables: str) -> Iterator[None]:
        """Let the scripts use one more compose file, a path from the root, until the context ends."""
        before = dict(self.variables)
        self.variables["COMPOSE_FILE"] += f":{ROOT / overlay}"
        self.variables |= variables
        try:
            yield
        finally:
            self.variables = before

    def wait_for_servers(self, count: int) -> None:
        """Return when the balancer uses exactly so many servers."""
        self.script("infra/wait-for-servers", str(count))

    def thaw(self) -> None:
        """Start and unpause every container that stands still."""
        for service in LASTING:
            for container in self.containers(service):
                if container.status == "paused":
                    container.unpause()
                elif container.status != "running":
                    container.start()

    def wait_for_database(self) -> None:
        """Return when Docker has also found the database healthy."""

        def status() -> str:
            health: str = self.container("db").attrs["State"]["Health"]["Status"]
            return health

        until(lambda: status() == "healthy", "a healthy database", 60)

    def is_whole(self) -> bool:
        """Say at a glance whether all that should run does, and all servers are in rotation.

        False if in doubt: finding it out by infra/wait-for-servers takes ten times as long.
        """
        names = set()
        for container in self.docker.api.containers(all=True, filters=self.ours):
            service = container["Labels"]["com.docker.compose.service"]
            if service in LASTING and container["State"] != "running":
                return False
            if service == "db" and UNHEALTHY.search(container["Status"]):
                return False
            if service in SERVER_KINDS:
                names.add(f"{service}-{container['Id'][:12]}")
        # The master and one worker; another one still finishes after a reload.
        if len(self.haproxy_processes()) > 2:
            return False
        if sum(name.startswith("web-") for name in names) != self.servers:
            return False
        if not self.has_whole_group():
            return False
        visitor, answered = self.visitor(), set()
        for _ in range(2 * len(names)):
            answered.add(visitor.stateless().server)
            if answered == names:
                break
        visitor.leave()
        return answered == names

    def make_whole(self) -> None:
        """Thaw everything, and wait until the database answers and all servers are in rotation."""
        if self.is_whole():
            return
        self.thaw()
        # Asked directly, because a sabotaged server may lie about its store.
        until(lambda: self.runs_sql("SELECT 1"), "an answer of the database", 60)
        until(self.has_whole_group, "all members in the group", 120, rest_s=0.5)
        self.wait_for_servers(self.servers)

    def has_whole_group(self) -> bool:
        """Say whether all members of the group are in it; True with a single database."""
        if not self.running(*MEMBERS):
            return not any(self.containers(member) for member in MEMBERS)
        view = "performance_schema.replication_group_members"
        try:
            online = self.sql(f"SELECT member_host FROM {view} WHERE member_state = 'ONLINE'")
            return len(online) == len(MEMBERS)
        except (AssertionError, docker.errors.APIError):
            return False

    def runs_sql(self, statement: str) -> bool:
        """Run a statement; return whether the database answered."""
        try:
            self.sql(statement)
        except (AssertionError, docker.errors.APIError):
            return False
        return True

    def expire(self, session_id: str, wait: Callable[[float], bool]) -> bool:
        # Not a second ago: a session made in this second would have expired before it began, and the row
        # contract forbids that.
        return self.runs_sql(
            "UPDATE sessions SET expires_at = UNIX_TIMESTAMP() "
            f"WHERE id = UNHEX(SHA2('{session_id}', 256)) AND data IS NOT NULL"
        )

    def containers(self, service: str) -> list[Container]:
        """The containers of a service, stopped ones included, oldest first."""
        labels = [f"com.docker.compose.project={self.project}", f"com.docker.compose.service={service}"]
        found = self.docker.containers.list(all=True, filters={"label": labels})
        return sorted(found, key=lambda container: container.attrs["Created"])

    @property
    def services(self) -> set[str]:
        """The services that have a container, running or not."""
        found = self.docker.containers.list(all=True, filters=self.ours)
        return {container.labels["com.docker.compose.service"] for container in found}

    def container(self, service: str) -> Container:
        (only,) = self.containers(service)
        return only

    def haproxy_processes(self) -> list[int]:
        """The ids of HAProxy's processes in the balancer, the master first."""
        rows = [
            row for row in self.container("balancer").top()["Processes"] if row[-1].startswith("haproxy ")
        ]
        parents = {int(row[1]): int(row[2]) for row in rows}
        # Not by their order: a machine's numbers of processes begin anew one day.
        return sorted(parents, key=lambda number: (parents[number] in parents, number))

    def server_names(self, *kinds: str) -> set[str]:
        """The names of the running servers, of all kinds unless some are given."""
        return {
            f"{kind}-{container.id[:12]}"
            for kind in kinds or SERVER_KINDS
            for container in self.containers(kind)
            if container.status == "running"
        }

    def container_named(self, server: str) -> Container:
        return self.docker.containers.get(server.partition("-")[2])

    def running(self, *services: str) -> list[Container]:
        """Return the containers of these services that run and are not paused, in the services' order."""
        ids = {
            container["Labels"]["com.docker.compose.service"]: container["Id"]
            for container in self.docker.api.containers(filters=self.ours)
            if container["State"] == "running"
        }
        return [self.docker.containers.get(ids[service]) for service in services if service in ids]

    def sql(self, statement: str) -> list[list[str]]:
        """Run a statement as the database's administrator, over its own socket; in a group by the router."""
        members = self.running(*MEMBERS)
        if members:
            code, lines = ask_inside(members[0], SQL_BY_ROUTER, statement)
        else:
            code, lines = ask_inside(self.container("db"), SQL, statement)
        assert code == 0, f"{statement}: {lines}"
        return [line.split("\t") for line in lines]

    def session_keys(self) -> set[str]:
        """Return the keys of all rows. The janitor may remove some at any time, so a count tells nothing."""
        return {key for (key,) in self.sql("SELECT HEX(id) FROM sessions")}

    def statements_of(self, user: str) -> dict[str, int]:
        """Return how many statements of each kind, such as sql/select, MySQL has counted of its user."""
        rows = self.sql(
            "SELECT SUBSTRING(event_name, 11), count_star"
            " FROM performance_schema.events_statements_summary_by_user_by_event_name"
            f" WHERE user = '{user}' AND count_star > 0 AND event_name LIKE 'statement/%'"
        )
        return {event: int(number) for event, number in rows}


class Deployment(Stack):
    """The stack of docker-compose.yml on free ports of 127.0.0.1, with the defaults of .env.example.

    tls: with TLS=self. group: with DB=group.
    """

    def __init__(
        self, folder: Path, run: str, servers: int = 3, *, tls: bool = False, group: bool = False
    ) -> None:
        port, https_port = free_port(), free_port()
        url = f"https://127.0.0.1:{https_port}" if tls else f"http://127.0.0.1:{port}"
        ca = str(folder / "tls/ca.pem") if tls else None
        super().__init__(f"hopproof-test-{run}-{secrets.token_hex(3)}", url, servers, ca, folder)
        self.port = port
        if tls:
            self.variables |= {"TLS": "self", "HTTPS_PORT": str(https_port)}
            self.variables["COMPOSE_FILE"] += f":{ROOT / 'infra/tls/compose.yml'}"
        if group:
            self.use_group()
            self.variables["COMPOSE_FILE"] += f":{ROOT / 'infra/group/compose.yml'}"
        self.variables |= {
            "COMPOSE_PROJECT_NAME": self.project,
            "HTTP_PORT": str(port),
            "HOPPROOF_STATE": str(folder),
            "WEB_REPLICAS": str(servers),
        }
        self._compose = DockerCompose(ROOT, build=True, wait=True)

    def use_group(self) -> None:
        """Let the scripts know of a group, in networks that no other deployment has."""
        self.variables |= {"DB": "group", "GROUP_NETWORK": f"10.213.{random.randrange(100, 250)}"}

    def __enter__(self) -> Deployment:
        # The environment wins over a reader's own .env, in Compose and in the scripts.
        listed = (ROOT / ".env.example").read_text()
        os.environ.update(re.findall(r"^([A-Z_]+)=(.*)$", listed, re.MULTILINE))
        os.environ.update(self.variables)
        shutil.copy(os.environ["IMAGES_ENV"], self.folder / "images.env")
        self.script("infra/secrets")
        self._compose.start()
        self.script("infra/tls/renew")
        self.wait_for_servers(self.servers)
        return self

    def __exit__(self, *_: object) -> None:
        self._compose.stop()

    def logs(self, service: str, last: int | None = None) -> str:
        """Return what the service's containers have written, or the last lines of each, which is cheaper."""
        written = (container.logs(tail=last or "all") for container in self.containers(service))
        return b"".join(written).decode()

    def logged(self, service: str, text: str) -> list[dict[str, Any]]:
        """Return those of the newest log lines that have this text in them."""
        lines = self.logs(service, last=1000).splitlines()
        return [json.loads(line) for line in lines if line[:1] == "{" and text in line]

    def ask_until_logged(self, ask: Callable[[], Answer]) -> tuple[Answer, dict[str, Any]]:
        """Ask, and return an answer and the balancer's log line of it.

        The same is asked anew until then: HAProxy drops a log line that its reader is too slow for.
        """

        answers = {}

        def logged() -> tuple[Answer, dict[str, Any]] | None:
            answer = ask()
            answers[answer.request_id] = answer
            lines = {line["request_id"]: line for line in self.logged("balancer", '"request_id"')}
            return next(((answers[one], lines[one]) for one in answers if one in lines), None)

        return until(logged, "a log line of the request", rest_s=0.3)


def ask_every_server(
    deployment: Stack, ask: Callable[[], Answer], deadline_s: float = 30
) -> dict[str, Answer]:
    """Ask until every running server has answered, and return one answer of each."""
    wanted = deployment.server_names()
    answers: dict[str, Answer] = {}

    def all_answered() -> bool:
        answer = ask()
        answers[answer.server] = answer
        return wanted <= answers.keys()

    until(all_answered, f"an answer of each of {wanted}", deadline_s, rest_s=0.02)
    return {server: answers[server] for server in wanted}


def free_port() -> int:
    # Below the ports of outgoing connections, which could take it while the images are built.
    for port in random.sample(range(20000, 32000), 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("none of 100 ports is free")
