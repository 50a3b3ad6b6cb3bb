"""The longest wait and the service that is missing, of histories made by hand."""

from __future__ import annotations

import pytest
from histories import Visit

from verify.evidence import Run
from verify.felt import Felt, felt
from verify.history import Operation

S = 10**9
STRUCK, HEALED, ENDED = 10, 14, 24  # seconds
me = Visit("shopper-0.0")


def answers(per_second: int, start: int, end: int, **how: object) -> list[Operation]:
    """Return so many answers in each second, after 10 ms each."""
    times = [start + number / per_second for number in range((end - start) * per_second)]
    return [me.read(at=(time, time + 0.01), **how) for time in times]  # type: ignore[arg-type]


def felt_of(*parts: list[Operation]) -> Felt:
    history = sorted((o for part in parts for o in part), key=lambda o: o.invoked)
    return felt(Run(history, STRUCK * S, HEALED * S, ended=ENDED * S))


BEFORE = answers(20, 4, 10)


def test_nobody_feels_a_calm_run() -> None:
    cost = felt_of(BEFORE, answers(20, 10, 24))
    assert cost.longest_wait_s == pytest.approx(0.01)
    assert cost.service_lost_s == 0


def test_a_second_without_answers_is_a_second_lost() -> None:
    assert felt_of(BEFORE, answers(20, 12, 24)).missing == (1, 1, 0, 0)


def test_a_third_of_the_answers_that_is_missing_for_three_seconds_is_one_second_lost() -> None:
    assert felt_of(BEFORE, answers(14, 10, 13), answers(20, 13, 24)).service_lost_s == pytest.approx(0.9)


def test_noise_loses_nothing() -> None:
    assert felt_of(BEFORE, answers(17, 10, 24)).service_lost_s == 0


def test_an_error_is_no_service() -> None:
    errors = answers(20, 10, 11, status=503, server="balancer")
    assert felt_of(BEFORE, errors, answers(20, 11, 24)).missing[0] == 1


def test_a_strike_that_is_felt_late_counts() -> None:
    assert felt_of(BEFORE, answers(20, 10, 13), answers(20, 14, 24)).service_lost_s == 1
    assert felt_of(BEFORE, answers(20, 10, 15), answers(20, 16, 24)).service_lost_s == 0


def test_what_comes_after_the_service_is_back_is_not_the_faults() -> None:
    assert felt_of(BEFORE, answers(20, 11, 17), answers(20, 19, 24)).service_lost_s == 1


def test_no_more_than_fifteen_seconds_count() -> None:
    cost = felt(Run(BEFORE, STRUCK * S, HEALED * S, ended=60 * S))
    assert cost.service_lost_s == 15


def test_who_waits_when_it_strikes_waits_for_the_fault() -> None:
    waits = me.read(at=(9.5, 12.5))
    early, late = me.read(at=(5, 9)), me.read(at=(24.5, 40))
    cost = felt_of(BEFORE, [waits, early, late], answers(20, 10, 24))
    assert cost.longest is waits


def test_a_run_without_answers_tells_nothing() -> None:
    assert felt(Run([], STRUCK * S, HEALED * S, ended=ENDED * S)) == Felt(None, ())
