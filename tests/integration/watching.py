"""Prometheus as a test asks it, and the series that alerts and dashboards name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import urllib3

from verify.deployment import Deployment


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

    def value(self, expression: str) -> float | None:
        """The newest value of one series; None: there is none."""
        found = self.ask("query", query=expression)["result"]
        return float(found[0]["value"][1]) if found else None

    def firing(self) -> set[str]:
        alerts = self.ask("alerts")["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    def alerts(self) -> list[str]:
        """The expressions of all alerts."""
        return [rule["query"] for group in self.ask("rules")["groups"] for rule in group["rules"]]

    def missing(self, asked: Iterable[str]) -> list[str]:
        """Those of the selectors that choose no series."""
        return [each for each in sorted(asked) if not self.ask("series", **{"match[]": each})]


def expressions(dashboard: Path) -> list[str]:
    """Return what the panels of a dashboard ask."""
    panels = json.loads(dashboard.read_text())["panels"]
    # Grafana fills in this variable itself.
    return [
        target["expr"].replace("$__rate_interval", "1m") for panel in panels for target in panel["targets"]
    ]


def selectors(expression: str) -> set[str]:
    """Return the series in an expression, as it spells them: metric{labels}."""
    bare = re.sub(r"\b(by|on|without) \([^)]*\)|\[[^]]*\]", "", expression)
    found = re.findall(r"\b([a-z_]\w*)\b(?!\s*\()(\{[^}]*\})?", bare)
    return {name + labels for name, labels in found if name not in ("and", "or", "unless", "offset")}
