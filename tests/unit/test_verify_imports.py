"""The modules of verify import each other in one direction, and the product never."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Set
from pathlib import Path

from imports import imports_of

TESTS = Path(__file__).parents[1]
# The modules of the product. Only a saboteur may import them.
PRODUCT = {path.stem for path in (TESTS.parent / "webapp").iterdir()} - set(sys.stdlib_module_names)


def modules() -> dict[str, Path]:
    """Return the files of verify by the full names of their modules."""
    found = {}
    for path in (TESTS / "verify").rglob("*.py"):
        parts = path.relative_to(TESTS).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def loop_in(graph: Mapping[str, Set[str]]) -> list[str]:
    """Return the modules of one loop, the first one again at the end; empty if there is none."""
    done: set[str] = set()

    def walk(name: str, way: list[str]) -> list[str]:
        if name in way:
            return [*way[way.index(name) :], name]
        if name not in done:
            for other in sorted(graph[name]):
                if loop := walk(other, [*way, name]):
                    return loop
            done.add(name)
        return []

    return next(filter(None, (walk(name, []) for name in sorted(graph))), [])


def test_a_loop_is_found() -> None:
    assert loop_in({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert loop_in({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_no_module_of_verify_imports_itself_in_the_end() -> None:
    known = modules()
    graph = {name: imports_of(name, path) & (known.keys() - {name}) for name, path in known.items()}
    assert len(graph) > 30
    assert graph["verify.verdict"] >= {"verify.guarantees", "verify.history"}
    assert loop_in(graph) == []


def test_verify_knows_the_product_by_http_alone() -> None:
    for name, path in modules().items():
        if not name.startswith("verify.saboteurs"):
            tops = {imported.partition(".")[0] for imported in imports_of(name, path)}
            assert not tops & PRODUCT, name
