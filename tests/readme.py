"""The parts of the README that are generated from what was measured, each between two markers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def _markers(name: str) -> tuple[str, str]:
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


def section(name: str, lines: Iterable[str]) -> str:
    """Return the section with these lines, markers included."""
    begin, end = _markers(name)
    return "\n".join([begin, "", *lines, "", end])


def section_in(readme: str, name: str) -> str:
    """Return the section as it stands in a README, markers included."""
    begin, end = _markers(name)
    return readme[readme.index(begin) : readme.index(end) + len(end)]


def replace_section(name: str, new: str) -> None:
    readme = README.read_text(encoding="utf-8")
    README.write_text(readme.replace(section_in(readme, name), new), encoding="utf-8")
