"""The lint check of docstrings finds a first word that is no noun, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from docstrings import REFUSED, main, refused_docstrings


@pytest.mark.parametrize("word", sorted(REFUSED))
def test_a_docstring_that_begins_with_a_refused_word_is_found(word: str) -> None:
    source = f'def f():\n    """{word.capitalize()} asks."""\n'

    assert list(refused_docstrings(source)) == [(2, word.capitalize())]


@pytest.mark.parametrize(
    "source",
    [
        '"""Who."""\n',
        'class A:\n    """\n    Who.\n    """\n',
        'async def f():\n    """Who."""\n',
        'class A:\n    def f(self):\n        """`Who` it is."""\n',
    ],
    ids=["module", "class, on its second line", "coroutine", "method, in backticks"],
)
def test_every_kind_of_docstring_is_read(source: str) -> None:
    assert [word for _, word in refused_docstrings(source)] == ["Who"]


@pytest.mark.parametrize(
    "source",
    [
        '"""The handler, for whoever asks."""\n',
        '"""Whole."""\n',
        '"""…"""\n',
        'def f():\n    return """Who."""\n',
        "# Who.\n",
    ],
    ids=["later word", "longer word", "no word", "string that is no docstring", "comment"],
)
def test_other_text_is_left_alone(source: str) -> None:
    assert list(refused_docstrings(source)) == []


def test_the_check_fails_and_names_file_and_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = tmp_path / "good.py", tmp_path / "bad.py"
    good.write_text('"""The handler."""\n')
    bad.write_text('\n"""Nobody asks."""\n')

    assert main([str(good)]) == 0
    assert main([str(good), str(bad)]) == 1
    assert capsys.readouterr().out.startswith(f'{bad}:2: a docstring begins with "Nobody"')
