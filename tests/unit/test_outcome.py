"""The rule of outcomes: done, certainly not done, or unknown. The load test's image has it, too."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from verify.outcome import outcome_of

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("status", "server", "outcome"),
    [
        (200, "web-1", "ok"),
        (204, "web-1", "ok"),
        (303, "web-1", "unknown"),
        (409, "web-1", "refused"),
        (500, "web-1", "unknown"),
        (503, "balancer", "refused"),
        (503, "web-1", "unknown"),
        (502, "balancer", "unknown"),
        (504, "balancer", "unknown"),
        (0, None, "unknown"),
    ],
)
def test_an_outcome_says_what_is_certain(status: int, server: str | None, outcome: str) -> None:
    assert outcome_of(status, server) == outcome


def test_a_request_that_was_never_sent_was_not_carried_out() -> None:
    assert outcome_of(0, None, is_sent=False) == "refused"


def imported(path: Path) -> set[str]:
    """Return the modules that a file imports, by their full names."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def test_the_load_tests_image_has_all_that_its_visitors_import() -> None:
    wanted = {name for path in (ROOT / "loadtests").glob("*.py") for name in imported(path)}
    of_verify = sorted(name for name in wanted if name.partition(".")[0] == "verify")
    assert of_verify == ["verify.outcome"]
    assert "tests/verify/outcome.py" in (ROOT / "loadtests/Dockerfile").read_text()
    assert "!tests/verify/outcome.py" in (ROOT / ".dockerignore").read_text().splitlines()
    assert imported(ROOT / "tests/verify/outcome.py") <= sys.stdlib_module_names
    assert imported(ROOT / "tests/verify/__init__.py") == set()
