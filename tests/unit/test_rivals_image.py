"""The image of the other stores has what its servers import of ours."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_servers_of_the_other_stores_can_read_our_settings(tmp_path: Path) -> None:
    copied = re.findall(
        r"^COPY (.*) /app/\S*$", (ROOT / "loadtests/rivals/Dockerfile").read_text(), re.MULTILINE
    )
    for name in " ".join(copied).split():
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, tmp_path / path.name)
        else:
            shutil.copy(path, tmp_path)
    command = [sys.executable, "-c", "from config import DRAINING, read_config"]
    done = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
