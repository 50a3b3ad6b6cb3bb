"""DB=group: sessions move into three databases, which lose their primary, their majority and everything."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest
from watching import Prometheus, expressions, selectors

from verify.deployment import MEMBERS, ROOT, Deployment, until
from verify.faults import FAULTS
from verify.guarantees import GUARANTEES
from verify.inside import run_inside
from verify.matrix import line
from verify.strikes.group import primary_of
from verify.trial import QUICK, strike
from verify.verdict import column
from verify.visitor import Visitor

SEED = os.environ["HOPPROOF_TEST_RUN"]


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A stack of its own, with a single database at first."""
    with Deployment(tmp_path_factory.mktemp("group-state"), SEED, servers=2) as stack:
        yield stack
        # Compose knows one kind of database at a time, and this stack has had both.
        stack.script("infra/compose", "down", "--volumes", "--timeout", "1")
        for volume in stack.docker.volumes.list(filters=stack.ours):
            volume.remove()


@pytest.fixture(scope="module")
def moved(single: Deployment) -> tuple[Deployment, Visitor]:
    """The stack after the move into a group, and a visitor who has stored something before it."""
    visitor = single.visitor()
    visitor.login("ada")
    visitor.put("cart", ["Sencha", "茶"])
    single.use_group()
    single.script("infra/group/move", DB="group")
    return single, visitor


@pytest.fixture
def deployment(moved: tuple[Deployment, Visitor]) -> Deployment:
    return moved[0]


def test_no_session_is_lost_on_the_way_into_a_group(moved: tuple[Deployment, Visitor]) -> None:
    _, visitor = moved
    shown = visitor.show().body
    assert (shown["user"], shown["data"]) == ("ada", {"cart": ["Sencha", "茶"]})


def test_the_old_database_is_gone_and_the_choice_stays(deployment: Deployment) -> None:
    volumes = {volume.name for volume in deployment.docker.volumes.list()}
    assert f"{deployment.project}_db" not in volumes
    # As a person types it later, without the choice.
    deployment.script("infra/up", DB="")
    assert deployment.has_whole_group()


def test_another_database_beside_the_sessions_is_refused_with_what_to_type(deployment: Deployment) -> None:
    refused = deployment.script("infra/up", fails=True, DB="single")
    assert "try: make move-database DB=single" in refused.stderr.replace("To move them:", "try:")
    assert deployment.has_whole_group()


def test_a_move_removes_no_volume_that_it_has_not_compared(deployment: Deployment) -> None:
    volume = deployment.docker.volumes.create(f"{deployment.project}_db")
    try:
        refused = deployment.script("infra/group/move", fails=True, DB="single")
        assert f"docker volume rm {volume.name}" in refused.stderr
        volume.reload()
        assert deployment.has_whole_group()
    finally:
        volume.remove()


def test_a_move_to_where_the_sessions_are_is_refused(deployment: Deployment) -> None:
    refused = deployment.script("infra/group/move", fails=True, DB="group")
    assert "are in a database of the kind DB=group already" in refused.stderr


def test_members_and_clients_come_by_tls_and_the_check_sees_one_view(deployment: Deployment) -> None:
    users = deployment.sql("SELECT user, ssl_type FROM mysql.user WHERE host = '%' ORDER BY user")
    assert dict(map(tuple, users)) == {  # type: ignore[arg-type]
        **dict.fromkeys(("root", "web", "janitor", "operator", "operator_reader", "repl"), "ANY"),
        "role": "",
    }
    assert deployment.sql("SHOW GRANTS FOR role") == [
        ["GRANT USAGE ON *.* TO `role`@`%`"],
        ["GRANT SELECT ON `performance_schema`.`replication_group_members` TO `role`@`%`"],
    ]
    for member in MEMBERS:
        assert (
            f"{deployment.project}_store"
            not in deployment.container(member).attrs["NetworkSettings"]["Networks"]
        )


def test_a_whole_group_is_watched_and_raises_no_alert(deployment: Deployment) -> None:
    watched = {"PROFILES": "observe", "COMPOSE_PROFILES": "observe", "PROMETHEUS_PORT": "0"}
    deployment.visitor().add("n")  # a route without a request yet has no series
    deployment.script(
        "infra/compose", "up", "--detach", "--wait", "--no-deps", "prometheus", "crawler", **watched
    )
    prometheus = Prometheus(deployment)
    everybody = {name: ["up"] for name in ("balancer", "janitor", "crawler", "keeper", "router")}
    everybody["web"] = ["up"] * deployment.servers
    until(lambda: prometheus.targets() == everybody or None, f"all of {everybody}", 60)
    alerts = prometheus.alerts()
    assert len(alerts) == 18
    shown = expressions(ROOT / "infra/group/grafana-dashboard.json")
    asked = {selector for expression in shown + alerts for selector in selectors(expression)}
    # A panel or an alert with a wrong name would stay empty for ever.
    assert prometheus.missing(asked) == []
    assert prometheus.value("sum(hopproof_group_member{state=~'primary|secondary'})") == 3
    assert prometheus.value("sum(haproxy_server_status{proxy='primary', state='UP'})") == 1
    assert prometheus.firing() == set()
    deployment.script("infra/compose", "rm", "--stop", "--force", "prometheus", "crawler", **watched)


# Prints 1 if an answer comes. MySQL greets at once, HAProxy's exporter answers a request.
GREETED = """
import contextlib, socket, sys
with contextlib.suppress(ConnectionError), socket.create_connection((sys.argv[1], int(sys.argv[2])), 2) as s:
    s.sendall(sys.argv[3].encode())
    print(len(s.recv(1)))
"""


def test_prometheus_reaches_the_router_for_its_metrics_only(deployment: Deployment) -> None:
    # The keeper is in the network of Prometheus, where the router has this name, and in that of the members.
    members = deployment.variables["GROUP_NETWORK"] + ".142"

    def greeted(host: str, port: int, words: str = "") -> str:
        asked = ["python", "-c", GREETED, host, str(port), words]
        return run_inside(deployment.container("keeper"), asked)[1].strip()

    assert greeted("router", 8404, "GET /metrics HTTP/1.0\r\n\r\n") == "1"
    assert greeted(members, 3306) == "1"
    assert greeted("router", 3306) == ""


@pytest.mark.parametrize(
    "fault", ["primary-killed", "primary-stopped", "primary-frozen", "all-members-killed"]
)
def test_every_guarantee_holds_while_a_group_suffers(deployment: Deployment, fault: str) -> None:
    trial = strike(deployment, FAULTS[fault], SEED, QUICK)
    cells = column(fault, trial, GUARANTEES)
    assert [line(cell) for cell in cells if cell.verdict not in ("held", "n/a")] == []


def test_a_member_with_a_new_volume_gets_what_the_others_have(deployment: Deployment) -> None:
    (name,) = [member for member in MEMBERS if member != primary_of(deployment)][:1]
    # Volumes of members are also of the job that made the passwords.
    deployment.script("infra/compose", "rm", "--stop", "--force", name, "secrets")
    deployment.docker.volumes.get(f"{deployment.project}_{name}").remove()
    deployment.script("infra/compose", "up", "--detach", "--no-deps", name)
    until(deployment.has_whole_group, f"{name} in the group", 120, rest_s=0.5)


def test_a_group_without_two_members_is_left_to_a_person(deployment: Deployment) -> None:
    visitor = deployment.visitor()
    visitor.add("n")
    for member in MEMBERS:
        deployment.container(member).kill()
    deployment.container("db-2").start()
    keeper = deployment.container("keeper")

    def told() -> bool:
        return "FORCE=db-2" in deployment.logs("keeper", last=5)

    until(told, "the keeper asks for a decision", 60)
    assert visitor.show().status == 503
    deployment.script("infra/group/bootstrap", "db-2")
    until(lambda: visitor.show().status == 200, "sessions again", 60)
    assert visitor.show().body["data"] == {"n": 1}
    deployment.thaw()
    until(deployment.has_whole_group, "all members in the group", 120, rest_s=0.5)
    shown = keeper.exec_run(["python", "/group/keep.py", "--show"])
    assert shown.exit_code == 0
    assert {json.loads(said)["state"] for said in shown.output.splitlines()} == {"ONLINE"}


def test_no_session_is_lost_on_the_way_back(moved: tuple[Deployment, Visitor]) -> None:
    stack, visitor = moved
    stack.variables["DB"] = "single"
    stack.script("infra/group/move", DB="single")
    assert visitor.show().body["data"] == {"cart": ["Sencha", "茶"]}
    assert stack.services.isdisjoint(MEMBERS)
    assert stack.docker.networks.list(names=[f"{stack.project}_peers"]) == []
