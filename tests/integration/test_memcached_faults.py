"""Memcached in front: cut off from one server, frozen, killed, while visitors write and read."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator

import docker
import pytest

from verify.deployment import Deployment, freeze, until
from verify.visitor import Visitor

# COMPOSE_PROFILES is for calls of Compose without infra/compose, as in the fixture of all tests.
USED = {"CACHE": "memcached", "COMPOSE_PROFILES": "memcached"}


@pytest.fixture(scope="module")
def cached(deployment: Deployment) -> Iterator[Deployment]:
    before = {name: os.environ.get(name, "") for name in USED}
    os.environ.update(USED)
    # Replaced at once, before visitors come: a deploy would keep the copies off for two minutes.
    deployment.script("infra/compose", "up", "--detach", "--wait", "--no-deps", "memcached", "web")
    deployment.wait_for_servers(deployment.servers)
    yield deployment
    os.environ.update(before)
    deployment.script("infra/compose", "up", "--detach", "--wait", "--no-deps", "web")
    deployment.script("infra/compose", "--profile", "memcached", "rm", "--stop", "--force", "memcached")
    deployment.wait_for_servers(deployment.servers)


class Readers:
    """Visitors who count and then read, again and again: every server must answer exactly the count."""

    def __init__(self, deployment: Deployment) -> None:
        self.wrong: list[str] = []
        self.rounds = [0] * 4
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._visit, args=(deployment.visitor(), i))
            for i in range(len(self.rounds))
        ]
        for thread in self._threads:
            thread.start()

    def _visit(self, visitor: Visitor, number: int) -> None:
        count = 0
        while not self._stop.is_set():
            answers = [visitor.add("n"), *(visitor.show() for _ in range(4))]
            count += 1
            told = [answer.body.get("value", answer.body.get("data", {}).get("n")) for answer in answers]
            if told != [count] * 5:
                self.wrong.append(f"{told} instead of {count}")
            self.rounds[number] = count

    def get_around(self) -> None:
        """Return when every visitor has written and read ten times more."""
        before = list(self.rounds)
        until(
            lambda: all(now >= then + 10 for now, then in zip(self.rounds, before, strict=True)),
            "ten more rounds of each visitor",
            60,
        )

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def readers(cached: Deployment) -> Iterator[Readers]:
    until(lambda: not copies_are_off(cached), "the switch to be on", 150)
    readers = Readers(cached)
    try:
        readers.get_around()
        yield readers
    finally:
        readers.stop()


def copies_are_off(deployment: Deployment) -> bool:
    (answer,) = deployment.sql("SELECT off_until > UNIX_TIMESTAMP(NOW(6)) FROM hopproof.cache_switch")
    return answer == ["1"]


def selects(deployment: Deployment, visitor: Visitor) -> int:
    """Return the number of statements of a hundred reads."""

    def so_far() -> int:
        ((_, count),) = deployment.sql("SHOW GLOBAL STATUS LIKE 'Com_select'")
        return int(count)

    before = so_far()
    for _ in range(100):
        assert visitor.show().status == 200
    return so_far() - before


def test_most_reads_cost_no_statement(cached: Deployment) -> None:
    until(lambda: not copies_are_off(cached), "the switch to be on", 150)
    visitor = cached.visitor()
    visitor.add("n")

    assert selects(cached, visitor) < 50


Fault = Callable[[Deployment], Callable[[], object]]


def cut_off(deployment: Deployment) -> Callable[[], object]:
    network = docker.from_env().networks.get(f"{deployment.project}_cache")
    server = deployment.containers("web")[0]
    network.disconnect(server)
    return lambda: network.connect(server)


def hang(deployment: Deployment) -> Callable[[], object]:
    memcached = deployment.container("memcached")
    freeze(memcached)
    return memcached.unpause


def kill(deployment: Deployment) -> Callable[[], object]:
    memcached = deployment.container("memcached")
    memcached.kill()
    return memcached.start


@pytest.mark.parametrize("fault", [cut_off, hang, kill])
def test_no_visitor_reads_an_older_session_or_gets_an_error(
    cached: Deployment, readers: Readers, fault: Fault
) -> None:
    repair = fault(cached)
    try:
        readers.get_around()
        assert copies_are_off(cached)
    finally:
        repair()
    readers.get_around()
    until(lambda: not copies_are_off(cached), "copies again", 60)
    readers.get_around()

    assert readers.wrong == []
