"""Two balancers in front of the same servers: what a source may do at both, and what its session notices."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from docker.models.containers import Container

from verify.deployment import ROOT, Deployment, free_port, until
from verify.inside import run_inside
from verify.neighbour import Neighbour, neighbour_of

LIMITS = {"LIMIT_REQUESTS": "100", "LIMIT_NEW_SESSIONS": "20"}
RESTART = ("infra/compose", "up", "--detach", "--wait", "--no-deps", "balancer")
START = ["bash", "/etc/hopproof/start"]
SERVERS = 'exec 3<>/dev/tcp/127.0.0.1/8404; printf "GET /servers HTTP/1.0\\r\\n\\r\\n" >&3; tail -n 1 <&3'

# Sends requests and prints how many got each status, and cookie and body of the last answer.
MANY = """
import collections, http.client, json, sys
address, number, method, path, cookie = sys.argv[1:]
statuses, connection = collections.Counter(), http.client.HTTPConnection(address, 8080, timeout=20)
for _ in range(int(number)):
    connection.request(method, path, headers={"Host": "balancer"} | ({"Cookie": cookie} if cookie else {}))
    answer = connection.getresponse()
    body = answer.read().decode()
    statuses[answer.status] += 1
print(json.dumps([statuses, answer.getheader("Set-Cookie", "").partition(";")[0], json.loads(body)]))
"""


@dataclass
class Source:
    """A machine of a visitor, with an address of its own."""

    neighbour: Neighbour

    @property
    def address(self) -> str:
        return address_of(self.neighbour.container)

    def ask(
        self, balancer: Container, number: int, method: str, path: str, cookie: str = ""
    ) -> tuple[dict[str, int], str, dict[str, object]]:
        """Send requests; return how many got each status, and cookie and body of the last answer."""
        said = self.neighbour.run(MANY, address_of(balancer), str(number), method, path, cookie)
        statuses, cookie, body = json.loads(said)
        return statuses, cookie, body


def address_of(container: Container) -> str:
    """Return the address in the network of visitors."""
    container.reload()
    networks = container.attrs["NetworkSettings"]["Networks"]
    (address,) = (network["IPAddress"] for name, network in networks.items() if name.endswith("_outside"))
    return str(address)


def environment_of(container: Container) -> dict[str, str]:
    return dict(line.split("=", 1) for line in container.attrs["Config"]["Env"])


def wait_for_count(balancer: Container, at: str, source: Source, counter: str, least: int) -> None:
    """Return when a balancer knows so many of a source's doings at the balancer of that name."""
    entry = re.compile(rf"key=::ffff:{re.escape(source.address)} .*\b{counter}\(\d+\)=(\d+)")
    ask = ["bash", "/etc/hopproof/ask-master", f"@1 show table balancers/requests_at_{at}"]

    def is_known() -> bool:
        found = entry.search(run_inside(balancer, ask)[1])
        return found is not None and int(found[1]) >= least

    until(is_known, f"{least} in {counter} at {at}")


@contextlib.contextmanager
def second_of(deployment: Deployment) -> Iterator[Container]:
    """A container like the balancer's, in which no balancer runs yet: the first needs its address."""
    container = deployment.docker.containers.run(
        deployment.container("balancer").attrs["Config"]["Image"],
        ["600"],
        entrypoint=["sleep"],
        detach=True,
        user="99:99",
        cap_drop=["ALL"],
        network=f"{deployment.project}_outside",
        volumes={str(ROOT / "loadbalancer"): {"bind": "/etc/hopproof", "mode": "ro"}},
        tmpfs={"/run/haproxy": "mode=0700,uid=99,gid=99,size=1m"},
        labels={"hopproof.test": os.environ["HOPPROOF_TEST_RUN"]},
        remove=True,
    )
    try:
        deployment.docker.networks.get(f"{deployment.project}_servers").connect(container)
        yield container
    finally:
        container.remove(force=True)


def start(deployment: Deployment, second: Container, **settings: str) -> None:
    """Run the second balancer, with the first one's settings and these."""
    ours = environment_of(deployment.container("balancer")) | settings
    second.exec_run(START, detach=True, environment=ours)
    until(
        lambda: run_inside(second, ["bash", "-c", SERVERS])[1].strip() == str(deployment.servers),
        "all servers in rotation at the second balancer",
    )


@pytest.fixture(scope="module", autouse=True)
def _limits_are_as_before_at_the_end(deployment: Deployment) -> Iterator[None]:
    before = dict(deployment.variables)
    yield
    deployment.variables = before
    deployment.script(*RESTART)


@pytest.fixture(scope="module")
def strangers(deployment: Deployment) -> Iterator[tuple[Container, Container]]:
    """Two balancers that know nothing of each other, beside the deployment's own."""
    with second_of(deployment) as first, second_of(deployment) as second:
        for balancer in (first, second):
            start(deployment, balancer, **LIMITS)
        yield first, second


@pytest.fixture(scope="module")
def peers(deployment: Deployment) -> Iterator[tuple[Container, Container]]:
    """Two balancers that tell each other what they have counted."""
    with second_of(deployment) as second:
        # No overlay named: infra/compose adds it.
        deployment.variables |= LIMITS | {
            "BALANCER": "one",
            "OTHER_BALANCER": address_of(second),
            "PEERS_PORT": str(free_port()),
        }
        deployment.script(*RESTART)
        one = deployment.container("balancer")
        start(deployment, second, BALANCER="two", OTHER_BALANCER=address_of(one))
        yield one, second


@pytest.fixture
def source(deployment: Deployment) -> Iterator[Source]:
    with neighbour_of(deployment) as neighbour:
        yield Source(neighbour)


@pytest.fixture
def fresh_source(peers: tuple[Container, Container], source: Source) -> Source:
    """A source of which neither balancer has counted anything: Docker gives an address again."""
    for balancer in peers:
        for name in ("one", "two"):
            clear = f"@1 clear table balancers/requests_at_{name}"
            run_inside(balancer, ["bash", "/etc/hopproof/ask-master", clear])
    return source


def test_without_peers_a_source_gets_its_limit_at_each_balancer(
    strangers: tuple[Container, Container], source: Source
) -> None:
    for balancer in strangers:
        statuses, _, _ = source.ask(balancer, 150, "GET", "/api/stateless")
        assert statuses.keys() == {"200", "429"}
        assert statuses["200"] >= 100


def test_with_peers_a_source_gets_its_limit_once(
    peers: tuple[Container, Container], fresh_source: Source
) -> None:
    one, two = peers
    statuses, _, _ = fresh_source.ask(one, 150, "GET", "/api/stateless")
    assert statuses["200"] == 100
    wait_for_count(two, "one", fresh_source, "http_req_rate", 101)
    statuses, _, body = fresh_source.ask(two, 20, "GET", "/api/stateless")
    assert (statuses, body["title"]) == ({"429": 20}, "too-many-requests")


def test_requests_at_both_balancers_are_added(
    peers: tuple[Container, Container], fresh_source: Source
) -> None:
    one, two = peers
    for balancer, name, other in ((one, "one", two), (two, "two", one)):
        assert fresh_source.ask(balancer, 45, "GET", "/api/stateless")[0] == {"200": 45}
        wait_for_count(other, name, fresh_source, "http_req_rate", 45)
    for balancer in peers:
        assert fresh_source.ask(balancer, 30, "GET", "/api/stateless")[0].get("200", 0) <= 10


def test_with_peers_a_source_makes_its_new_sessions_once(
    peers: tuple[Container, Container], fresh_source: Source
) -> None:
    one, two = peers
    statuses, _, _ = fresh_source.ask(one, 30, "POST", "/api/session/counters/n")
    assert statuses.keys() == {"200", "429"}
    wait_for_count(two, "one", fresh_source, "gpc0_rate", 21)
    statuses, _, body = fresh_source.ask(two, 5, "POST", "/api/session/counters/n")
    assert (statuses, body["title"]) == ({"429": 5}, "too-many-sessions")


def test_a_session_goes_on_at_the_other_balancer(
    peers: tuple[Container, Container], fresh_source: Source
) -> None:
    one, two = peers
    _, cookie, body = fresh_source.ask(one, 1, "POST", "/api/session/counters/n")
    assert body == {"value": 1}
    assert fresh_source.ask(two, 1, "POST", "/api/session/counters/n", cookie)[2] == {"value": 2}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"BALANCER": "one", "OTHER_BALANCER": "192.0.2.12"}, ""),
        ({"BALANCER": "two", "OTHER_BALANCER": "2001:db8::11"}, ""),
        ({"BALANCER": "three", "OTHER_BALANCER": "192.0.2.12"}, "BALANCER='three' is neither one nor two"),
        ({"BALANCER": "one", "OTHER_BALANCER": ""}, "OTHER_BALANCER='' is no address"),
        ({"BALANCER": "one", "OTHER_BALANCER": "b.example"}, "OTHER_BALANCER='b.example' is no address"),
    ],
)
def test_a_bad_setting_of_two_balancers_stops_the_start(
    deployment: Deployment, settings: dict[str, str], expected: str
) -> None:
    """A warning of HAProxy counts as an error."""
    code, said = run_inside(deployment.container("balancer"), [*START, "--check"], **settings)
    assert (code != 0) == bool(expected), said
    assert expected in said
