"""The sections of docs/ that are generated from measured results, each between two markers.

A generator calls `replace_section`; a test compares the document with the generator's output.
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
    """Replace the document's section of this name by a new one, markers included."""
    text = document.read_text(encoding="utf-8")
    document.write_text(text.replace(section_in(document, name), new), encoding="utf-8")
