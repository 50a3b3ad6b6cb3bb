"""One fault, one crowd, one history."""

from __future__ import annotations

import hashlib
import random
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.checkers import Run
from harness.crowd import Crowd
from harness.deployment import Stack, until
from harness.faults import DidNotStrike, Fault, plant
from harness.history import Operation, Recorder

WARM_UP_S = 4
# Nothing but ok for so long counts as recovered.
QUIET_S = 3
PLANTED_ROWS = 300


@dataclass(frozen=True, slots=True)
class Trial:
    """What a run gives the checkers, and what a reader wants to know of it.

    evidence: what the fault left behind; None: it did not strike, and `trouble` says why.
    recovery_s: from the strike (the heal, if visitors needed it) to the last answer that was not ok.
    """

    run: Run
    evidence: str | None
    trouble: str | None
    recovery_s: float


def strike(stack: Stack, fault: Fault, seed: str) -> Trial:
    """Let a crowd in, let the fault strike and heal, and return what everybody saw.

    Whatever happens, Ctrl-C included, the fault is healed before this returns or raises.
    """
    recorder = Recorder()
    auditor = Auditor(stack, recorder)
    evidence, trouble = None, None
    stack.make_whole()
    planted = auditor.plant_rows()
    with Crowd(stack, recorder, seed) as crowd:
        time.sleep(WARM_UP_S)
        struck = healed = time.monotonic_ns()
        try:
            with fault.strike(stack) as evidence:
                healed = time.monotonic_ns()
        except (DidNotStrike, AssertionError) as error:
            evidence, trouble = None, str(error)
        back = time.monotonic_ns()
        stack.make_whole()
        auditor.clean_twice_at_once(planted)
        _wait_until_quiet(recorder)
    crowd.read_finals()
    crowd.replay_dead_ids()
    auditor.count_rows_around_reading(seed)
    auditor.count_rows_of_forged(crowd.forged_ids)
    history = recorder.history()
    run = Run(history, struck, healed, fault.takes == "store")
    since = struck if fault.heals_itself else healed
    return Trial(run, evidence, trouble, _recovery_s(history, since, back))


def _recovery_s(history: list[Operation], since: int, back: int) -> float:
    late = [o.completed for o in history if not_as_asked(o) and since < o.completed]
    return max([0, *(completed - since for completed in late)]) / 1e9


def not_as_asked(o: Operation) -> bool:
    """Whether the visitor asked for something that is theirs and did not get it."""
    was_refused = o.dares and o.outcome == "failed" and 400 <= o.status < 500
    return not o.is_ok and not was_refused and o.role != "aborter"


def _wait_until_quiet(recorder: Recorder) -> None:
    def quiet() -> bool:
        since = time.monotonic_ns() - QUIET_S * 10**9
        return not any(not_as_asked(o) for o in recorder.history() if o.completed > since)

    until(quiet, f"nothing but ok for {QUIET_S} s", 60)


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
        """Insert rows that have expired a moment ago, and rows that live, though not for an idle timeout more."""
        name = secrets.token_hex(6)
        plant(self._stack, f"{name}-old", "UNIX_TIMESTAMP() - 1", PLANTED_ROWS)
        plant(self._stack, f"{name}-new", "UNIX_TIMESTAMP() + 900", PLANTED_ROWS)
        return name

    def clean_twice_at_once(self, planted: str) -> None:
        """Let two cleaners run, and count what they have left of the planted rows."""
        janitor = self._stack.container("janitor")
        api = self._stack.docker.api
        # A pass begins at once; what ends the janitor then is the time-out.
        command = ["timeout", "2", *janitor.attrs["Config"]["Cmd"]]
        cleaners = [api.exec_create(janitor.id, command)["Id"] for _ in range(2)]
        streams = [api.exec_start(cleaner, stream=True) for cleaner in cleaners]
        for stream in streams:
            list(stream)
        self._record("expired-rows-left", 0, lambda: self._count(f"id LIKE '{planted}-old%'"))
        self._record("live-rows-left", PLANTED_ROWS, lambda: self._count(f"id LIKE '{planted}-new%'"))
        self._stack.sql(f"DELETE FROM sessions WHERE id LIKE '{planted}-new%'")

    def count_rows_around_reading(self, seed: str) -> None:
        """Count the rows, read without an id and with ids that nobody was given, and count again."""
        before = self._count("TRUE")
        dice = random.Random(seed)
        for session_id in (None, "short", "x" * 5000, *(_forged(dice) for _ in range(20))):
            self._stack.visitor_with(session_id).show() if session_id else self._stack.visitor().show()
        self._record("rows-after-reading", before, lambda: self._count("TRUE"))

    def count_rows_of_forged(self, forged_ids: list[str]) -> None:
        keys = ",".join(f"UNHEX('{hashlib.sha256(i.encode()).hexdigest()}')" for i in forged_ids)
        self._record("rows-of-forged", 0, lambda: self._count(f"id IN ({keys})" if keys else "FALSE"))


def _forged(dice: random.Random) -> str:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return "".join(dice.choices(alphabet, k=42)) + "A"
