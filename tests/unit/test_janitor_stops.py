"""The janitor as a process: how it takes SIGTERM."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

WEBAPP = Path(__file__).parents[2] / "webapp"

# Pauses of no length, and no log in between: most signals come while a pause begins or ends.
RESTLESS = """
import dataclasses, janitor, logging
from hopproof.memory import MemoryHandler
read_config = janitor.read_config
janitor.read_config = lambda env: dataclasses.replace(read_config(env), janitor_period_s=0)
janitor.janitor_handlers = lambda config, should_continue: MemoryHandler
janitor.start_http_server = lambda port: None  # somebody else may be at it
logging.disable()
print("begins", flush=True)
janitor.main()
"""


@pytest.mark.parametrize("attempt", range(8))
def test_a_stop_at_any_moment_ends_it(attempt: int) -> None:
    environment = os.environ | {"PYTHONPATH": str(WEBAPP), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", RESTLESS], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as janitor:
        try:
            assert janitor.stdout is not None
            assert janitor.stdout.readline() == b"begins\n"
            time.sleep(0.1)  # into the pauses
            janitor.terminate()
            janitor.communicate(timeout=10)
            assert janitor.returncode == 0
        finally:
            janitor.kill()
