"""PROFILES=observe: Prometheus and the crawler, the alerts, and the dashboard for Grafana."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from watching import Prometheus, expressions, selectors

from verify.deployment import ROOT, Deployment, freeze, readable_secrets, until
from verify.inside import run_inside
from verify.visitor import Visitor

OBSERVE = ROOT / "infra/observe"
# COMPOSE_PROFILES is for calls of Compose without infra/compose, as in the fixture of all tests.
USED = {
    "PROFILES": "observe",
    "COMPOSE_PROFILES": "observe",
    "PROMETHEUS_PORT": "0",  # any free one
    "CRAWL_PERIOD_S": "1",
}
WATCHING = ("prometheus", "crawler")


@pytest.fixture(scope="module")
def prometheus(deployment: Deployment) -> Iterator[Prometheus]:
    before = {name: os.environ.get(name, "") for name in USED}
    os.environ.update(USED)
    deployment.visitor().add("n")  # a route without a request yet has no series
    deployment.script("infra/compose", "up", "--detach", "--wait", "--no-deps", *WATCHING)
    yield Prometheus(deployment)
    deployment.script("infra/compose", "rm", "--stop", "--force", *WATCHING)
    # The fixture of all tests does not know this volume, so it would leave it behind.
    deployment.docker.volumes.get(f"{deployment.project}_prometheus").remove()
    os.environ.update(before)


@pytest.fixture(scope="module")
def scraped(deployment: Deployment, prometheus: Prometheus) -> Prometheus:
    """Prometheus, once it has scraped every target."""
    everybody = {name: ["up"] for name in ("balancer", "janitor", "crawler")}
    everybody["web"] = ["up"] * deployment.servers
    until(lambda: prometheus.targets() == everybody or None, f"all of {everybody}", 40)
    return prometheus


SHOWN = expressions(OBSERVE / "grafana-dashboard.json")


def test_every_part_is_scraped(scraped: Prometheus) -> None:
    assert scraped.firing() == set()


def test_the_alerts_and_the_dashboard_name_only_what_is_there(scraped: Prometheus, visitor: Visitor) -> None:
    visitor.add("n")  # without a visitor the servers have no series
    counted = {"match[]": 'hopproof_requests_total{route="/api/session/counters/<key>"}'}
    until(lambda: scraped.ask("series", **counted), "the visitor's request")
    alerts = scraped.alerts()
    asked = {selector for expression in SHOWN + alerts for selector in selectors(expression)}
    assert len(alerts) == 12
    assert len(asked) >= 15, asked
    assert scraped.missing(asked) == []


def test_every_expression_of_the_dashboard_is_promql(scraped: Prometheus) -> None:
    for expression in SHOWN:
        scraped.ask("query", query=expression)


def test_an_alert_fires_when_the_database_stands_still_and_ends_when_it_goes_on(
    deployment: Deployment, scraped: Prometheus
) -> None:
    database = deployment.container("db")
    freeze(database)
    try:
        until(lambda: "StoreDown" in scraped.firing(), "an alert", 45, rest_s=0.5)
        until(lambda: scraped.value("hopproof_crawl_up") == 0, "a crawler that notices", 30, rest_s=0.5)
        assert scraped.value('hopproof_session_rows{state="live"}') is not None
    finally:
        database.unpause()
    until(lambda: "StoreDown" not in scraped.firing(), "the end of the alert", 30, rest_s=0.5)
    until(lambda: scraped.value("hopproof_crawl_up") == 1, "a crawler that goes on", 30, rest_s=0.5)
    assert deployment.container("crawler").attrs["RestartCount"] == 0
    deployment.wait_for_database()


def test_a_visitor_who_logs_in_is_in_the_figures_of_the_next_walk(
    deployment: Deployment, scraped: Prometheus, visitor: Visitor
) -> None:
    names = ('hopproof_session_rows{state="live"}', "hopproof_sessions_logged_in", "hopproof_users_logged_in")
    visitor.login("somebody new")

    def is_told() -> bool:
        in_table = deployment.sql(
            "SELECT COUNT(*), COUNT(`user`), COUNT(DISTINCT `user`) FROM sessions "
            "WHERE data IS NOT NULL AND expires_at > UNIX_TIMESTAMP()"
        )
        return [[scraped.value(name) for name in names]] == [list(map(float, row)) for row in in_table]

    until(is_told, "what is in the table", 30, rest_s=0.5)


def test_without_a_table_the_crawler_says_so_and_stays(
    deployment: Deployment, prometheus: Prometheus
) -> None:
    start = ("infra/compose", "up", "--detach", "--wait", "--no-deps", "crawler")
    ask = (
        "import http.client as h; c = h.HTTPConnection('127.0.0.1', 9100, timeout=2); c.request('GET', '/'); "
        "print(c.getresponse().read().decode())"
    )
    deployment.script(*start, STORE="memcached")

    def asked() -> tuple[int, str]:
        return run_inside(deployment.container("crawler"), ["python", "-c", ask])

    _, told = until(lambda: (seen := asked())[0] == 0 and seen, "an answer of the crawler", 20)
    assert "hopproof_crawl_period_seconds 1.0" in told
    assert "hopproof_session_rows" not in told
    assert deployment.logs("crawler").count("there is no table to walk") == 1
    assert deployment.container("crawler").attrs["RestartCount"] == 0
    deployment.script(*start)


def test_each_alert_fires_when_it_should_and_not_before(deployment: Deployment) -> None:
    mounts = {
        str(OBSERVE): "/etc/hopproof",
        str(ROOT / "infra/group"): "/etc/hopproof-group",
        str(ROOT / "tests/integration"): "/tests",
    }
    for command in (
        ["check", "config", "/etc/hopproof/prometheus.yml"],
        ["test", "rules", "/tests/test_alerts.yml", "/tests/test_group_alerts.yml"],
    ):
        deployment.docker.containers.run(
            os.environ["PROMETHEUS_IMAGE"],
            command,
            entrypoint=["promtool"],
            volumes={folder: {"bind": seen_as, "mode": "ro"} for folder, seen_as in mounts.items()},
            labels={"hopproof.test": os.environ["HOPPROOF_TEST_RUN"]},
            network_mode="none",
            remove=True,
        )


def test_prometheus_cannot_reach_the_database_or_write_and_is_published_here_only(
    deployment: Deployment, prometheus: Prometheus
) -> None:
    attributes = deployment.container("prometheus").attrs
    host = attributes["HostConfig"]
    joined = attributes["NetworkSettings"]["Networks"]
    assert joined.keys() == {f"{deployment.project}_{name}" for name in ("outside", "servers", "observe")}
    assert (host["ReadonlyRootfs"], host["CapDrop"]) == (True, ["ALL"])
    assert {bound["HostIp"] for (bound,) in host["PortBindings"].values()} == {"127.0.0.1"}


def test_the_crawler_can_only_look_and_reaches_the_database_only(
    deployment: Deployment, prometheus: Prometheus
) -> None:
    attributes = deployment.container("crawler").attrs
    host = attributes["HostConfig"]
    joined = attributes["NetworkSettings"]["Networks"]
    assert joined.keys() == {f"{deployment.project}_{name}" for name in ("store", "observe")}
    assert readable_secrets(deployment.container("crawler")) == ["db_operator_reader_password"]
    assert (host["ReadonlyRootfs"], host["CapDrop"], host["PortBindings"] or {}) == (True, ["ALL"], {})


def test_a_profile_that_is_none_is_refused_with_what_to_type(deployment: Deployment) -> None:
    done = deployment.script("infra/up", fails=True, PROFILES="observe,grafana")
    refusal = "up: PROFILES='observe,grafana': there is no profile 'grafana'; "
    assert done.stderr == f"{refusal}try PROFILES=polyglot,frameworks,observe\n"
