"""infra/group/settings.sh: what DB and GROUP_NETWORK may be, and the memory that a group needs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SETTINGS = Path(__file__).parents[2] / "infra/group/settings.sh"
# The functions that the sourcing script has; the setting is the variable, as in infra/settings.sh.
AROUND = """set -euo pipefail
setting() { printf %s "${!1:-$2}"; }
give_up() { printf '%s\\n' "$@" >&2; exit 1; }
. "$SETTINGS"
"""


def said_by(script: str, root: Path, **variables: str) -> str:
    """Return what the script complains about, "" if it ends well."""
    environment = {"PATH": os.environ["PATH"], "root": str(root), "SETTINGS": str(SETTINGS)} | variables
    done = subprocess.run(
        ["bash", "-c", AROUND + script], env=environment, capture_output=True, text=True, check=False
    )
    assert bool(done.returncode) == bool(done.stderr), done
    return done.stderr


@pytest.mark.parametrize("variables", [{}, {"DB": "single"}, {"DB": "group", "GROUP_NETWORK": "10.1.2"}])
def test_a_known_database_is_taken(variables: dict[str, str], tmp_path: Path) -> None:
    assert said_by("check_database", tmp_path, **variables) == ""


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"DB": "groups"}, "DB='groups' is not single or group"),
        ({"DB": "group", "GROUP_NETWORK": "10.1.2.0/24"}, "try GROUP_NETWORK=10.213.47"),
        ({"DB": "group", "GROUP_NETWORK": "ten.one.two"}, "GROUP_NETWORK='ten.one.two' is not"),
    ],
)
def test_another_is_refused_with_one_that_is(variables: dict[str, str], said: str, tmp_path: Path) -> None:
    assert said in said_by("check_database", tmp_path, **variables)


@pytest.mark.parametrize(
    ("free_mb", "runs", "is_refused"), [(2599, "", True), (2600, "", False), (10, "c0ffee", False)]
)
def test_a_group_starts_only_where_its_memory_is_free(
    free_mb: int, runs: str, is_refused: bool, tmp_path: Path
) -> None:
    compose = tmp_path / "infra/compose"
    compose.parent.mkdir()
    compose.write_text(f"#!/bin/sh\necho {runs}\n")
    compose.chmod(0o755)
    said = said_by(f"awk() {{ echo {free_mb}; }}; refuse_little_memory", tmp_path)
    assert (f"this machine has {free_mb} free; nothing was changed" in said) == is_refused
