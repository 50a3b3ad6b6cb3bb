"""The imports of a module, read from its text."""

from __future__ import annotations

import ast
from pathlib import Path


def imports_of(name: str, path: Path) -> set[str]:
    """Return the full names that a module imports, also inside functions and for types alone."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            up = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            base = ".".join([*up, *filter(None, [node.module])])
            # Either may be a module: `from verify import history`, `from verify.history import hops`.
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return found
