"""The page of a verification shows the findings; the document shows the measured run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

import pytest

from generated import section_in
from verify import page, publishing
from verify.evidence import Run, Violation
from verify.faults import FAULTS, at_hand
from verify.guarantees import GUARANTEES, SABOTEURS, spoken
from verify.history import Operation
from verify.trial import Trial
from verify.verdict import Cell

S = 10**9
HOSTILE = '<script>alert("1")</script>'


def operation(at_s: float, server: str = "web-1", **differs: Any) -> Operation:
    fields: dict[str, Any] = {
        "role": "shopper", "visitor": "shopper-0", "visit": "shopper-0.0", "tab": 0, "act": "add",
        "key": "n", "value": None, "outcome": "ok", "status": 200, "result": {"value": 1},
        "server": server, "request_id": None, "sent_id": None, "cookie": "kept",
        "invoked": int((1000 + at_s) * S), "completed": int((1000.02 + at_s) * S),
    }  # fmt: skip
    return Operation(**fields | differs)


LOST = operation(7.0, key="lost", value=HOSTILE)
ERROR = operation(9.0, outcome="unknown", status=504, server="balancer")


def trial(
    *operations: Operation, evidence: str | None = "it was struck", fault: str = "calm", **differs: Any
) -> Trial:
    history = operations or (operation(0), operation(1, "web-2"), operation(2, "web-3"), LOST, ERROR)
    fields: dict[str, Any] = {"trouble": None, "recovery_s": 4.0} | differs
    return Trial(FAULTS[fault], Run(history, 1005 * S, 1012 * S), evidence, **fields)


USUAL = at_hand(FAULTS, [])
SERVICES = {extra: services for extra, (_, _, services) in publishing.EXTRAS.items()}
WITH = {extra: at_hand(FAULTS, services) for extra, services in SERVICES.items()}
TRIALS = {fault: trial(fault=fault) for fault in USUAL}


def cells(*changed: Cell, faults: Iterable[str] = USUAL, services: Iterable[str] = ()) -> list[Cell]:
    """All pairs of a stack with these services, held but for the changed ones."""
    by_pair = {(cell.guarantee, cell.fault): cell for cell in changed}
    said = spoken(GUARANTEES, services)
    return [by_pair.get((g, f)) or _as_wanted(g, f, services) for f in faults for g in said]


def _as_wanted(guarantee: str, fault: str, services: Iterable[str]) -> Cell:
    if publishing.is_without_meaning(guarantee, fault, services):
        return Cell(guarantee, fault, "n/a", reason="a reason")
    return Cell(guarantee, fault, "held", 1200, 3, 1, 3, 800, "it was struck", 4.0, 0.43, 1.5)


def as_measured(found: Iterable[Cell]) -> dict[str, Any]:
    plain = [{name: getattr(cell, name) for name in Cell.__dataclass_fields__} for cell in found]
    return {"seed": "abc", "cells": plain}


def words(page: str) -> str:
    """Return the text that a reader sees, without the markup."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page[page.index("<body>") :]))


BROKEN = Cell(
    "G2", "server-killed", "broken", reason="n is lost", violations=[Violation("n is lost", (LOST,))]
)
VOID = Cell("G1", "scale", "void", reason="no visitor was served")


# The page


def test_the_page_is_one_file_without_script_that_loads_nothing() -> None:
    shown = page.html(cells(BROKEN, VOID), TRIALS, "abc")
    assert not re.findall(r"<script|https?:|@import|url\((?!#)|src=|<link", shown)


def test_every_cell_of_the_matrix_is_in_words_and_leads_to_its_section() -> None:
    shown = page.html(cells(BROKEN, VOID), TRIALS, "abc")
    for cell in cells(BROKEN, VOID):
        target = f"{cell.fault}-{cell.guarantee}"
        assert re.search(rf'href="#{target}" title="[^"]*">. {cell.verdict}</a>', shown), target
        assert f'id="{target}"' in shown


def test_a_broken_cell_tells_its_operations_on_the_clock_of_the_timeline() -> None:
    said = words(page.html(cells(BROKEN), TRIALS, "abc"))
    assert "Broken: 1 of 135 pairs" in said
    assert "✗ broken : G2 under “server killed” : n is lost" in said
    assert "[7.000-7.020] shopper-0.0 tab 0: add &quot;lost&quot;" in said


def test_the_smallest_contradictions_are_told_first() -> None:
    big, small = Violation("big", (LOST,) * 30), Violation("small", (LOST, ERROR))
    broken = Cell("G2", "calm", "broken", reason="big", violations=[big, big, small, big, big])
    said = words(page.html([broken], {"calm": TRIALS["calm"]}, "abc"))
    assert said.index("small [7.000") < said.index("big [7.000")
    assert "and 22 operations more" in said
    assert "and 2 contradictions more" in said


def test_a_void_cell_says_why_and_what_was_looked_for() -> None:
    trials = TRIALS | {"scale": trial(fault="scale", evidence=None, trouble="no proof that it struck")}
    said = words(page.html(cells(VOID), trials, "abc"))
    assert "Void: 1 of 135 pairs prove nothing" in said
    assert "○ void : G1 under “scaled up and down” : no visitor was served" in said
    assert "struck ○ no proof that it struck" in said


def test_what_held_is_said_with_its_numbers() -> None:
    said = words(page.html(cells(), TRIALS, "abc"))
    assert "All held: 10 guarantees under 15 faults" in said
    assert "SEED=abc make verify" in said
    assert "5: 4 ok, 1 not as asked (1 × 504), 0 excused" in said


def test_what_visitors_sent_is_never_markup() -> None:
    shown = page.html(cells(BROKEN), TRIALS, HOSTILE)
    assert "&lt;script&gt;" in shown
    assert "<script" not in shown


def test_a_sabotaged_run_says_so() -> None:
    said = words(page.html(cells(), TRIALS, "abc", "upsert"))
    assert f"upsert {SABOTEURS['upsert'].how}" in said
    assert "SEED=abc SABOTEUR=upsert make verify" in said


def test_a_part_of_the_table_and_a_run_without_operations_are_shown_as_they_are() -> None:
    empty = Trial(FAULTS["calm"], Run((), 0, 0), None, "it did not strike", None)
    said = words(
        page.html([Cell("G3", "calm", "void", reason="no visitor was served")], {"calm": empty}, "abc")
    )
    assert "G3 one session behaves as one copy ○ void" in said
    assert "recovered ✗ never" in said


def test_thirteen_long_runs_stay_below_3_mb() -> None:
    visitors = [f"shopper-{number}" for number in range(17)]
    long = trial(
        *(operation(n / 150, f"web-{n % 9}", visitor=visitors[n % 17], outcome="ok") for n in range(8000)),
        *(
            operation(5 + n / 300, visitor=visitors[n % 17], outcome="unknown", status=503)
            for n in range(1000)
        ),
    )
    assert len(page.html(cells(), dict.fromkeys(USUAL, long), "abc").encode()) < 3_000_000


# The document

every_stack = pytest.mark.parametrize("section", publishing.MEASURED)


def measured(section: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(publishing.MEASURED[section].read_text(encoding="utf-8"))
    return found


@every_stack
def test_the_document_shows_what_was_measured(section: str) -> None:
    shown = section_in(publishing.DOCUMENT, section)
    assert shown == publishing.markdown(measured(section)), "type: tests/verify/run publish"


@every_stack
def test_every_guarantee_was_measured_under_every_fault_and_held(section: str) -> None:
    assert publishing.unfit(measured(section)) == []
    assert publishing.section_of(measured(section)) == section


def test_a_matrix_with_a_gap_a_stranger_or_a_red_cell_is_not_published() -> None:
    stranger = Cell("G1", "earthquake", "held")
    for found in (cells()[1:], [*cells(), stranger], cells(BROKEN), cells(VOID)):
        assert len(publishing.unfit(as_measured(found))) == 1
    assert publishing.unfit(as_measured(cells())) == []
    for extra, faults in WITH.items():
        assert publishing.unfit(as_measured(cells(faults=faults, services=SERVICES[extra]))) == []
    assert publishing.unfit(as_measured(cells(faults=at_hand(FAULTS, WITH)))) != []  # of no section


def test_the_section_has_a_claim_for_each_guarantee_and_a_row_for_each_fault() -> None:
    section = publishing.markdown(as_measured(cells()))
    for name in spoken(GUARANTEES, []):
        assert f"- **{name}** {GUARANTEES[name].claim}\n" in section
    assert_rows(section, USUAL)
    assert "18,060 operations" in section


@pytest.mark.parametrize("extra", WITH)
def test_the_section_of_a_stack_with_something_more_has_rows_for_what_that_suffers(extra: str) -> None:
    services = SERVICES[extra]
    section = publishing.markdown(as_measured(cells(faults=WITH[extra], services=services)))
    assert_rows(section, WITH[extra], services)


def assert_rows(section: str, faults: Iterable[str], services: Iterable[str] = ()) -> None:
    for name in faults:
        fault = FAULTS[name]
        said = spoken(GUARANTEES, services)
        verdicts = " | ".join("–" if publishing.is_without_meaning(g, name, services) else "✓" for g in said)
        row = f"| {fault.title} | {verdicts} | 1,200 | 3 | 1 | 4.0 s | 0.43 s | 1.5 s |"
        assert row in section
