"""tests/verify/README.md has a paragraph for every kind of visitor and every fault, and for no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from verify.faults import FAULTS
from verify.guarantees import GUARANTEES
from verify.kinds import KINDS

README = (Path(__file__).parents[1] / "verify" / "README.md").read_text(encoding="utf-8")


def told_in(heading: str) -> dict[str, str]:
    """Return the paragraphs of a section by the name in bold that each begins with, in order."""
    section = README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return dict(re.findall(r"^\*\*([\w-]+)\*\* (.+?)(?:\n\n|\Z)", section, re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize(("heading", "names"), [("Visitors", KINDS), ("Faults", FAULTS)])
def test_each_has_its_paragraph(heading: str, names: dict[str, object]) -> None:
    told = told_in(heading)
    assert list(told) == list(names)
    assert [name for name, words in told.items() if len(words.split()) < 15] == []


@pytest.mark.parametrize("name", FAULTS)
def test_a_faults_paragraph_names_the_setting_that_it_needs(name: str) -> None:
    frameworks = dict.fromkeys(["flask", "django", "fastapi"], "frameworks")
    settings = {"php": "PHP", "memcached": "memcached", "keeper": "DB=group", None: "", **frameworks}
    assert settings[FAULTS[name].needs] in told_in("Faults")[name]


def test_a_crowd_is_as_large_as_it_says() -> None:
    assert sum(kind.number for kind in KINDS.values()) == 14
    assert "a **crowd** of fourteen visitors" in README


def test_every_role_that_counts_is_a_kind_or_told_with_one() -> None:
    roles = {role for guarantee in GUARANTEES.values() for role in guarantee.roles}
    assert roles - KINDS.keys() == {"lender"}
    assert "*lender*" in told_in("Visitors")["stranger"]


def test_the_files_that_it_names_exist() -> None:
    folder = Path(__file__).parents[1] / "verify"
    for name in re.findall(r"`([\w/]+(?:\.py|/))`", README):
        assert (folder / name).exists() or (folder.parents[1] / name).exists(), name
