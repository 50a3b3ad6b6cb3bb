"""Fills the matrix, a column per fault. Prints a line per cell, and writes files at the end."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from verify import history, page
from verify.deployment import ROOT
from verify.faults import Fault, budget_counts
from verify.felt import felt
from verify.guarantees import GUARANTEES
from verify.subject import Subject
from verify.trial import FULL, Trial, strike
from verify.verdict import Cell, column

SHARED_CORES = "three databases share the cores of this machine"
# A machine on which visitors wait longer without any fault is too slow to judge what a fault costs.
CALM_WAIT_S = 0.5
REPORTS = Path(os.environ.get("REPORTS") or ROOT / "reports")


def fill(
    subject: Subject, guarantees: Sequence[str], faults: Mapping[str, Fault], seed: str
) -> tuple[list[Cell], dict[str, Trial]]:
    """Run the faults one after the other, and return all cells and each fault's trial; prints as it goes.

    With a subject that is bounded, a fault that could not end within the bound is left out, which is said.
    """
    cells: list[Cell] = []
    trials: dict[str, Trial] = {}
    pace = FULL
    services = subject.services
    began = time.monotonic()
    for name, fault in faults.items():
        ends_s = time.monotonic() - began + fault.may_take_s
        if subject.ends_after_s is not None and ends_s > subject.ends_after_s:
            print(
                f"\n{fault.title}: left out, because the run may take {subject.ends_after_s:.0f} s",
                flush=True,
            )
            continue
        own = pace
        if not budget_counts(fault, services):
            own = replace(pace, unjudged=pace.unjudged or SHARED_CORES)
        trial = trials[name] = strike(subject, fault, f"{seed} {name}", own)
        history.write(trial.run.history, REPORTS / f"history-{name}.jsonl")
        found = column(name, trial, guarantees)
        print(f"\n{fault.title}: {trial.evidence or 'VOID, ' + str(trial.trouble)}", flush=True)
        cost = felt(trial.run)
        waited = f"{cost.longest_wait_s:.2f} s"
        print(f"  longest wait {waited}, service lost {cost.service_lost_s:.1f} s", flush=True)
        if name == "calm" and cost.longest_wait_s > CALM_WAIT_S:
            slow = f"the machine is busy: calm visitors waited {waited}"
            print(f"  {slow}, so what the faults cost is not judged", flush=True)
            pace = replace(FULL, unjudged=slow)
        for cell in found:
            print(line(cell), flush=True)
        cells += found
    return cells, trials


def line(cell: Cell) -> str:
    claim = GUARANTEES[cell.guarantee].claim
    if cell.verdict == "n/a":
        return f"  {cell.guarantee} n/a     {claim}: {cell.reason}"
    counts = f"ok {cell.ok}, unknown {cell.unknown}, refused {cell.refused}, hops {cell.hops}"
    said = f"  {cell.guarantee} {cell.verdict:7} {claim} ({counts}, recovered in {cell.recovery_s} s)"
    for violation in cell.violations[:3]:
        said += "\n      " + str(violation).replace("\n", "\n      ")
    if cell.verdict == "void":
        said += f"\n      {cell.reason}"
    return said


def exit_status(cells: Sequence[Cell]) -> int:
    verdicts = {cell.verdict for cell in cells}
    return 1 if "broken" in verdicts else 2 if "void" in verdicts else 0


def as_json(cells: Sequence[Cell], seed: str) -> str:
    rows = []
    for cell in cells:
        row = asdict(cell)
        row["violations"] = [str(violation) for violation in cell.violations[:10]]
        rows.append(row)
    return json.dumps({"seed": seed, "cells": rows}, indent=1, ensure_ascii=False) + "\n"


def write_reports(
    cells: Sequence[Cell],
    trials: Mapping[str, Trial],
    seed: str,
    saboteur: str | None = None,
    target: str | None = None,
) -> None:
    REPORTS.mkdir(exist_ok=True)
    (REPORTS / "verify.json").write_text(as_json(cells, seed))
    page.write(cells, trials, seed, REPORTS, saboteur, target)
