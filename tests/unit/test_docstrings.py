"""The lint check of docstrings and comments finds a first word that is no noun, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from docstrings import REFUSED, main, refused_comments, refused_docstrings


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


@pytest.mark.parametrize(
    "source",
    ["# Who asks.\n", "x = 1  # Who asks.\n", "x = 1\n\n# `Who` it is\n# goes on.\n"],
    ids=["line of its own", "behind code", "several lines"],
)
def test_every_comment_of_python_is_read(source: str) -> None:
    assert [word for _, word in refused_comments(source, is_python=True)] == ["Who"]


@pytest.mark.parametrize("sign", ["#", "##", "    #", "--", "//", ";", " *", "/**"])
def test_the_comments_of_other_languages_are_read(sign: str) -> None:
    source = f"first line\n{sign} What it does.\n"

    assert list(refused_comments(source, is_python=False)) == [(2, "What")]


@pytest.mark.parametrize(
    "source",
    [
        "# The handler, for\n# whoever asks.\n",
        "# NOBODY is a constant.\n",
        "# Whole.\n",
        'x = """\n# Who asks.\n"""\n',
    ],
    ids=["second line", "constant", "longer word", "string"],
)
def test_other_comments_are_left_alone(source: str) -> None:
    assert list(refused_comments(source, is_python=True)) == []


@pytest.mark.parametrize("line", ["echo '# who asks'", "up: ## What runs", "- What it does", "#!what"])
def test_a_sign_behind_code_begins_no_comment_of_another_language(line: str) -> None:
    assert list(refused_comments(line, is_python=False)) == []


def test_the_check_fails_and_names_file_and_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = tmp_path / "good.py", tmp_path / "bad.py"
    good.write_text('"""The handler."""\n')
    bad.write_text('\n"""Nobody asks."""\n')

    assert main([str(good)]) == 0
    assert main([str(good), str(bad)]) == 1
    assert capsys.readouterr().out.startswith(f'{bad}:2: a docstring begins with "Nobody"')

    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n\n# What it does.\n")
    assert main([str(script)]) == 1
    assert capsys.readouterr().out.startswith(f'{script}:3: a comment begins with "What"')
