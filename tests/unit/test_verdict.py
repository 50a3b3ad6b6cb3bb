"""The conditions for a cell to be held, broken, void or n/a, and the command's exit status."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from histories import Visit, run

from verify import linearizability
from verify.faults import FAULTS
from verify.guarantees import GUARANTEES, SABOTEURS, without_meaning
from verify.history import Operation, not_as_asked
from verify.matrix import exit_status
from verify.trial import Trial
from verify.verdict import Cell, column

me = Visit("shopper-0.0")
leaver = Visit("leaver-0.0")
WELL = [me.add(1), me.add(2), me.final({"n": 2})]
WRONG = [*WELL, me.read({"n": 1})]

# 0: no answer.
STATUSES = (0, 400, 401, 409, 429, 500, 502, 503, 504)
# Statuses allowed under each fault instead of ok. The others are graceful: none is allowed.
EXCUSED = {
    "server-killed": {0, 502, 503, 504},
    "server-frozen": {0, 502, 503, 504},
    "php-server-killed": {502, 503, 504},
    **{f"{kind}-server-killed": {0, 502, 503, 504} for kind in ("flask", "django", "fastapi")},
    "balancer-restarted": {0, 502, 503, 504},
} | {
    name: {503}
    for name in (
        "database-killed",
        "database-frozen",
        "database-unreachable",
        "primary-killed",
        "primary-stopped",
        "primary-frozen",
        "primary-cut-off",
        "router-unreachable",
        "two-members-killed",
        "all-members-killed",
        "secondary-killed",
        "member-rejoins",
    )
}
OUTAGES = [name for name, fault in FAULTS.items() if name in EXCUSED and fault.per_tab is None]


def cell(fault: str, story: Sequence[Operation], guarantee: str = "G1", **differs: Any) -> Cell:
    trial = replace(
        Trial(FAULTS[fault], run(*story), evidence="it struck", trouble=None, recovery_s=0.25), **differs
    )
    (found,) = column(fault, trial, [guarantee])
    return found


def judged(*arguments: Any, **named: Any) -> tuple[str, str | None]:
    found = cell(*arguments, **named)
    return found.verdict, found.reason


def times(count: int, operation: Operation, **differs: Any) -> list[Operation]:
    return [replace(operation, **differs)] * count


def error(status: int, **how: Any) -> Operation:
    return me.read(status=status, server="balancer", **how)


def test_a_cell_counts_what_its_guarantees_visitors_met() -> None:
    answered = [me.add(1, server="web-a"), me.add(2, server="web-b"), me.add(3, server="web-b")]
    others = Visit("passer-by-0.0").did("stateless", server="web-c")
    found = cell("server-killed", [*answered, error(503), me.read(status=504, server="web-a"), others])
    assert (found.verdict, found.ok, found.refused, found.unknown) == ("held", 3, 1, 1)
    assert (found.servers, found.hops, found.fault_proven, found.recovery_s) == (2, 2, "it struck", 0.2)


# Budgets


def test_a_graceful_fault_excuses_nothing() -> None:
    assert judged("rolling-deploy", WELL) == ("held", None)
    assert judged("rolling-deploy", [*WELL, error(503)]) == ("broken", "read got 503")
    assert judged("rolling-deploy", [*WELL, error(0)]) == ("broken", "read got no answer")


def test_each_fault_excuses_its_own_errors_and_no_other() -> None:
    def is_excused(fault: str, status: int) -> bool:
        found = judged(fault, [*WELL, error(status)])
        assert found in [("held", None), ("broken", f"read got {status or 'no answer'}")]
        return found[0] == "held"

    excused = {fault: {status for status in STATUSES if is_excused(fault, status)} for fault in FAULTS}
    assert excused == {fault: EXCUSED.get(fault, set()) for fault in FAULTS}


def test_a_killed_server_excuses_two_errors_of_each_tab() -> None:
    two_each = [o for tab in range(3) for o in times(2, error(503), tab=tab)]
    elsewhere = times(2, error(504), visit="shopper-0.1")
    assert judged("server-killed", [*WELL, *two_each, *elsewhere]) == ("held", None)
    found = cell("server-killed", [*WELL, *two_each, error(502, tab=1)])
    assert (found.verdict, found.reason) == ("broken", "3 requests of one tab were not ok")
    assert [o.tab for o in found.violations[0].operations] == [1, 1, 1]


def test_an_outage_excuses_errors_as_long_as_it_lasts() -> None:
    story = [*WELL, *times(50, error(503))]
    assert {fault: judged(fault, story) for fault in OUTAGES} == dict.fromkeys(OUTAGES, ("held", None))


def test_locked_tables_excuse_writes_and_no_reads() -> None:
    assert judged("tables-locked", [*WELL, *times(50, me.add(status=503))]) == ("held", None)
    assert judged("tables-locked", [*WELL, me.read(status=503)]) == ("broken", "read got 503")


def test_a_refusal_is_a_right_answer_to_one_who_dares() -> None:
    refused = leaver.add(status=409, dares=True)
    assert judged("calm", [leaver.add(1), refused], "G4") == ("held", None)
    assert judged("calm", [leaver.add(1), replace(refused, dares=False)], "G4") == ("broken", "add got 409")


def test_an_error_is_no_right_answer_to_one_who_dares() -> None:
    for server in ("web-a", "balancer"):
        story = [leaver.add(1), leaver.add(status=503, server=server, dares=True)]
        assert judged("calm", story, "G4") == ("broken", "add got 503")
    no_connection = leaver.add(status=0, outcome="refused", dares=True)
    assert judged("calm", [leaver.add(1), no_connection], "G4") == ("broken", "add got no answer")


def test_who_goes_away_before_the_answer_asks_for_nothing() -> None:
    assert not not_as_asked(Visit("aborter-0.0").read(status=0))


def test_what_other_visitors_met_is_another_cells_budget() -> None:
    story = [*WELL, leaver.add(status=500), Visit("aborter-0.0").read(status=0)]
    assert judged("calm", story) == ("held", None)
    assert judged("calm", story, "G4")[0] == "broken"


def test_visitors_who_do_not_recover_break_the_cell() -> None:
    first, last = error(503), error(503)
    found = cell("database-killed", [*WELL, first, last, me.read({"n": 2})], recovery_s=None)
    assert (found.verdict, found.reason, found.recovery_s) == ("broken", "visitors did not recover", None)
    assert found.violations[-1].operations == (last,)


# Void


def test_a_fault_that_did_not_strike_proves_nothing() -> None:
    trouble = {"evidence": None, "trouble": "no proof that it struck"}
    assert judged("server-killed", WELL, **trouble) == ("void", "no proof that it struck")


def test_a_contradiction_is_one_even_if_the_fault_did_not_strike() -> None:
    trouble = {"evidence": None, "trouble": "no proof that it struck"}
    assert judged("server-killed", WRONG, **trouble) == ("broken", "n is 1, expected 2 to 2")


@pytest.mark.parametrize("story", [[], [leaver.add(1)], times(3, error(503))])
def test_a_run_in_which_nobody_was_served_proves_nothing(story: list[Operation]) -> None:
    assert judged("database-killed", story) == ("void", "no visitor was served")


def test_a_visitor_who_never_hopped_proves_nothing() -> None:
    story = [replace(o, server="web-a") for o in [*WELL, *times(20, me.read({"n": 2}))]]
    assert judged("calm", story) == ("void", "no hop: shopper-0.0")
    assert judged("calm", story, "G9") == ("broken", "shopper-0.0 was answered by web-a only, 23 times")


def test_a_search_given_up_proves_nothing_and_excuses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linearizability, "MAX_CONFIGURATIONS", 0)
    assert judged("calm", WELL, "G3") == ("void", "undecided: 3 operations of shopper-0.0")
    assert judged("calm", [*WELL, error(503)], "G3") == ("broken", "read got 503")


# The tables


def test_a_pair_without_meaning_says_why() -> None:
    assert judged("calm", WRONG, "G7") == ("n/a", "nothing is out")
    assert judged("calm", WRONG, "G10") == ("n/a", "no budget is set")
    assert judged("calm", WRONG, "G11") == ("n/a", "there is one database")


def test_each_guarantee_has_a_saboteur_who_breaks_it() -> None:
    assert {saboteur.breaks for saboteur in SABOTEURS.values()} == GUARANTEES.keys()


def test_a_saboteur_breaks_a_cell_that_exists() -> None:
    broken = {name: (saboteur.breaks, FAULTS[saboteur.under]) for name, saboteur in SABOTEURS.items()}
    assert {name: why for name, pair in broken.items() if (why := without_meaning(*pair))} == {}


@pytest.mark.parametrize(
    ("verdicts", "status"),
    [
        (["held", "n/a"], 0),
        (["held", "void", "n/a"], 2),
        (["held", "broken"], 1),
        (["void", "broken", "held"], 1),
    ],
)
def test_the_exit_status_says_the_worst(verdicts: list[Any], status: int) -> None:
    assert exit_status([Cell("G1", "calm", verdict) for verdict in verdicts]) == status
