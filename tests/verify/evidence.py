"""The input of a checker, a run, and its output, violations."""

from __future__ import annotations

from dataclasses import dataclass

from verify.history import History, Operation


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that a fault may cost visitors, in seconds; None: any.

    wait_s: the longest wait. lost_s: the service lost. late_s: until the last answer that was not as asked,
    from the moment on at which the part that was away answers again; again_s: the same from the strike on, of
    operations that began before the repair.
    """

    wait_s: float | None = None
    lost_s: float | None = None
    late_s: float | None = None
    again_s: float | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """The record of one trial: its history, and when the fault struck.

    struck, healed, back, ended: monotonic ns; `healed`: the repair began, `back`: all parts answer again;
    the visitors came until `ended`. store_is_out: the fault takes the database away. servers: their number
    before it struck. budget: None if what visitors felt is not judged. error_within_s, remembers_the_dead:
    see Subject.
    """

    history: History
    struck: int
    healed: int
    store_is_out: bool = False
    servers: int = 0
    back: int = 0
    ended: int = 0
    budget: Budget | None = None
    error_within_s: float | None = 3
    remembers_the_dead: bool = True


@dataclass(frozen=True, slots=True)
class Violation:
    """One contradiction: in words, and the operations that show it."""

    what: str
    operations: tuple[Operation, ...]

    def __str__(self) -> str:
        return "\n".join([self.what, *(f"    {operation}" for operation in self.operations)])
