from __future__ import annotations

from collections.abc import Iterator

import pytest
from counting import CountingVisitors

from verify.deployment import Deployment
from verify.visitor import Visitor


@pytest.fixture
def visitor(deployment: Deployment) -> Visitor:
    return deployment.visitor()


@pytest.fixture
def crowd(deployment: Deployment) -> Iterator[CountingVisitors]:
    """Visitors who click before the test's fault, during it, and until the test stops them."""
    crowd = CountingVisitors(deployment)
    try:
        crowd.get_around()
        yield crowd
    finally:
        crowd.stop()


@pytest.fixture(autouse=True)
def _every_test_finds_it_whole(whole: None) -> None:
    pass
