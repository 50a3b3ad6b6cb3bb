"""Docstrings that begin with a pronoun clause ("Whoever asks …"), where the subject should be a noun.

python tests/docstrings.py FILE...
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

REFUSED = {"who", "whoever", "what", "whatever", "nobody", "somebody", "everybody"}
HOLDERS = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def refused_docstrings(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and first word of each docstring that begins with a refused word."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, HOLDERS):
            continue
        first = re.search(r"\w+", ast.get_docstring(node) or "")
        if first and first.group().lower() in REFUSED:
            yield node.body[0].lineno, first.group()


def main(paths: list[str]) -> int:
    found = [
        f'{path}:{line}: a docstring begins with "{word}"; begin with the noun that it is about'
        for path in paths
        for line, word in refused_docstrings(Path(path).read_text(encoding="utf-8"))
    ]
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
