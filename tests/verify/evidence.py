"""The input of a checker, a run, and its output, violations."""

from __future__ import annotations

from dataclasses import dataclass

from verify.history import History, Operation


@dataclass(frozen=True, slots=True)
class Run:
    """The record of one trial: its history, and when the fault struck.

    struck, healed, ended: monotonic ns; the visitors came until `ended`. store_is_out: the fault takes
    the database away. servers: their number before it struck.
    """

    history: History
    struck: int
    healed: int
    store_is_out: bool = False
    servers: int = 0
    ended: int = 0


@dataclass(frozen=True, slots=True)
class Violation:
    """One contradiction: in words, and the operations that show it."""

    what: str
    operations: tuple[Operation, ...]

    def __str__(self) -> str:
        return "\n".join([self.what, *(f"    {operation}" for operation in self.operations)])
