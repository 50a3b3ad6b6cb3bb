"""One fault, one crowd, one history."""

from __future__ import annotations

import hashlib
import random
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from string import ascii_lowercase, ascii_uppercase, digits
from typing import Any

from harness.checkers import Run
from harness.crowd import Crowd
from harness.deployment import Stack
from harness.faults import DidNotStrike, Fault, plant
from harness.history import Operation, Recorder
from harness.visitor import Visitor

PLANTED_ROWS = 300
# Runs a janitor until it has had one pass, or another has.
ONE_PASS = """
import os, subprocess, sys
soon = os.environ | {"JANITOR_PERIOD_S": "1"}
with subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, text=True, env=soon) as janitor:
    for said in janitor.stdout:
        if "removed" in said or "another cleaner" in said:
            break
    janitor.terminate()
"""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a trial takes its time. quiet_s: nothing but ok for so long counts as recovered."""

    warm_up_s: float = 5
    longest_hold_s: float = 20
    quiet_s: float = 3


FULL = Pace()
# For saboteurs, which show at once, and for every test run.
QUICK = Pace(warm_up_s=2, longest_hold_s=2, quiet_s=1)


@dataclass(frozen=True, slots=True)
class Trial:
    """A run for the checkers, with the facts that a reader of the verdict asks for.

    evidence: what the fault left behind; None: it did not strike, and `trouble` says why.
    recovery_s: from the strike (the heal, if visitors needed it) to the last answer that was not ok;
    None: there were still such answers half a minute after the heal.
    """

    run: Run
    evidence: str | None
    trouble: str | None
    recovery_s: float | None


def strike(stack: Stack, fault: Fault, seed: str, pace: Pace = FULL) -> Trial:
    """Let a crowd in, let the fault strike and heal, and return what everybody saw.

    Whatever happens, Ctrl-C included, the fault is healed before this returns or raises.
    """
    recorder = Recorder()
    auditor = Auditor(stack, recorder)
    evidence, trouble = None, None
    stack.make_whole()
    servers = len(stack.server_names())
    planted = auditor.plant_rows()
    with Crowd(stack, recorder, seed) as crowd:
        time.sleep(pace.warm_up_s)
        struck = healed = time.monotonic_ns()
        try:
            with fault.strike(stack) as evidence:
                time.sleep(min(fault.hold_s, pace.longest_hold_s))
                healed = time.monotonic_ns()
        except (DidNotStrike, AssertionError) as error:
            evidence, trouble = None, str(error)
        stack.make_whole()
        auditor.clean_twice_at_once(planted)
        has_recovered = _is_quiet(recorder, pace.quiet_s)
    crowd.read_finals()
    crowd.replay_dead_ids()
    auditor.count_rows_around_reading(seed)
    auditor.count_rows_of_forged(crowd.forged_ids)
    history = recorder.history()
    run = Run(history, struck, healed, fault.takes == "store", servers)
    since = struck if fault.heals_itself else healed
    return Trial(run, evidence, trouble, _recovery_s(history, since) if has_recovered else None)


def _recovery_s(history: list[Operation], since: int) -> float:
    return max([0, *(o.completed - since for o in history if not_as_asked(o))]) / 1e9


def not_as_asked(o: Operation) -> bool:
    """Whether the visitor asked for something that is theirs and did not get it."""
    was_refused = o.dares and o.outcome == "failed" and 400 <= o.status < 500
    return not o.is_ok and not was_refused and o.role != "aborter"


def _is_quiet(recorder: Recorder, quiet_s: float) -> bool:
    """Wait until everybody has been served for so long, and say whether that came to pass."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        time.sleep(0.2)
        last = max((o.completed for o in recorder.history() if not_as_asked(o)), default=0)
        if time.monotonic_ns() - last > quiet_s * 10**9:
            return True
    return False


class Auditor:
    """Looks into the table, which no visitor can."""

    def __init__(self, stack: Stack, recorder: Recorder) -> None:
        self._stack = stack
        self._recorder = recorder

    def _record(self, act: str, expected: Any, find: Callable[[], Any]) -> None:
        began = time.monotonic_ns()
        found = find()
        now = time.monotonic_ns()
        self._recorder.add(
            Operation(
                "auditor", "auditor", "auditor", 0, act, None, expected, "ok", 0, found, "db", None, None,
                "kept", began, now,
            )
        )  # fmt: skip

    def _count(self, condition: str) -> int:
        return int(self._stack.sql(f"SELECT COUNT(*) FROM sessions WHERE {condition}")[0][0])

    def plant_rows(self) -> str:
        """Insert rows that expired a second ago, and rows that live for half an idle timeout more."""
        name = secrets.token_hex(5)
        plant(self._stack, f"{name}-old", "UNIX_TIMESTAMP() - 1", PLANTED_ROWS)
        plant(self._stack, f"{name}-new", "UNIX_TIMESTAMP() + 900", PLANTED_ROWS)
        return name

    def clean_twice_at_once(self, planted: str) -> None:
        """Let two cleaners run, and count what they have left of the planted rows."""
        plant(self._stack, f"{planted}-new2", "UNIX_TIMESTAMP() + 60", PLANTED_ROWS)
        self._clean(cleaners=2)
        if self._count(f"id LIKE '{planted}-old%'"):
            self._clean(cleaners=1)  # the deployment's own janitor may have been at it, and had begun before
        self._record("expired-rows-left", 0, lambda: self._count(f"id LIKE '{planted}-old%'"))
        self._record("live-rows-left", 2 * PLANTED_ROWS, lambda: self._count(f"id LIKE '{planted}-new%'"))
        self._stack.sql(f"DELETE FROM sessions WHERE id LIKE '{planted}-new%'")

    def _clean(self, cleaners: int) -> None:
        janitor = self._stack.container("janitor")
        # A janitor that cannot clean says so, and tries again for ever.
        command = ["timeout", "60", "python", "-c", ONE_PASS, *janitor.attrs["Config"]["Cmd"]]
        with ThreadPoolExecutor(cleaners) as pool:
            for cleaner in [pool.submit(janitor.exec_run, command) for _ in range(cleaners)]:
                assert cleaner.result().exit_code == 0, cleaner.result().output

    def count_rows_around_reading(self, seed: str) -> None:
        """Count the new rows, read without an id and with ids that nobody was given, and count again."""
        ((now,),) = self._stack.sql("SELECT UNIX_TIMESTAMP()")
        are_new = f"created_at >= {now}"  # the older ones may be cleaned away meanwhile
        before = self._count(are_new)
        dice = random.Random(seed)
        for session_id in (None, "short", "x" * 5000, *(_forged(dice) for _ in range(20))):
            Visitor(self._stack.url, session_id).show()
        self._record("rows-after-reading", before, lambda: self._count(are_new))

    def count_rows_of_forged(self, forged_ids: list[str]) -> None:
        keys = ",".join(f"UNHEX('{hashlib.sha256(i.encode()).hexdigest()}')" for i in forged_ids)
        self._record("rows-of-forged", 0, lambda: self._count(f"id IN ({keys})" if keys else "FALSE"))


def _forged(dice: random.Random) -> str:
    alphabet = ascii_uppercase + ascii_lowercase + digits + "-_"
    return "".join(dice.choices(alphabet, k=42)) + "A"
