"""The short form of `make verify`: every guarantee under four faults, and an interrupted run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from verify.deployment import ROOT, Deployment, until
from verify.faults import FAULTS
from verify.guarantees import GUARANTEES
from verify.matrix import line
from verify.trial import QUICK, strike
from verify.verdict import column

SEED = os.environ["HOPPROOF_TEST_RUN"]


@pytest.mark.parametrize("fault", ["calm", "server-killed", "rolling-deploy", "database-killed"])
def test_every_guarantee_holds_under(deployment: Deployment, fault: str) -> None:
    trial = strike(deployment, FAULTS[fault], SEED, QUICK)
    cells = column(fault, trial, GUARANTEES)
    assert [line(cell) for cell in cells if cell.verdict not in ("held", "n/a")] == []


def test_a_run_that_is_interrupted_while_a_fault_strikes_leaves_a_healthy_stack(
    deployment: Deployment,
) -> None:
    database = deployment.container("db")
    environment = os.environ | {
        "PYTHONPATH": str(ROOT / "tests"),
        "ONLY": "database-frozen",
        "HOPPROOF_URL": deployment.url,
        "REPORTS": str(deployment.folder),
    }

    def status() -> str:
        database.reload()
        return str(database.status)

    command = [sys.executable, "-m", "verify"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as run:
        try:
            until(lambda: status() == "paused", "the database is frozen", 60)
            run.send_signal(signal.SIGINT)
            said, _ = run.communicate(timeout=120)
        finally:
            run.kill()
    assert run.returncode == 130, said
    assert status() == "running"
    assert deployment.visitor().add("n").body == {"value": 1}
