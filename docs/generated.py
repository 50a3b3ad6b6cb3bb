"""The parts of docs/ that are generated from what was measured, each between two markers.

A generator calls `replace_section`; a test compares what the document shows with what the generator writes.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def _markers(name: str) -> tuple[str, str]:
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


def section(name: str, lines: Iterable[str]) -> str:
    """Return the section with these lines, markers included."""
    begin, end = _markers(name)
    return "\n".join([begin, "", *lines, "", end])


def section_in(document: Path, name: str) -> str:
    """Return the section as it stands in a document, markers included. Raises ValueError if it has none."""
    text = document.read_text(encoding="utf-8")
    begin, end = _markers(name)
    return text[text.index(begin) : text.index(end) + len(end)]


def replace_section(document: Path, name: str, new: str) -> None:
    """Put a section, markers included, where the document has the one of this name."""
    text = document.read_text(encoding="utf-8")
    document.write_text(text.replace(section_in(document, name), new), encoding="utf-8")
