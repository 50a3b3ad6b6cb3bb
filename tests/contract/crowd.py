"""Eight servers as eight processes, so that a lock inside one process cannot keep them in order.

The functions below the class run in those processes. Each write is a request of its own,
and each answer is kept: "ok", the name of the error, or the number that came back.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from threading import BrokenBarrierError
from typing import Any

from hopproof.handler import Change, SessionConflict, SessionError
from hopproof.mysql import Database, MySQLHandler
from hopproof.mysql.connection import Connection
from hopproof.pool import Pool

SERVERS = 8
# Seconds, far more than any process needs: a process that died must not hang the others.
GIVE_UP_S = 60

_line: Any = None  # where the processes wait for each other


class Crowd:
    """Runs functions in eight processes that start at the same moment."""

    def __enter__(self) -> Crowd:
        # Not fork: a child would inherit the connections of the tests.
        spawn = multiprocessing.get_context("spawn")
        self._executor = ProcessPoolExecutor(SERVERS, spawn, _stand_at, (spawn.Barrier(SERVERS),))
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown()

    def run(self, *tasks: tuple[Any, ...]) -> list[Any]:
        """Return the results of eight tasks, each a function and its arguments."""
        assert len(tasks) == SERVERS, "fewer would wait at the line for ever"
        futures = [self._executor.submit(_run_together, *task) for task in tasks]
        return [future.result(GIVE_UP_S) for future in futures]


def _stand_at(line: Any) -> None:
    global _line
    _line = line


def _run_together(function: Callable[..., Any], *arguments: Any) -> Any:
    together()
    return function(*arguments)


def together() -> None:
    """Wait until all eight are here."""
    try:
        _line.wait(GIVE_UP_S)
    except BrokenBarrierError:
        raise AssertionError(f"process {os.getpid()} waited for the others in vain") from None


@cache
def pool_of(database: Database) -> Pool[Connection]:
    return database.pool()


def answer_of(handler: MySQLHandler, act: Callable[[MySQLHandler], Any]) -> Any:
    """Return the answer to one request, or the kind of its error."""
    handler.open()
    try:
        result = act(handler)
    except SessionError as error:
        return f"{type(error).__name__}: {error}"
    finally:
        handler.close()
    return result


def _written(handler: MySQLHandler, key: bytes, change: Change) -> Any:
    result = handler.write(key, change)
    return "ok" if result is None else result


def write_each(database: Database, key: bytes, changes: Sequence[Change]) -> list[Any]:
    handler = MySQLHandler(pool_of(database), deadline_s=GIVE_UP_S)
    return [answer_of(handler, lambda h, change=change: _written(h, key, change)) for change in changes]


def write_one_each(database: Database, changes: Sequence[tuple[bytes, Change]]) -> list[Any]:
    """Write to one session after the other, each time together with the other processes."""
    handler = MySQLHandler(pool_of(database), deadline_s=GIVE_UP_S)
    answers = []
    for key, change in changes:
        together()
        answers.append(answer_of(handler, lambda h, key=key, change=change: _written(h, key, change)))
    return answers


def destroy_each(database: Database, keys: Sequence[bytes]) -> list[Any]:
    handler = MySQLHandler(pool_of(database), deadline_s=GIVE_UP_S)
    answers = []
    for key in keys:
        together()
        answers.append(answer_of(handler, lambda h, key=key: h.destroy(key) or "ok"))
    return answers


def end_user_each(database: Database, users: Sequence[str]) -> list[Any]:
    handler = MySQLHandler(pool_of(database), deadline_s=GIVE_UP_S)
    answers = []
    for user in users:
        together()
        answers.append(answer_of(handler, lambda h, user=user: h.end_user(user)))
    return answers


def live_a_little(database: Database, keys: Sequence[bytes], rounds: int) -> list[Any]:
    """Read, touch, change and count as visitors do; return the answers that were errors."""
    handler = MySQLHandler(pool_of(database), deadline_s=GIVE_UP_S)
    deeds = (
        lambda h, key: h.read(key),
        lambda h, key: h.write(key, Change()),
        lambda h, key: h.write(key, Change(set={"page": 1})),
        lambda h, key: h.write(key, Change(add=("visits", 1))),
        lambda h, key: h.write(os.urandom(32), Change(set={"new": True}, create=True)),
    )
    answers = [
        answer_of(handler, lambda h, deed=deed, key=key: deed(h, key))
        for _ in range(rounds)
        for key in keys
        for deed in deeds
    ]
    return [answer for answer in answers if isinstance(answer, str) and answer != "ok"]


def clean_in_batches(database: Database, batch: int) -> int:
    """Clean; return how many rows were removed, 0 if another cleaner was at work."""
    handler = MySQLHandler(pool_of(database), deadline_s=GIVE_UP_S, clean_batch=batch, clean_pause_s=0)
    handler.open()
    try:
        return handler.clean()
    except SessionConflict:
        return 0
    finally:
        handler.close()
