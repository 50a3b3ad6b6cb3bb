"""A machine beside the balancer: a container on its outer network, with an address of its own."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from docker.models.containers import Container

from verify.deployment import Stack
from verify.inside import run_inside

# Prints status, headers and body of one request as JSON. The balancer's service name is its host.
ASK = """
import http.client, json, sys
method, path, headers, body = json.loads(sys.argv[1])
connection = http.client.HTTPConnection("balancer", 8080, timeout=20)
connection.request(method, path, body, headers)
answer = connection.getresponse()
print(json.dumps([answer.status, dict(answer.getheaders()), answer.read().decode()]))
"""


@dataclass
class Neighbour:
    container: Container

    def run(self, program: str, *arguments: str) -> str:
        """Run a Python program there and return its output."""
        code, output = run_inside(self.container, ["python", "-c", program, *arguments])
        assert code == 0, output
        return output

    def start(self, program: str, *arguments: str) -> None:
        """Start a Python program there, one at a time. It ends with the neighbour."""
        shell = ["bash", "-c", 'exec python -uc "$@" >/tmp/said 2>&1', "-", program, *arguments]
        self.container.exec_run(shell, detach=True)

    def last_line(self) -> str:
        """Return the last line that the started program has printed, empty if there is none."""
        return run_inside(self.container, ["tail", "-n", "1", "/tmp/said"])[1].strip()

    def ask(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: str | None = None
    ) -> tuple[int, dict[str, str], str]:
        """Send one request in the clear; return status, headers by lower-case names, and body."""
        said: Any = json.loads(self.run(ASK, json.dumps([method, path, headers or {}, body])))
        return said[0], {name.lower(): value for name, value in said[1].items()}, said[2]


@contextlib.contextmanager
def neighbour_of(stack: Stack) -> Iterator[Neighbour]:
    """Let a neighbour in, until the context ends."""
    container = stack.docker.containers.run(
        f"{stack.project}/web",
        ["sleep", "600"],
        entrypoint=[],
        detach=True,
        network=f"{stack.project}_outside",
        # A machine of its own would leave this one's cores alone.
        nano_cpus=500_000_000,
        labels={"hopproof.test": os.environ["HOPPROOF_TEST_RUN"]},
        remove=True,
    )
    try:
        yield Neighbour(container)
    finally:
        container.remove(force=True)
