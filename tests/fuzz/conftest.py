"""How many cases are tried of each property, and their count at the end of a run.

In `make test` a few hundred, the same every time. In `make fuzz` FUZZ_CASES others each time.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

from fuzz.drawn import tried

CASES = os.environ.get("FUZZ_CASES")
settings.register_profile(
    "fuzz",
    max_examples=int(CASES or 150),
    derandomize=CASES is None,
    print_blob=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("fuzz")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if tried:
        shown = ", ".join(f"{number:,} {name}" for name, number in sorted(tried.items()))
        terminalreporter.write_line(f"cases tried: {shown}")
