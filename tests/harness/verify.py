"""`make verify`: every guarantee under every fault, on the stack that runs here.

Environment: ONLY, names of guarantees and faults (all); SEED (drawn and printed); SABOTEUR, a part of
saboteurs/ to break first. Exit status: 0 all held, 1 something broken, 2 something void, or bad usage.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from guarantees import GUARANTEES
from harness import history
from harness.deployment import ROOT, Stack
from harness.faults import FAULTS
from harness.trial import strike
from harness.verdict import Cell, column

REPORTS = ROOT / "reports"


def chosen(only: str) -> tuple[list[str], list[str]]:
    """Return the guarantees and faults that ONLY names; a kind that it does not name is taken whole."""
    names = re.split(r"[\s,]+", only.strip()) if only.strip() else []
    unknown = [name for name in names if name not in GUARANTEES and name not in FAULTS]
    if unknown:
        raise SystemExit(
            f"verify: ONLY={only!r}: there is no {' and no '.join(unknown)}\n"
            f"    guarantees: {' '.join(GUARANTEES)}\n    faults: {' '.join(FAULTS)}"
        )
    return (
        [name for name in GUARANTEES if name in names] or list(GUARANTEES),
        [name for name in FAULTS if name in names] or list(FAULTS),
    )


def verify(stack: Stack, guarantees: Sequence[str], faults: Sequence[str], seed: str) -> list[Cell]:
    """Run the faults one after the other and return all cells; prints each as it is known."""
    cells = []
    for name in faults:
        trial = strike(stack, FAULTS[name], f"{seed} {name}")
        history.write(trial.run.history, REPORTS / f"history-{name}.jsonl")
        found = column(name, FAULTS[name], trial, guarantees)
        print(f"\n{FAULTS[name].title}: {trial.evidence or 'VOID, ' + str(trial.trouble)}", flush=True)
        for cell in found:
            print(line(cell), flush=True)
        cells += found
    return cells


def line(cell: Cell) -> str:
    claim = GUARANTEES[cell.guarantee].claim
    if cell.verdict == "n/a":
        return f"  {cell.guarantee} n/a     {claim}: {cell.reason}"
    counts = f"ok {cell.ok}, unknown {cell.unknown}, failed {cell.failed}, hops {cell.hops}"
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


def main() -> int:
    # Ctrl-C is healed by the context managers; so is what a CI sends.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    guarantees, faults = chosen(os.environ.get("ONLY", ""))
    seed = os.environ.get("SEED") or secrets.token_hex(4)
    print(f"verify: SEED={seed} repeats this schedule", flush=True)
    stack = Stack(
        os.environ["COMPOSE_PROJECT_NAME"], os.environ["HOPPROOF_URL"], int(os.environ["WEB_REPLICAS"])
    )
    try:
        cells = verify(stack, guarantees, faults, seed)
    except KeyboardInterrupt:
        print("verify: interrupted; putting everything back", flush=True)
        stack.make_whole()
        return 130
    REPORTS.mkdir(exist_ok=True)
    Path(REPORTS / "verify.json").write_text(as_json(cells, seed))
    status = exit_status(cells)
    print(f"\nverify: {['all held', 'BROKEN', 'VOID'][status]}; see reports/verify.json", flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
