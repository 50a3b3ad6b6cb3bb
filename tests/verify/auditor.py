"""Looks into the table, which no visitor can: plants rows, lets cleaners run, and counts what is left.

In a deployment that is not ours it counts rows at most, where the file says how.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase, digits
from typing import Any

from verify.deployment import Stack
from verify.history import Operation, Recorder
from verify.inside import run_inside
from verify.subject import Subject
from verify.table import count, plant, uproot
from verify.target import Target

PLANTED_ROWS = 300
PROBE = Path(__file__).with_name("member_probe.py").read_text()
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


class Auditor:
    """Records the rows found and the rows expected, as operations for the checkers. Here: none."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def plant_rows(self) -> str:
        """Insert rows that have expired, and rows that live on. Return the beginning of their names."""
        return ""

    def reading_at_each_member(self) -> AbstractContextManager[None]:
        """Record what each member of a group of databases answers meanwhile."""
        return contextlib.nullcontext()

    def clean_twice_at_once(self, planted: str) -> None:
        """Let two cleaners run, and count the planted rows that are left."""

    def count_rows_around_reading(self, seed: str) -> None:
        """Count the new rows, read without an id and with ids that no visitor was given, and count again."""

    def count_rows_of_forged(self, forged_ids: list[str]) -> None:
        """Count the rows under ids that no visitor was given."""

    def _record(self, act: str, expected: int, find: Callable[[], int]) -> None:
        began = time.monotonic_ns()
        found = find()
        self._add(act, expected, found, "db", began, time.monotonic_ns())

    def _add(self, act: str, expected: Any, found: Any, server: str, began: int, ended: int) -> None:
        self._recorder.add(
            Operation(
                "auditor", "auditor", "auditor", 0, act, None, expected, "ok", 0, found, server, None, None,
                "kept", began, ended,
            )
        )  # fmt: skip


class StackAuditor(Auditor):
    """The auditor of a stack of ours."""

    def __init__(self, stack: Stack, recorder: Recorder) -> None:
        super().__init__(recorder)
        self._stack = stack

    @contextlib.contextmanager
    def reading_at_each_member(self) -> Iterator[None]:
        """Count in a session of its own, and record what each member of a group answers about it."""
        keepers = self._stack.containers("keeper")
        if not keepers:
            yield
            return
        visitor = self._stack.visitor()
        visitor.add("n")
        key = hashlib.sha256(str(visitor.session_id).encode()).hexdigest()
        stop, ended = f"/dev/shm/stop-{secrets.token_hex(8)}", threading.Event()
        web = (Path(self._stack.folder) / "secrets/db_web_password").read_text()

        def count_until_told() -> None:
            while not ended.wait(0.05):
                began, answer = time.monotonic_ns(), visitor.add("n")
                if answer.status == 200:
                    self._add(
                        "acknowledged", None, answer.body["value"], answer.server, began, time.monotonic_ns()
                    )

        with ThreadPoolExecutor(2) as pool:
            said = pool.submit(run_inside, keepers[0], ["python", "-c", PROBE, key, stop], WEB_PASSWORD=web)
            counted = pool.submit(count_until_told)
            try:
                yield
            finally:
                ended.set()
                run_inside(keepers[0], ["touch", stop])
        counted.result()
        code, output = said.result()
        assert code == 0, output
        for line in map(json.loads, output.splitlines()):
            self._add(
                f"read at {line['state']}",
                None,
                line["n"],
                line["member"],
                line["invoked"],
                line["completed"],
            )

    def plant_rows(self) -> str:
        name = secrets.token_hex(5)
        plant(self._stack, f"{name}-old", "UNIX_TIMESTAMP() - 1", PLANTED_ROWS)
        plant(self._stack, f"{name}-new", "UNIX_TIMESTAMP() + 900", PLANTED_ROWS)
        return name

    def clean_twice_at_once(self, planted: str) -> None:
        plant(self._stack, f"{planted}-new2", "UNIX_TIMESTAMP() + 60", PLANTED_ROWS)
        self._clean(cleaners=2)
        if count(self._stack, f"id LIKE '{planted}-old%'"):
            self._clean(cleaners=1)  # the deployment's own janitor may have begun before the planting
        self._record("expired-rows-left", 0, lambda: count(self._stack, f"id LIKE '{planted}-old%'"))
        self._record(
            "live-rows-left", 2 * PLANTED_ROWS, lambda: count(self._stack, f"id LIKE '{planted}-new%'")
        )
        uproot(self._stack, f"{planted}-new")

    def _clean(self, cleaners: int) -> None:
        janitor = self._stack.container("janitor")
        # A janitor that cannot clean says so, and tries again for ever.
        command = ["timeout", "60", "python", "-c", ONE_PASS, *janitor.attrs["Config"]["Cmd"]]
        with ThreadPoolExecutor(cleaners) as pool:
            for cleaner in [pool.submit(run_inside, janitor, command) for _ in range(cleaners)]:
                code, output = cleaner.result()
                assert code == 0, output

    def count_rows_around_reading(self, seed: str) -> None:
        ((now,),) = self._stack.sql("SELECT UNIX_TIMESTAMP()")
        are_new = f"created_at >= {now}"  # the older ones may be cleaned away meanwhile
        before = count(self._stack, are_new)
        read_as_nobody(self._stack, seed)
        self._record("rows-after-reading", before, lambda: count(self._stack, are_new))

    def count_rows_of_forged(self, forged_ids: list[str]) -> None:
        keys = ",".join(f"UNHEX('{hashlib.sha256(i.encode()).hexdigest()}')" for i in forged_ids)
        self._record("rows-of-forged", 0, lambda: count(self._stack, f"id IN ({keys})" if keys else "FALSE"))


class RowCounter(Auditor):
    """The auditor of a target whose file says how its rows are counted."""

    def __init__(self, target: Target, recorder: Recorder) -> None:
        super().__init__(recorder)
        self._target = target

    def count_rows_around_reading(self, seed: str) -> None:
        before = self._target.count_rows()
        read_as_nobody(self._target, seed)
        # Fewer is no fault: a cleaner may have been there meanwhile.
        self._record("rows-after-reading", before, lambda: max(before, self._target.count_rows()))


def auditor_of(subject: Subject, recorder: Recorder) -> Auditor:
    """Return the auditor who sees as much as the subject lets anybody see."""
    if isinstance(subject, Stack):
        return StackAuditor(subject, recorder)
    if isinstance(subject, Target) and subject.counts_rows:
        return RowCounter(subject, recorder)
    return Auditor(recorder)


def read_as_nobody(subject: Subject, seed: str) -> None:
    """Read without an id, and with ids that no visitor was given."""
    dice = random.Random(seed)
    for session_id in (None, "short", "x" * 5000, *(_forged(dice) for _ in range(20))):
        subject.visitor_with(session_id).show()


def _forged(dice: random.Random) -> str:
    alphabet = ascii_uppercase + ascii_lowercase + digits + "-_"
    return "".join(dice.choices(alphabet, k=42)) + "A"
