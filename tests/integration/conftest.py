from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from counting import Crowd

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


@pytest.fixture
def crowd(deployment: Deployment) -> Iterator[Crowd]:
    """Visitors who click from before the test's fault until the test stops them."""
    crowd = Crowd(deployment)
    try:
        crowd.get_around()
        yield crowd
    finally:
        crowd.stop()


@pytest.fixture(autouse=True)
def _all_servers_are_in_rotation(deployment: Deployment) -> Iterator[None]:
    """Whatever a test did to the deployment, the next one finds it whole."""
    deployment.wait_for_servers(deployment.servers)
    yield
    deployment.make_whole()
