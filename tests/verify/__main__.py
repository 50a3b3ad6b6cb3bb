"""`make verify`: every guarantee under every fault, on the stack that runs here.

Environment: ONLY, names of guarantees and faults (all); SEED (drawn and printed); SABOTEUR, a name
of guarantees.py; TARGET, the file of another deployment, which is judged instead. Exit status: 0 all held,
1 something broken, 2 something void, or bad usage.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import signal
import sys
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from verify.anybody import faults_of
from verify.deployment import Deployment, Stack
from verify.faults import FAULTS, Fault, at_hand
from verify.guarantees import GUARANTEES, SABOTEURS, spoken
from verify.matrix import REPORTS, exit_status, fill, write_reports
from verify.sabotage import sabotage, sabotaged_group
from verify.target import BadTarget, Target, read
from verify.trial import Trial
from verify.verdict import Cell


def chosen(
    only: str, saboteur: str = "", there_are: Collection[str] = tuple(FAULTS)
) -> tuple[list[str], list[str]]:
    """Return the guarantees and the faults that ONLY names: all guarantees if it names none; likewise faults.

    there_are: the names of faults. A saboteur is looked for under the fault that makes it show.
    """
    names = re.split(r"[\s,]+", only.strip()) if only.strip() else []
    unknown = [name for name in names if name not in GUARANTEES and name not in there_are]
    if unknown:
        give_up(
            f"ONLY={only!r}: there is no {' and no '.join(unknown)}",
            f"guarantees: {' '.join(GUARANTEES)}",
            f"faults: {' '.join(there_are)}",
        )
    if saboteur and saboteur not in SABOTEURS:
        give_up(f"there is no SABOTEUR={saboteur!r}", f"saboteurs: {' '.join(SABOTEURS)}")
    usual = [SABOTEURS[saboteur].under] if saboteur else list(there_are)
    return (
        [name for name in GUARANTEES if name in names] or list(GUARANTEES),
        [name for name in there_are if name in names] or usual,
    )


def give_up(*lines: str) -> NoReturn:
    print("verify: " + "\n    ".join(lines), file=sys.stderr)
    raise SystemExit(2)


def main() -> int:
    saboteur, file = os.environ.get("SABOTEUR", ""), os.environ.get("TARGET", "")
    if saboteur and file:
        give_up("SABOTEUR breaks a stack of ours, and TARGET is another's: one of them at a time")
    target, theirs = described(file) if file else (None, FAULTS)
    guarantees, faults = chosen(os.environ.get("ONLY", ""), saboteur, theirs)
    if sys.argv[1:] == ["--check"]:
        return 0
    # The context managers heal after Ctrl-C (SIGINT) and after the signal of a CI (SIGTERM). Set for both,
    # because a shell makes its background processes ignore SIGINT.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    seed = os.environ.get("SEED") or secrets.token_hex(4)
    print(f"verify: SEED={seed} repeats this schedule", flush=True)
    if saboteur:
        return find(saboteur, guarantees, faults, seed)
    if target:
        return judge_target(target, guarantees, {name: theirs[name] for name in faults}, seed)
    stack = Stack(
        os.environ["COMPOSE_PROJECT_NAME"],
        os.environ["HOPPROOF_URL"],
        int(os.environ["WEB_REPLICAS"]),
        os.environ.get("HOPPROOF_CA") or None,
        Path(os.environ["HOPPROOF_STATE"]),
    )
    names, faults = faults, at_hand(faults, stack.services)
    guarantees = spoken(guarantees, stack.services)
    if not faults:
        give_up(
            f"nothing here can suffer {' or '.join(names)}",
            "try CACHE=memcached, PROFILES=polyglot, PROFILES=frameworks or DB=group in .env, and make up",
        )
    try:
        cells, trials = fill(stack, guarantees, {name: FAULTS[name] for name in faults}, seed)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        print("verify: interrupted; putting everything back", flush=True)
        stack.thaw()
        stack.wait_for_database()  # Compose gives up at once on a database whose last check found it frozen
        stack.script("infra/up")
        return 130
    return concluded(cells, trials, seed)


def described(file: str) -> tuple[Target, Mapping[str, Fault]]:
    """Return the deployment of a file, and what can strike it."""
    try:
        target = read(Path(file))
        return target, faults_of(target)
    except BadTarget as error:
        give_up(f"TARGET={file}: {error}")


def judge_target(target: Target, guarantees: Sequence[str], faults: Mapping[str, Fault], seed: str) -> int:
    """Judge a deployment that is not ours. Return the exit status."""
    for said in target.declared():
        print(f"verify: {said}", flush=True)
    try:
        target.check()
        cells, trials = fill(target, spoken(guarantees, target.services), faults, seed)
    except (BadTarget, AssertionError) as error:
        give_up(str(error))
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        print("verify: interrupted; starting again what stands still", flush=True)
        target.thaw()
        return 130
    return concluded(cells, trials, seed, os.environ["TARGET"])


def concluded(
    cells: Sequence[Cell], trials: Mapping[str, Trial], seed: str, target: str | None = None
) -> int:
    """Write the reports, and return the exit status."""
    write_reports(cells, trials, seed, target=target)
    status = exit_status(cells)
    print(f"\nverify: {['all held', 'BROKEN', 'VOID'][status]}; see {REPORTS}/verify.html", flush=True)
    return status


def find(saboteur: str, guarantees: Sequence[str], faults: Sequence[str], seed: str) -> int:
    """Judge a stack of its own in which one part is broken. Return 1 if it was found, as it should be."""
    meant, run = SABOTEURS[saboteur], os.environ["HOPPROOF_TEST_RUN"]
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as running:
        if meant.needs:
            stack: Stack = running.enter_context(sabotaged_group(saboteur, Path(folder), run))
        else:
            stack = running.enter_context(Deployment(Path(folder), run))
            running.enter_context(sabotage(stack))(saboteur)
        judged = {name: FAULTS[name] for name in faults}
        cells, trials = fill(stack, spoken(guarantees, stack.services), judged, seed)
    write_reports(cells, trials, seed, saboteur)
    broken = [cell.guarantee for cell in cells if cell.verdict == "broken"]
    print(f"\nverify: {saboteur} {meant.how} and was to break {meant.breaks}; broken: {' '.join(broken)}")
    return 1 if meant.breaks in broken else 2


if __name__ == "__main__":
    sys.exit(main())
