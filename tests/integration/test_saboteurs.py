"""The harness can fail: each guarantee turns red when the part that it rests on is broken."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest

from verify.deployment import Deployment
from verify.faults import FAULTS
from verify.guarantees import GUARANTEES, SABOTEURS
from verify.matrix import line
from verify.sabotage import Break, sabotage
from verify.trial import QUICK, Pace, strike
from verify.verdict import Cell, column

SEED = os.environ["HOPPROOF_TEST_RUN"]


@pytest.fixture(scope="module")
def break_part(deployment: Deployment) -> Iterator[Break]:
    with sabotage(deployment) as break_part:
        yield break_part


def judged(deployment: Deployment, fault: str, pace: Pace = QUICK) -> dict[str, Cell]:
    trial = strike(deployment, FAULTS[fault], SEED, pace)
    return {cell.guarantee: cell for cell in column(fault, trial, GUARANTEES)}


def test_without_a_broken_part_the_servers_that_can_be_sabotaged_hold(
    deployment: Deployment, break_part: Break
) -> None:
    break_part("nobody")
    cells = judged(deployment, "calm").values()
    assert [line(cell) for cell in cells if cell.verdict not in ("held", "n/a")] == []


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nobody", "passed: nothing lost, nothing wrong"),
        ("dict-per-process", "the cart's length went back from"),
        ("last-answer-again", "is in the cart of"),
        ("stickiness", "answers came from another server than the last"),
    ],
)
def test_the_load_test_tells_what_went_backwards(
    deployment: Deployment, break_part: Break, name: str, told: str
) -> None:
    break_part(name)
    # Enough visitors that two meet at one server while last-answer-again keeps an answer (20 ms).
    # The speed is not judged here, so the limit is out of reach.
    run = deployment.script("loadtests/run", fails=name != "nobody", USERS="30", DURATION="6", P95_MS="60000")
    assert told in run.stdout


# Those of a group need one that starts broken: make verify SABOTEUR=their-name.
@pytest.mark.parametrize("name", [name for name, saboteur in SABOTEURS.items() if saboteur.needs is None])
def test_a_saboteur_is_found(deployment: Deployment, break_part: Break, name: str) -> None:
    break_part(name)
    saboteur = SABOTEURS[name]
    # The cost of a fault is never judged in a short run, except here.
    cells = judged(deployment, saboteur.under, replace(QUICK, unjudged=None))
    cell = cells[saboteur.breaks]
    assert cell.verdict == "broken", "\n".join(line(cell) for cell in cells.values())
    # The report names the operations and their visitors.
    assert cell.violations[0].operations
    assert all(operation.server for operation in cell.violations[0].operations)
