"""PROFILES=observe: Prometheus beside the deployment, its alerts, and the dashboard for Grafana."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3

from harness.deployment import ROOT, Deployment, until
from harness.visitor import Visitor

OBSERVE = ROOT / "infra/observe"
# Compose's own variable is for who asks Compose without infra/compose, as the fixture of all tests does.
USED = {"PROFILES": "observe", "COMPOSE_PROFILES": "observe", "PROMETHEUS_PORT": "0"}  # any free port


class Prometheus:
    def __init__(self, deployment: Deployment) -> None:
        container = deployment.container("prometheus")
        (bound,) = container.attrs["NetworkSettings"]["Ports"]["9090/tcp"]
        self._url = f"http://{bound['HostIp']}:{bound['HostPort']}/api/v1/"
        self._http = urllib3.PoolManager(retries=False, timeout=5)

    def ask(self, path: str, **parameters: str) -> Any:
        answer = self._http.request("GET", self._url + path, fields=parameters).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def targets(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for target in self.ask("targets")["activeTargets"]:
            found.setdefault(target["labels"]["job"], []).append(target["health"])
        return found

    def firing(self) -> set[str]:
        alerts = self.ask("alerts")["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}


@pytest.fixture(scope="module")
def prometheus(deployment: Deployment) -> Iterator[Prometheus]:
    before = {name: os.environ.get(name, "") for name in USED}
    os.environ.update(USED)
    deployment.script("infra/compose", "up", "--detach", "--wait", "--no-deps", "prometheus")
    yield Prometheus(deployment)
    deployment.script("infra/compose", "rm", "--stop", "--force", "prometheus")
    # The fixture of all tests takes down what it has started, and does not know of this.
    deployment.docker.volumes.get(f"{deployment.project}_prometheus").remove()
    os.environ.update(before)


@pytest.fixture(scope="module")
def scraped(deployment: Deployment, prometheus: Prometheus) -> Prometheus:
    """Prometheus once everybody has told it something."""
    everybody = {"balancer": ["up"], "janitor": ["up"], "web": ["up"] * deployment.servers}
    until(lambda: prometheus.targets() == everybody or None, f"all of {everybody}", 40)
    return prometheus


PANELS = json.loads((OBSERVE / "grafana-dashboard.json").read_text())["panels"]
# What Grafana fills in for itself.
SHOWN = [target["expr"].replace("$__rate_interval", "1m") for panel in PANELS for target in panel["targets"]]


def selectors(expression: str) -> set[str]:
    """The series that an expression asks for, as it names them: metric{labels}."""
    bare = re.sub(r"\b(by|on|without) \([^)]*\)|\[[^]]*\]", "", expression)
    found = re.findall(r"\b([a-z_]\w*)\b(?!\s*\()(\{[^}]*\})?", bare)
    return {name + labels for name, labels in found if name not in ("and", "or", "unless")}


def test_every_part_is_scraped(scraped: Prometheus) -> None:
    assert scraped.firing() == set()


def test_the_alerts_and_the_dashboard_name_only_what_is_there(scraped: Prometheus, visitor: Visitor) -> None:
    visitor.add("n")  # or no server could tell of any visitor
    counted = {"match[]": 'hopproof_requests_total{route="/api/session/counters/<key>"}'}
    until(lambda: scraped.ask("series", **counted), "the visitor's request")
    alerts = [rule["query"] for group in scraped.ask("rules")["groups"] for rule in group["rules"]]
    asked = {selector for expression in SHOWN + alerts for selector in selectors(expression)}
    assert len(alerts) == 7
    assert len(asked) >= 15, asked
    assert [each for each in sorted(asked) if not scraped.ask("series", **{"match[]": each})] == []


@pytest.mark.parametrize("expression", SHOWN)
def test_an_expression_of_the_dashboard_is_promql(scraped: Prometheus, expression: str) -> None:
    scraped.ask("query", query=expression)


def test_an_alert_fires_when_the_database_stands_still_and_ends_when_it_goes_on(
    deployment: Deployment, scraped: Prometheus
) -> None:
    database = deployment.container("db")
    database.pause()
    try:
        until(lambda: "StoreDown" in scraped.firing(), "an alert", 45, rest_s=0.5)
    finally:
        database.unpause()
    until(lambda: "StoreDown" not in scraped.firing(), "the end of the alert", 30, rest_s=0.5)
    deployment.wait_for_database()


def test_each_alert_fires_when_it_should_and_not_before(deployment: Deployment) -> None:
    mounts = {str(OBSERVE): "/etc/hopproof", str(ROOT / "tests/integration"): "/tests"}
    for command in (
        ["check", "config", "/etc/hopproof/prometheus.yml"],
        ["test", "rules", "/tests/test_alerts.yml"],
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


def test_a_profile_that_is_none_is_refused_with_what_to_type(deployment: Deployment) -> None:
    done = deployment.script("infra/up", fails=True, PROFILES="observe,grafana")
    refusal = "up: PROFILES='observe,grafana': there is no profile 'grafana'; try PROFILES=polyglot,observe\n"
    assert done.stderr == refusal
