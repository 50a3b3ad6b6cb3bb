"""The README's table of guarantees is true to the tests, name by name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUARANTEES = re.findall(r"^\| .+ \| .+ \| (`test_.+`) \|$", (ROOT / "README.md").read_text(), re.MULTILINE)
NAMED = sorted(set(re.findall(r"`(test_\w+)`", " ".join(GUARANTEES))))
WRITTEN = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))


def test_the_table_of_guarantees_is_found() -> None:
    assert len(GUARANTEES) >= 20


@pytest.mark.parametrize("name", NAMED)
def test_a_guarantee_names_a_test_that_exists(name: str) -> None:
    assert f"def {name}(" in WRITTEN
