"""The benchmark reports what was measured, and says so when a measurement went wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bench.results import (
    RATIOS,
    added_over_bare,
    kept_over_closed,
    lost,
    measurement,
    ratios,
    sql_statements,
    summary,
    table,
)
from bench.systems import SYSTEMS, WORKS


def said(**differs: Any) -> str:
    line = {
        "requests": 992,
        "seconds": 2.0,
        "wrong": 0,
        "broken": 0,
        "timeouts": 0,
        "p50_ms": 1.5,
        "p99_ms": 4,
    }
    return "Running 2s test @ http://web:8000/\n" + json.dumps(line | differs) + "\n"


def rounds(*speeds: float, **more: Any) -> list[dict[str, Any]]:
    return [{"rps": speed, "requests": 100, "us": {"server": 1000.0}, **more} for speed in speeds]


def works(read: float, write: float = 100, none: float = 1000) -> dict[str, Any]:
    speeds = {"none": none, "read": read, "write": write, "read_one": read, "write_one": write}
    return {work: rounds(speed, speed * 1.1, speed * 0.9) for work, speed in speeds.items()}


COSTS_NOTHING: dict[str, Any] = {"through_balancer": {}, "kept_over_closed": {}, "added_over_bare": {}}


def report(systems: dict[str, Any], missing: dict[str, str]) -> dict[str, Any]:
    found = {name: summary(one) for name, one in systems.items()}
    return {"systems": found, "missing": missing, "ratios": ratios(systems), "limits": {}} | COSTS_NOTHING


def test_a_measurement_is_requests_over_time_and_cpu_over_what_was_served() -> None:
    found = measurement(said(), connections=8, cpu_s={"server": 2.0, "database": 0.5})
    assert found["rps"] == 496.0
    # 8 more than were counted: each connection was waiting for an answer when the time was up.
    assert found["us"] == {"server": 2000, "database": 500}
    assert "invalid" not in found


def test_cpu_that_nobody_asked_for_is_unknown_not_nothing() -> None:
    assert "us" not in measurement(said(), connections=8)
    without_cpu = [{"rps": 5, "requests": 10}]
    assert summary({"read": without_cpu})["us"]["read"] == {}


@pytest.mark.parametrize(
    ("differs", "reason"),
    [
        ({"wrong": 3}, "3 answers with another status"),
        ({"broken": 1}, "1 broken connections"),
        ({"timeouts": 2}, "2 answers after more than 2 s"),
        ({"requests": 0}, "no answer at all"),
    ],
)
def test_wrong_answers_make_a_measurement_invalid(differs: dict[str, int], reason: str) -> None:
    assert measurement(said(**differs), 8)["invalid"] == reason


def test_an_invalid_round_is_told_and_does_not_count() -> None:
    bad = {"rps": 9999, "requests": 1, "us": {"server": 100}, "invalid": "5 answers with another status"}
    found = summary({"read": [*rounds(100, 300), bad]})
    assert found["read_rps"] == 200
    assert found["spread"]["read"] == [100, 300]
    assert found["invalid"] == {"read": ["5 answers with another status"]}


def test_a_work_without_a_valid_round_has_no_speed_and_the_table_says_so() -> None:
    works_found = works(100) | {"write_one": rounds(5, 6, invalid="7 answers with another status")}
    shown = table(report({"beaker": works_found}, {}))
    assert "invalid: beaker write_one, 2 rounds, such as: 7 answers with another status" in shown


def test_one_slow_round_moves_no_median() -> None:
    assert summary({"read": rounds(500, 20, 510, 490, 505)})["read_rps"] == 500


def test_increments_that_the_counters_do_not_show_are_lost() -> None:
    assert lost(acknowledged=100, before=7, after=87) == 20


def test_increments_that_nobody_has_acknowledged_are_no_negative_loss() -> None:
    assert lost(acknowledged=100, before=0, after=108) == 0


def test_pings_are_no_statements() -> None:
    assert sql_statements({"sql/select": 1.0, "com/Ping": 1.0, "sql/commit": 0.5}) == 1.5


def test_a_ratio_is_over_the_best_peer_and_shows_its_rounds() -> None:
    found = ratios({"hopproof": works(1000), "django-db": works(250), "express-mysql-session": works(800)})
    assert found["read_vs_best_python_peer"]["ratio"] == 4.0
    assert found["read_vs_best_peer"]["ratio"] == 1.25
    assert found["read_vs_best_peer"]["over"] == "express-mysql-session"
    assert found["read_vs_none"]["ratio"] == 1.0


def test_a_slow_minute_that_hits_both_sides_moves_no_ratio() -> None:
    ours = works(1000) | {"read": rounds(1000, 100, 1100)}
    theirs = works(250) | {"read": rounds(500, 50, 550)}
    assert ratios({"hopproof": ours, "beaker": theirs})["read_vs_best_peer"]["spread"] == [2.0, 2.0]


def test_an_invalid_round_makes_no_ratio() -> None:
    theirs = works(250) | {"read": [*rounds(500), *rounds(9999, invalid="wrong"), *rounds(500)]}
    assert ratios({"hopproof": works(1000), "beaker": theirs})["read_vs_best_peer"]["ratio"] == 1.9


def test_ours_with_memcached_in_front_is_no_peer_of_ours() -> None:
    found = ratios({"hopproof": works(1000), "hopproof+memcached": works(4000, none=5000)})
    assert set(found) == {"read_vs_none", "read_memcached_vs_none"}
    assert found["read_memcached_vs_none"]["ratio"] == 0.8


@pytest.mark.parametrize("name", RATIOS)
def test_a_ratio_that_needs_a_missing_system_is_left_out(name: str) -> None:
    assert name not in ratios({})


def test_the_table_has_a_line_for_each_system_also_a_missing_one() -> None:
    measured = {name: works(100) for name in SYSTEMS if name != "php-classic"}
    shown = table(report(measured, {"php-classic": "its image could not be built"}))
    assert all(name in shown for name in SYSTEMS)
    assert "php-classic              missing: its image could not be built" in shown


def test_every_work_asks_the_probe_api() -> None:
    assert all(work.request.split()[1].startswith("/api/") for work in WORKS.values())


# CPU, part by part


def used(**us: float) -> dict[str, Any]:
    return {"rps": 100.0, "requests": 100, "us": us}


def test_kept_connections_are_compared_by_the_cpu_of_servers_and_balancer_round_by_round() -> None:
    kept = [used(server=500, balancer=100, database=900), used(server=1000, balancer=200, database=9)]
    closed = [used(server=800, balancer=200, database=5), used(server=1600, balancer=400, database=5)]
    found = kept_over_closed({"kept": {"read": kept}, "closed": {"read": closed}})
    assert found == {"read": {"ratio": 0.6, "spread": [0.6, 0.6], "goal": 0.8}}


def test_a_session_adds_what_a_request_with_one_takes_more_over_the_bare_statement() -> None:
    ours = {"none": [used(server=400, database=0)], "read": [used(server=700, database=300)]}
    limits = {"driver_select_8_connections": [used(client=100, database=200)]}
    assert added_over_bare(ours, limits)["read"]["ratio"] == 2.0


def test_an_invalid_round_costs_nothing() -> None:
    bad = used(server=1, balancer=1) | {"invalid": "5 answers with another status"}
    assert kept_over_closed({"kept": {"read": [bad]}, "closed": {"read": [used(server=1, balancer=1)]}}) == {}
    bare = {"driver_select_8_connections": [used(client=1, database=1)]}
    assert added_over_bare({"none": [bad], "read": [used(server=9, database=9)]}, bare) == {}
