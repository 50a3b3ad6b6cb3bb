"""From a trial to the cells of its column."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Literal

from verify.checkers.cost import a_fault_costs_no_more_than_its_budget
from verify.checkers.hopping import unhopped
from verify.evidence import Violation
from verify.faults import Fault
from verify.felt import Felt, felt
from verify.guarantees import GUARANTEES, Guarantee, without_meaning
from verify.history import Operation, hops, not_as_asked, outcomes
from verify.linearizability import Undecided
from verify.trial import Trial
from verify.visitor import served

Verdict = Literal["held", "broken", "void", "n/a"]
SYMBOLS: dict[Verdict, str] = {"held": "✓", "broken": "✗", "void": "○", "n/a": "–"}


@dataclass(frozen=True, slots=True)
class Cell:
    """One guarantee under one fault. reason: why it is not held; the violations show it.

    longest_wait_s, service_lost_s: what all visitors felt of the fault, see felt.py.
    """

    guarantee: str
    fault: str
    verdict: Verdict
    ok: int = 0
    refused: int = 0
    unknown: int = 0
    servers: int = 0
    hops: int = 0
    fault_proven: str | None = None
    recovery_s: float | None = None
    longest_wait_s: float | None = None
    service_lost_s: float | None = None
    reason: str | None = None
    violations: list[Violation] = field(default_factory=list)


def column(name: str, trial: Trial, guarantees: Iterable[str]) -> list[Cell]:
    """Return the cells of a fault of this name, in the order of the guarantees."""
    cost = felt(trial.run)
    return [_cell(guarantee, name, trial, cost) for guarantee in guarantees]


def _cell(name: str, fault: str, trial: Trial, cost: Felt) -> Cell:
    reason = without_meaning(name, trial.fault) or trial.not_judged.get(name)
    if reason is None and GUARANTEES[name].check is a_fault_costs_no_more_than_its_budget:
        reason = trial.unjudged
    if reason:
        return Cell(name, fault, "n/a", reason=reason)
    guarantee = GUARANTEES[name]
    counted = [o for o in trial.run.history if o.role in guarantee.roles]
    verdict, reason, violations = _verdict(guarantee, trial, counted)
    counts = outcomes(counted)
    return Cell(
        name,
        fault,
        verdict,
        counts["ok"],
        counts["refused"],
        counts["unknown"],
        len(set(served(counted))),
        hops(counted),
        trial.evidence,
        None if trial.recovery_s is None else round(trial.recovery_s, 1),
        round(cost.longest_wait_s, 2),
        round(cost.service_lost_s, 1),
        reason,
        violations,
    )


def _verdict(
    guarantee: Guarantee, trial: Trial, counted: list[Operation]
) -> tuple[Verdict, str | None, list[Violation]]:
    # A contradiction counts, also in a run that went wrong in another way.
    undecided = None
    try:
        violations = guarantee.check(trial.run)
    except Undecided as given_up:
        violations, undecided = [], f"undecided: {given_up}"
    violations += _over_budget(trial.fault, counted)
    if trial.recovery_s is None:
        last = [o for o in counted if not_as_asked(o)][-1:]
        violations.append(Violation("visitors did not recover", tuple(last)))
    if violations:
        return "broken", violations[0].what, violations
    if trial.evidence is None:
        return "void", trial.trouble, []
    if undecided:
        return "void", undecided, []
    if not any(o.is_ok for o in counted):
        return "void", "no visitor was served", []
    if "G9" not in trial.not_judged and (stuck := unhopped(counted)):
        return "void", f"no hop: {', '.join(stuck)}", []
    return "held", None, []


def _over_budget(fault: Fault, counted: list[Operation]) -> list[Violation]:
    """Return the answers that the fault does not excuse."""
    met = [o for o in counted if not_as_asked(o)]
    strange = [o for o in met if o.status not in fault.statuses or o.act in fault.spares]
    found = [Violation(f"{o.act} got {o.status or 'no answer'}", (o,)) for o in strange]
    if fault.per_tab is not None:
        per_tab = Counter((o.visit, o.tab) for o in met)
        for (visit, tab), count in per_tab.items():
            if count > fault.per_tab and not strange:
                theirs = [o for o in met if (o.visit, o.tab) == (visit, tab)]
                found.append(Violation(f"{count} requests of one tab were not ok", tuple(theirs)))
    return found


def number(things: Collection[object], noun: str) -> str:
    """Return how many things there are, in words: 1 cell, 1,200 cells."""
    return f"{len(things):,} {noun}{'' if len(things) == 1 else 's'}"
