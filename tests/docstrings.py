"""Docstrings and comments that begin with a pronoun clause ("Whoever asks …") instead of a noun.

python tests/docstrings.py FILE...

Of a comment over several lines the first line is read. Outside of Python a comment counts if its line holds
nothing else: a sign behind code may be part of a string.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

REFUSED = {"who", "whoever", "what", "whatever", "nobody", "somebody", "everybody"}
HOLDERS = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
# The comment signs of shell, YAML, HAProxy, SQL, PHP, JavaScript, Lua and INI files.
OWN_LINE = re.compile(r"\s*(?:#+|//|--|;+|/?\*+)\s(.*)")


def refused_docstrings(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and first word of each docstring that begins with a refused word."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, HOLDERS) and (word := _refused(ast.get_docstring(node) or "")):
            yield node.body[0].lineno, word


def refused_comments(source: str, *, is_python: bool) -> Iterator[tuple[int, str]]:
    """Yield line and first word of each comment that begins with a refused word."""
    before = -1
    for number, text, has_line in _comments_of_python(source) if is_python else _comments(source):
        if not (has_line and number == before + 1) and (word := _refused(text)):
            yield number, word
        before = number if has_line else -1


def _comments_of_python(source: str) -> Iterator[tuple[int, str, bool]]:
    """Yield line and text of each comment, and whether it has the line to itself."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string, token.line.lstrip().startswith("#")


def _comments(source: str) -> Iterator[tuple[int, str, bool]]:
    for number, line in enumerate(source.splitlines(), 1):
        if found := OWN_LINE.fullmatch(line):
            yield number, found[1], True


def _refused(text: str) -> str | None:
    """Return the first word if it is refused. In capitals it is a name, like NOBODY."""
    first = re.search(r"\w+", text)
    word = first.group() if first else ""
    return word if word.lower() in REFUSED and not word.isupper() else None


def refused_in(path: str) -> Iterator[tuple[int, str, str]]:
    """Yield line, kind and first word of each refused text of a file."""
    source, is_python = Path(path).read_text(encoding="utf-8"), path.endswith(".py")
    if is_python:
        yield from ((line, "docstring", word) for line, word in refused_docstrings(source))
    yield from ((line, "comment", word) for line, word in refused_comments(source, is_python=is_python))


def main(paths: list[str]) -> int:
    found = [
        f'{path}:{line}: a {kind} begins with "{word}"; begin with the noun that it is about'
        for path in paths
        for line, kind, word in refused_in(path)
    ]
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
