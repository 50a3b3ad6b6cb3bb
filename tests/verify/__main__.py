"""`make verify`: every guarantee under every fault, on the stack that runs here.

Environment: ONLY, names of guarantees and faults (all); SEED (drawn and printed); SABOTEUR, a name
of guarantees.py. Exit status: 0 all held, 1 something broken, 2 something void, or bad usage.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

from verify import history, report
from verify.deployment import ROOT, Deployment, Stack
from verify.faults import FAULTS, at_hand
from verify.guarantees import GUARANTEES, SABOTEURS
from verify.sabotage import sabotage
from verify.trial import Trial, strike
from verify.verdict import Cell, column

REPORTS = Path(os.environ.get("REPORTS") or ROOT / "reports")


def chosen(only: str, saboteur: str = "") -> tuple[list[str], list[str]]:
    """Return the guarantees and faults that ONLY names; a kind that it does not name is taken whole.

    A saboteur is looked for under the fault that brings it to light.
    """
    names = re.split(r"[\s,]+", only.strip()) if only.strip() else []
    unknown = [name for name in names if name not in GUARANTEES and name not in FAULTS]
    if unknown:
        give_up(
            f"ONLY={only!r}: there is no {' and no '.join(unknown)}",
            f"guarantees: {' '.join(GUARANTEES)}",
            f"faults: {' '.join(FAULTS)}",
        )
    if saboteur and saboteur not in SABOTEURS:
        give_up(f"there is no SABOTEUR={saboteur!r}", f"saboteurs: {' '.join(SABOTEURS)}")
    usual = [SABOTEURS[saboteur].under] if saboteur else list(FAULTS)
    return (
        [name for name in GUARANTEES if name in names] or list(GUARANTEES),
        [name for name in FAULTS if name in names] or usual,
    )


def give_up(*lines: str) -> NoReturn:
    print("verify: " + "\n    ".join(lines), file=sys.stderr)
    raise SystemExit(2)


def verify(
    stack: Stack, guarantees: Sequence[str], faults: Sequence[str], seed: str
) -> tuple[list[Cell], dict[str, Trial]]:
    """Run the faults one after the other, and return all cells and each fault's trial; prints as it goes."""
    cells: list[Cell] = []
    trials: dict[str, Trial] = {}
    for name in faults:
        trial = trials[name] = strike(stack, FAULTS[name], f"{seed} {name}")
        history.write(trial.run.history, REPORTS / f"history-{name}.jsonl")
        found = column(name, FAULTS[name], trial, guarantees)
        print(f"\n{FAULTS[name].title}: {trial.evidence or 'VOID, ' + str(trial.trouble)}", flush=True)
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


def main() -> int:
    saboteur = os.environ.get("SABOTEUR", "")
    guarantees, faults = chosen(os.environ.get("ONLY", ""), saboteur)
    if sys.argv[1:] == ["--check"]:
        return 0
    # Ctrl-C is healed by the context managers; so is what a CI sends. Set for both: a shell lets what it
    # starts in the background ignore SIGINT.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    seed = os.environ.get("SEED") or secrets.token_hex(4)
    print(f"verify: SEED={seed} repeats this schedule", flush=True)
    if saboteur:
        return find(saboteur, guarantees, faults, seed)
    stack = Stack(
        os.environ["COMPOSE_PROJECT_NAME"], os.environ["HOPPROOF_URL"], int(os.environ["WEB_REPLICAS"])
    )
    names, faults = faults, at_hand(faults, stack.services)
    if not faults:
        give_up(
            f"nothing here can suffer {' or '.join(names)}",
            "try CACHE=memcached or PROFILES=polyglot in .env, and make up",
        )
    try:
        cells, trials = verify(stack, guarantees, faults, seed)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        print("verify: interrupted; putting everything back", flush=True)
        stack.thaw()
        stack.wait_for_database()  # Compose gives up at once on one that its last check found frozen
        stack.script("infra/up")
        return 130
    write_reports(cells, trials, seed)
    status = exit_status(cells)
    print(f"\nverify: {['all held', 'BROKEN', 'VOID'][status]}; see {REPORTS}/verify.html", flush=True)
    return status


def find(saboteur: str, guarantees: Sequence[str], faults: Sequence[str], seed: str) -> int:
    """Judge a stack of its own in which one part is broken. 1: it was found, as it should be."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Deployment(Path(folder), os.environ["HOPPROOF_TEST_RUN"]) as stack,
        sabotage(stack) as break_part,
    ):
        break_part(saboteur)
        cells, trials = verify(stack, guarantees, faults, seed)
    write_reports(cells, trials, seed, saboteur)
    meant = SABOTEURS[saboteur]
    broken = [cell.guarantee for cell in cells if cell.verdict == "broken"]
    print(f"\nverify: {saboteur}, who {meant.how}, was to break {meant.breaks}; broken: {' '.join(broken)}")
    return 1 if meant.breaks in broken else 2


def write_reports(
    cells: Sequence[Cell], trials: Mapping[str, Trial], seed: str, saboteur: str | None = None
) -> None:
    REPORTS.mkdir(exist_ok=True)
    (REPORTS / "verify.json").write_text(as_json(cells, seed))
    report.write(cells, trials, seed, REPORTS, saboteur)


if __name__ == "__main__":
    sys.exit(main())
