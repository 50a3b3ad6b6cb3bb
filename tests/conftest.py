"""Counts the tests of each kind, for the last lines of a run."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counts: dict[str, Counter[str]] = {}
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.getreports(outcome):
            kind = Path(report.nodeid).parts[1]
            counts.setdefault(kind, Counter())[outcome] += 1
    terminalreporter.section("tests per kind")
    for kind, outcomes in sorted(counts.items()):
        shown = ", ".join(f"{number} {outcome}" for outcome, number in outcomes.items())
        terminalreporter.write_line(f"{kind:12} {shown}")
