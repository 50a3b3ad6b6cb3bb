"""The page that a copy of the folder carries along says what the code says."""

from __future__ import annotations

import ast
import dataclasses
import re
from pathlib import Path

from hopproof import handler

FOLDER = Path(__file__).parents[2] / "webapp/hopproof"
PAGE = (FOLDER / "README.md").read_text()


def verbs(text: str) -> dict[str, list[str]]:
    """Return the signatures of each protocol's verbs."""
    return {
        node.name: [
            f"{verb.name}({ast.unparse(verb.args)}) -> {ast.unparse(verb.returns)}"
            for verb in node.body
            if isinstance(verb, ast.FunctionDef) and verb.returns is not None
        ]
        for node in ast.parse(text).body
        if isinstance(node, ast.ClassDef) and node.name in ("SessionHandler", "UserSessions")
    }


def rows_of(heading: str) -> set[str]:
    """Return the names in the first column of the table with this heading."""
    rows = PAGE.partition(f"| {heading} |")[2].partition("\n\n")[0].splitlines()
    return {name for row in rows for name in re.findall(r"`(\w+)", row.split("|")[1])}


def test_it_fits_on_its_page() -> None:
    assert len(PAGE.splitlines()) <= 90


def test_it_prints_the_interface_as_it_is() -> None:
    printed = verbs(PAGE.partition("```python\n")[2].partition("```")[0])
    assert [len(each) for each in printed.values()] == [6, 4]
    assert printed == verbs((FOLDER / "handler.py").read_text())


def test_it_lists_every_field_of_a_change() -> None:
    assert rows_of("a `Change` may hold") == {field.name for field in dataclasses.fields(handler.Change)}


def test_it_lists_every_error() -> None:
    errors = {error.__name__ for error in handler.SessionError.__subclasses__()}
    assert rows_of("error, each a `SessionError`") == errors


def test_it_lists_every_file() -> None:
    # __init__.py has no code, py.typed and requirements.txt are no parts to use.
    parts = {path.stem for path in FOLDER.iterdir() if path.is_dir() or path.suffix == ".py"}
    assert rows_of("file") == parts - {"__init__", "__pycache__"}
