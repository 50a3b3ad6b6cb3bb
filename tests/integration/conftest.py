from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.deployment import Deployment
from harness.visitor import Visitor


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder: Path = tmp_path_factory.mktemp("state")
    with Deployment(folder, os.environ["HOPPROOF_TEST_RUN"]) as running:
        yield running


@pytest.fixture
def visitor(deployment: Deployment) -> Visitor:
    return deployment.visitor()


@pytest.fixture(autouse=True)
def _all_servers_are_in_rotation(deployment: Deployment) -> Iterator[None]:
    """Whatever a test did to the deployment, the next one finds it whole."""
    deployment.wait_for_servers(deployment.servers)
    yield
    deployment.make_whole()
