"""The conditions under which a load test fails, and its number of visitors over time."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from gates import Seen, reasons_to_fail
from shapes import SHAPES, visitors_at

GOOD = Seen(requests=3000, p95_ms=40, servers=Counter(a=1000, b=1000, c=1000), hops=2000)


def reasons(**differences: object) -> str:
    return "\n".join(reasons_to_fail(replace(GOOD, **differences), expected_servers=3, max_p95_ms=250))


def test_a_good_run_passes() -> None:
    assert reasons() == ""


def test_a_run_without_requests_fails() -> None:
    assert reasons_to_fail(Seen(), 1, 250) == ["not one request was made"]


@pytest.mark.parametrize("found", ["lost", "wrong"])
def test_a_single_lost_or_wrong_answer_fails_and_is_told(found: str) -> None:
    told = reasons(findings=Counter({found: 1}), examples=["ada at web-1: the counter went back from 7 to 3"])
    assert f"1 answers were {found}" in told
    assert "from 7 to 3" in told


def test_one_failure_in_a_thousand_passes_and_one_more_does_not() -> None:
    assert reasons(failed=3) == ""
    assert "4 of 3000 requests failed" in reasons(failed=4)


def test_a_server_without_traffic_fails() -> None:
    assert "2 servers answered, expected 3" in reasons(servers=Counter(a=1500, b=1500))


def test_visitors_who_stay_on_one_server_prove_nothing() -> None:
    assert "only 700 of 3000 answers came from another server" in reasons(hops=700)


def test_one_server_alone_needs_no_hops() -> None:
    assert reasons_to_fail(replace(GOOD, servers=Counter(a=3000), hops=0), 1, 250) == []


def test_slow_answers_fail() -> None:
    assert reasons(p95_ms=250) == ""
    assert "p95 is 251 ms, over 250 ms" in reasons(p95_ms=251)


def visitors(shape: str) -> list[int | None]:
    return [visitors_at(shape, seconds, users=50, duration_s=60) for seconds in (0, 15, 30, 45, 59.9, 60)]


def test_shapes() -> None:
    assert {shape: visitors(shape) for shape in SHAPES} == {
        "steady": [50, 50, 50, 50, 50, None],
        "ramp": [1, 12, 25, 38, 50, None],
        "spike": [10, 10, 50, 10, 10, None],
    }
