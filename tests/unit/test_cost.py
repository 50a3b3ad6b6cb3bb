"""G10, on histories made by hand: the budget of a fault, and when it is not judged."""

from __future__ import annotations

from dataclasses import replace

import pytest
from histories import Visit, run

from verify.checkers.cost import a_fault_costs_no_more_than_its_budget
from verify.evidence import Budget, Run
from verify.faults import FAULTS
from verify.history import Operation
from verify.trial import QUICK, Trial
from verify.verdict import column

S = 10**9
me = Visit("shopper-0.0")


def of(budget: Budget | None, *more: Operation, gap: tuple[int, int] = (0, 0)) -> Run:
    """Return a run of 30 s with 20 answers a second, none within the gap; struck at 10, back at 14."""
    times = [number / 20 for number in range(600) if not gap[0] <= number / 20 < gap[1]]
    told = run(*(me.read(at=(at, at + 0.01)) for at in times), *more, struck=10, healed=13)
    return replace(told, back=14 * S, ended=30 * S, budget=budget)


def found(told: Run) -> list[str]:
    return [violation.what for violation in a_fault_costs_no_more_than_its_budget(told)]


SLOW = me.read(at=(10.5, 11.75))


def test_a_wait_within_the_budget_is_allowed_and_a_longer_one_is_told() -> None:
    assert found(of(Budget(wait_s=1.5), SLOW)) == []
    assert found(of(Budget(wait_s=1), SLOW)) == ["a wait of 1.25 s, 1 s are allowed"]


def test_service_lost_within_the_budget_is_allowed_and_more_is_told() -> None:
    assert found(of(Budget(lost_s=2), gap=(11, 13))) == []
    assert found(of(Budget(lost_s=2), gap=(11, 14))) == ["3.0 s of service were lost, 2 s are allowed"]


@pytest.mark.parametrize(("at", "allowed"), [(14.9, True), (15.1, False)])
def test_what_comes_late_after_everything_answers_again_is_told(at: float, allowed: bool) -> None:
    late = me.read(at=(at - 0.1, at), status=503, server="web-a")
    assert (found(of(Budget(late_s=1), late)) == []) == allowed


@pytest.mark.parametrize(("at", "allowed"), [(24.9, True), (25.1, False)])
def test_what_comes_late_after_the_strike_is_told(at: float, allowed: bool) -> None:
    late = me.read(at=(at - 0.1, at), status=503, server="web-a")
    assert (found(replace(of(Budget(again_s=15), late), healed=26 * S)) == []) == allowed


def test_the_return_of_what_was_struck_may_disturb_once_more() -> None:
    late = me.read(at=(25, 25.1), status=503, server="web-a")
    assert found(replace(of(Budget(again_s=15), late), healed=24 * S)) == []


def verdict_of(fault: str, told: Run, unjudged: str | None = None) -> tuple[str, str | None]:
    trial = Trial(FAULTS[fault], told, "it struck", None, 0.1, unjudged)
    (cell,) = column(fault, trial, ["G10"])
    return cell.verdict, cell.reason


def test_only_a_run_that_judges_can_break_it() -> None:
    slow = of(FAULTS["server-killed"].budget, SLOW)
    assert verdict_of("server-killed", slow) == ("broken", "a wait of 1.25 s, 1 s are allowed")
    assert verdict_of("server-killed", replace(slow, budget=None), QUICK.unjudged) == ("n/a", QUICK.unjudged)
    assert verdict_of("calm", replace(slow, budget=None)) == ("n/a", "no budget is set")
