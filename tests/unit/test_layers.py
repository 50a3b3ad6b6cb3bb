"""The arrows of the package hopproof: which part may import which, and which library."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest
from imports import imports_of

WEBAPP = Path(__file__).parents[2] / "webapp"
FILES = {
    ".".join(path.relative_to(WEBAPP).with_suffix("").parts): path
    for path in (WEBAPP / "hopproof").rglob("*.py")
}
every_module = pytest.mark.parametrize("module", sorted(FILES))

CORE = {"brief", "handler", "session", "entries", "ijson", "applied", "memory", "limits", "pool", "web"}
# The libraries of the parts that have one. Every other part needs the standard library only.
LIBRARIES = {
    "bottle": {"bottle"},
    "django": {"django", "asgiref"},  # asgiref comes with Django
    "flask": {"flask"},
    "memcached": {"pymemcache"},
    "mysql": {"pymysql"},
    "starlette": {"starlette"},
}


def part(module: str) -> str:
    """Return "web" of hopproof.web, "mysql" of hopproof.mysql.handler."""
    return f"{module}.".split(".")[1]


def parts_imported_by(module: str) -> set[str]:
    """Return the parts of the package that a module imports, without its own."""
    imported = {name for name in imports_of(module, FILES[module]) if name.startswith("hopproof.")}
    return {part(name) for name in imported} - {part(module)}


def test_every_part_is_known() -> None:
    assert {part(module) for module in FILES} == CORE | LIBRARIES.keys() | {"__init__"}


@every_module
def test_a_module_imports_the_library_of_its_part_and_no_other(module: str) -> None:
    tops = {name.partition(".")[0] for name in imports_of(module, FILES[module])}
    foreign = tops - set(sys.stdlib_module_names) - {"hopproof", ""}

    assert foreign <= LIBRARIES.get(part(module), set())


@every_module
def test_no_module_imports_the_package_by_its_name(module: str) -> None:
    nodes = [*ast.walk(ast.parse(FILES[module].read_text()))]
    absolute = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and node.level == 0]
    absolute += [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]

    assert [name for name in absolute if name.partition(".")[0] == "hopproof"] == []


def test_the_contract_rests_on_its_limits_alone() -> None:
    assert parts_imported_by("hopproof.handler") == {"limits"}
    assert parts_imported_by("hopproof.limits") == set()


@pytest.mark.parametrize("name", sorted(CORE))
def test_the_core_knows_no_store_and_no_framework(name: str) -> None:
    assert parts_imported_by(f"hopproof.{name}") <= CORE


@pytest.mark.parametrize("name", sorted(CORE - {"web"}))
def test_below_the_web_layer_no_part_knows_it(name: str) -> None:
    assert "web" not in parts_imported_by(f"hopproof.{name}")


@every_module
def test_memcached_can_be_deleted(module: str) -> None:
    assert "memcached" not in parts_imported_by(module)


def test_a_store_knows_neither_cookie_nor_framework() -> None:
    for module in FILES:
        if part(module) in ("mysql", "memcached"):
            assert not parts_imported_by(module) & {"web", "bottle", "session"}, module


def test_an_adapter_knows_no_store() -> None:
    assert parts_imported_by("hopproof.bottle") <= CORE
