"""The tools of a command: the table to look at, the handlers that end and clean, two consoles."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from config import Config, read_config
from hopproof.handler import ListingHandler
from hopproof_operator.table import BrokenRow, Row, Table, share_done
from store import database, janitor_handlers, web_handlers

# Seconds. A shorter walk shows no progress bar.
PATIENCE_S = 1.0


class Refused(Exception):
    """The command cannot be carried out. exit_code: 2 for a wrong command, 1 for the state of the table."""

    def __init__(self, explanation: str, exit_code: int = 2) -> None:
        super().__init__(explanation)
        self.exit_code = exit_code


@contextmanager
def _opened(handler: ListingHandler) -> Iterator[ListingHandler]:
    handler.open()
    try:
        yield handler
    finally:
        handler.close()


class Operator:
    """The parts of a command. config: of a database user who may only read; env names one who may write."""

    def __init__(self, config: Config, env: Mapping[str, str]) -> None:
        self.config = config
        self.table = Table(database(config, connections=1).pool())
        self.out = Console(highlight=False)
        self.notes = Console(stderr=True, highlight=False)
        self.broken = 0
        self._env = env

    @property
    def idle_timeout_s(self) -> int:
        return self.config.session_idle_s

    def ending(self) -> AbstractContextManager[ListingHandler]:
        """A handler like the servers', for the time of one request. So copies of an ended session go, too."""
        return _opened(self._ending_handlers())

    def cleaning(self) -> AbstractContextManager[ListingHandler]:
        return _opened(janitor_handlers(self._acting)())

    @cached_property
    def _ending_handlers(self) -> Callable[[], ListingHandler]:
        return web_handlers(self._acting)

    @property
    def _acting(self) -> Config:
        who = {
            "DB_USER": self._env["ACTING_DB_USER"],
            "DB_PASSWORD_FILE": self._env["ACTING_DB_PASSWORD_FILE"],
        }
        return read_config({**self._env, **who})

    def intact(self, rows: Iterable[Row | BrokenRow]) -> Iterator[Row]:
        """Yield the rows that keep the contract; report the others."""
        for row in rows:
            if isinstance(row, Row):
                yield row
            else:
                self.report(row)

    def report(self, row: BrokenRow) -> None:
        self.broken += 1
        print(f"hopproof: {row.key.hex()} is skipped: {row.complaint}", file=sys.stderr)

    def with_progress(self, rows: Iterable[Row | BrokenRow], doing: str) -> Iterator[Row | BrokenRow]:
        """Yield the rows of a walk; on a terminal, if it takes long, show how much is done."""
        progress = Progress(
            TextColumn(doing),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=self.notes,
            transient=True,
            disable=not self.notes.is_terminal,
        )
        task = progress.add_task(doing, total=1.0)
        started = time.monotonic()
        try:
            for number, row in enumerate(rows):
                yield row
                if number % 100 == 0 and time.monotonic() - started > PATIENCE_S:
                    progress.start()
                    progress.update(task, completed=share_done(row.key))
        finally:
            progress.stop()
