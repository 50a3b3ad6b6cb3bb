"""The folder can be installed as the package hopproof, and copied under any name."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "webapp/hopproof"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OPTIONAL = {
    "mysql": "mysql",
    "memcached": "memcached",
    "bottle": "bottle",
    "flask": "flask",
    "django": "django",
    "starlette": "starlette",
}  # modules and their extras
# The adapter for Django judges the settings when it is imported.
DJANGO_SETTINGS = """
from django.conf import settings
settings.configure(HOPPROOF={"new_handler": print})
"""
# Left there by Python.
MADE = shutil.ignore_patterns("__pycache__", "*.pyc")

# A write that the core alone can acknowledge, in the memory of the process.
USES_THE_CORE = """
from {package}.handler import Change
from {package}.memory import MemoryHandler
from {package}.session import Session
from {package}.web import Web
handler = MemoryHandler()
handler.write(bytes(32), Change(add=("n", 1), create=True))
print(handler.write(bytes(32), Change(add=("n", 1))))
"""


def files_of(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def run(python: Path, code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run code where neither this repository nor what is installed for its tests can be imported."""
    return subprocess.run(
        [python, "-I", "-c", f"import sys; sys.path.append({str(folder)!r})\n{code}"],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build from a copy, because setuptools builds in the tree."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    for name in ("pyproject.toml", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "webapp", source / "webapp", ignore=MADE)
    command = "pip wheel --quiet --no-build-isolation --no-deps --no-index --wheel-dir"
    subprocess.run([sys.executable, "-m", *command.split(), built, source], check=True)
    (found,) = built.iterdir()
    return found


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that holds the wheel and nothing else."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    installed = folder / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    command = "pip install --quiet --no-index --no-deps --target"
    subprocess.run([sys.executable, "-m", *command.split(), installed, wheel], check=True)
    return folder / "bin/python"


def test_the_wheel_holds_the_files_of_the_folder_and_no_other(wheel: Path, tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "hopproof", ignore=MADE)
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}

    assert held == files_of(tmp_path)


def test_the_wheel_says_what_it_needs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith("METADATA"))
        said = archive.read(metadata).decode()

    assert f"\nVersion: {PROJECT['version']}\n" in said
    assert "\nRequires-Python: >=3.11\n" in said
    assert "\nClassifier: Typing :: Typed\n" in said
    assert (FOLDER / "README.md").read_text() in said
    needed = re.findall(r"^Requires-Dist: (.+)$", said, re.MULTILINE)
    assert len(needed) == 8
    assert [one for one in needed if "extra ==" not in one] == []


def test_the_core_of_an_installed_package_needs_no_extra(python: Path, tmp_path: Path) -> None:
    used = run(python, USES_THE_CORE.format(package="hopproof"), tmp_path)

    assert (used.stdout, used.stderr) == ("2\n", "")


@pytest.mark.parametrize(("module", "extra"), OPTIONAL.items())
def test_an_import_without_its_extra_names_it(python: Path, tmp_path: Path, module: str, extra: str) -> None:
    used = run(python, f"import hopproof.{module}", tmp_path)

    assert used.returncode == 1
    assert f"pip install 'hopproof[{extra}]'" in used.stderr.splitlines()[-1]


@pytest.mark.parametrize(("module", "extra"), OPTIONAL.items())
def test_an_import_without_its_extra_says_what_a_copy_needs(
    python: Path, tmp_path: Path, module: str, extra: str
) -> None:
    shutil.copytree(FOLDER, tmp_path / "sessions", ignore=MADE)
    said = run(python, f"import sessions.{module}", tmp_path).stderr.splitlines()[-1]
    packages = {re.split("[<>=]", needed)[0] for needed in PROJECT["optional-dependencies"][extra]}

    named = re.search(r"for a copy: pip install ([\w ]+)", said)
    assert named is not None, said
    assert set(named[1].split()) == packages


def test_a_copy_works_under_another_name(python: Path, tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "shop_sessions", ignore=MADE)
    (tmp_path / "hopproof").mkdir()
    (tmp_path / "hopproof/__init__.py").write_text("raise ImportError('the copy looks for the original')")
    used = run(Path(sys.executable), USES_THE_CORE.format(package="shop_sessions"), tmp_path)
    assert (used.stdout, used.stderr) == ("2\n", "")

    modules = [f"shop_sessions.{module}" for module in OPTIONAL]
    used = run(Path(sys.executable), f"{DJANGO_SETTINGS}import {', '.join(modules)}", tmp_path)
    assert (used.returncode, used.stderr) == (0, "")


def test_a_copys_requirements_are_those_of_the_extras() -> None:
    lines = (FOLDER / "requirements.txt").read_text().splitlines()
    copied = {line.partition("#")[0].replace(" ", "") for line in lines} - {""}
    extras = PROJECT["optional-dependencies"]

    assert copied == {needed for extra in extras.values() for needed in extra}
    assert extras.keys() == {*OPTIONAL.values(), "fastapi"}
    assert extras["fastapi"] == extras["starlette"]
