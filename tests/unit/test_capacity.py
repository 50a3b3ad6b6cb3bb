"""infra/capacity, which every start, scale and deploy asks first: it needs no engine."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# All of them: the environment wins over a reader's own .env.
LISTED = dict(re.findall(r"^([A-Z_]+)=(.+)$", (ROOT / ".env.example").read_text(), re.MULTILINE))


def complaint(*arguments: str, **settings: str) -> str:
    """Return what the script says against it, nothing if the deployment fits."""
    command = [ROOT / "infra/capacity", *arguments]
    # Of a single database, whichever one a stack has that runs here.
    environment = {**os.environ, **LISTED, "DB": "single", **settings}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode != 0) == (done.stderr != "")
    return done.stderr


def test_the_defaults_fit() -> None:
    assert complaint() == ""


@pytest.mark.parametrize("count", ["0", "21", "many", "-1", "1.5", "1e1"])
def test_a_senseless_number_of_servers_is_refused_with_what_to_type(count: str) -> None:
    told = f"WEB_REPLICAS='{count}' is not a whole number of servers from 1 to 20; try WEB_REPLICAS=3\n"
    assert complaint(count) == told


def test_servers_may_use_all_connections_but_the_reserve() -> None:
    assert complaint("3", DB_POOL="8", DB_MAX_CONNECTIONS="34") == ""
    told = complaint("3", DB_POOL="8", DB_MAX_CONNECTIONS="33")
    assert "WEB_REPLICAS=3 × WEB_WORKERS=1 × DB_POOL=8 = 24 connections" in told
    assert "Take fewer servers (at most 2)" in told
    assert "DB_MAX_CONNECTIONS=34" in told


def test_the_connections_of_php_servers_count() -> None:
    php = {"PROFILES": "polyglot", "PHP_REPLICAS": "2", "PHP_CHILDREN": "16"}
    assert complaint("3", DB_POOL="8", DB_MAX_CONNECTIONS="70", **php) == ""
    assert "PHP_REPLICAS=2 × (PHP_CHILDREN=16 + 2) = 60 connections" in complaint(
        "3", DB_POOL="8", DB_MAX_CONNECTIONS="69", **php
    )
