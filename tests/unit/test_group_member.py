"""infra/group/member: a member leaves its group before MySQL stops."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MEMBER = Path(__file__).parents[2] / "infra/group/member"
# MySQL's entrypoint and client, which note what they are asked.
SERVER = """#!/usr/bin/env bash
trap 'echo stopped >>"$NOTES"; exit 0' TERM
echo "started $*" >>"$NOTES"
if [ "$DIES" = "at once" ]; then exit 3; fi
while sleep 0.02; do if [ -n "$DIES" ]; then exit 3; fi; done
"""
CLIENT = """#!/usr/bin/env bash
echo "${@: -1}" >>"$NOTES"
exit "$LEAVES"
"""


@contextmanager
def member(folder: Path, dies: str = "", leaves: int = 0) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Run a member, and yield it with the file of what was asked."""
    for name, text in {"docker-entrypoint.sh": SERVER, "mysql": CLIENT}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    notes = folder / "notes"
    environment = {
        **os.environ,
        "PATH": f"{folder}:{os.environ['PATH']}",
        "NOTES": str(notes),
        "DIES": dies,
        "LEAVES": str(leaves),
    }
    with subprocess.Popen(["bash", MEMBER, "--server-id=1"], env=environment) as running:
        while not notes.exists():
            time.sleep(0.02)
        yield running, notes


@pytest.mark.parametrize("leaves", [0, 1])
def test_a_member_that_is_asked_to_stop_leaves_first_and_stops_in_any_case(
    tmp_path: Path, leaves: int
) -> None:
    with member(tmp_path, leaves=leaves) as (running, notes):
        running.terminate()
        assert running.wait(30) == 0
    started, left, stopped = notes.read_text().splitlines()
    assert (started, stopped) == ("started --server-id=1", "stopped")
    assert left.endswith("SET GLOBAL offline_mode = ON; STOP GROUP_REPLICATION")


@pytest.mark.parametrize("dies", ["at once", "later"])
def test_a_member_whose_server_dies_ends_as_it_did(tmp_path: Path, dies: str) -> None:
    with member(tmp_path, dies=dies) as (running, notes):
        assert running.wait(30) == 3
    assert notes.read_text() == "started --server-id=1\n"
