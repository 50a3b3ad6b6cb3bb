"""The suite of the probe API, which the reference app passes, on the adapters for other frameworks."""

# ruff: noqa: F403  the tests of whole modules
from __future__ import annotations

import pytest
from adapters import ADAPTERS
from test_bodies import *
from test_broken_session import *
from test_dead_ids import *
from test_keys_in_paths import *
from test_outage import *
from test_probe_api import *
from test_session_cookie import *


@pytest.fixture(params=ADAPTERS, ids=lambda kind: kind.__name__)
def site(request):
    site = request.param()
    yield site
    site.close()
