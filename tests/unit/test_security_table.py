"""docs/security.md: each requirement has a verdict with its tests or its reason, and the counts are right."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/security.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (\d[\w. ]*) \| (.+?) \| (.+?) \| (.+) \|$", TEXT, re.MULTILINE)
TESTS = set(
    re.findall(r"^def (test_\w+)", "".join(p.read_text() for p in (ROOT / "tests").rglob("test_*.py")), re.M)
)


def rows_of(verdict: str) -> list[tuple[str, str]]:
    """Return number and last cell of the rows with this verdict."""
    return [(number, shown) for number, _, said, shown in ROWS if said == verdict]


def test_every_row_of_the_tables_is_read_and_has_a_number_of_its_own() -> None:
    lines = [line for line in TEXT.splitlines() if re.match(r"\| \d", line)]
    assert len(ROWS) == len(lines) == len({number for number, *_ in ROWS})
    assert {number.partition(".")[0] for number, *_ in ROWS} == {"3", "4", "5", "7", "12", "13", "16"}


def test_every_row_has_one_of_three_verdicts_and_the_page_counts_them() -> None:
    counts = Counter(said for _, _, said, _ in ROWS)
    assert counts.keys() == {"met", "n.a.", "on purpose"}
    told = ", ".join(f"{counts[verdict]} {verdict}" for verdict in ("met", "n.a.", "on purpose"))
    assert f"**{len(ROWS)} requirements: {told}.**" in TEXT


def test_what_is_met_names_tests_that_exist() -> None:
    named = {number: re.findall(r"`(test_\w+)`", shown) for number, shown in rows_of("met")}
    assert [number for number, tests in named.items() if not tests] == []
    assert {test for tests in named.values() for test in tests} - TESTS == set()


def test_what_is_not_met_has_a_reason_and_what_is_so_on_purpose_a_way() -> None:
    for number, shown in rows_of("n.a.") + rows_of("on purpose"):
        assert len(shown.split()) >= 3, number
    for number, shown in rows_of("on purpose"):
        assert ";" in shown or ":" in shown or "see 13.1.4" in shown, number
