"""The deployment that tests share, and the count of tests per kind at the end of a run."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from verify.deployment import Deployment


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder: Path = tmp_path_factory.mktemp("state")
    with Deployment(folder, os.environ["HOPPROOF_TEST_RUN"]) as running:
        yield running


@pytest.fixture(scope="session")
def tls_deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A stack with TLS=self, which also believes a proxy on this machine."""
    folder: Path = tmp_path_factory.mktemp("tls-state")
    stack = Deployment(folder, os.environ["HOPPROOF_TEST_RUN"], servers=2, tls=True)
    stack.variables |= {"TLS_PROXY_NETWORKS": "gateway", "HSTS_S": "300"}
    with stack:
        yield stack


@pytest.fixture
def whole(deployment: Deployment) -> Iterator[None]:
    """A deployment with all its servers in rotation, before the test and again after it."""
    deployment.make_whole()
    yield
    deployment.make_whole()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counts: dict[str, Counter[str]] = {}
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.getreports(outcome):
            kind = Path(report.nodeid).parts[1]
            counts.setdefault(kind, Counter())[outcome] += 1
    terminalreporter.section("tests per kind")
    for kind, outcomes in sorted(counts.items()):
        shown = ", ".join(f"{number} {outcome}" for outcome, number in outcomes.items())
        terminalreporter.write_line(f"{kind:12} {shown}")
