"""The lint check of Markdown links finds those that lead to no file or heading, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from links import anchors, broken_links, main


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    (tmp_path / "other.md").write_text("# Other\n\n## How it's measured\n")
    (tmp_path / "two words.md").touch()
    (tmp_path / "folder").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    "link",
    [
        "[a](missing.md)",
        "![a](missing.png)",
        '[a](missing.md "title")',
        "[`a`](folder/missing.md)",
        "[a]: missing.md",
        '<img src="missing.png">',
        '<source srcset="missing.png">',
        "[a](other.md) and [b](missing.md)",
    ],
)
def test_a_link_to_a_missing_file_is_found(docs: Path, link: str) -> None:
    (docs / "page.md").write_text(f"# Page\n\n{link}\n")

    ((line, reason),) = broken_links(docs / "page.md")

    assert (line, reason.partition(": ")[2]) == (3, "no such file")


@pytest.mark.parametrize("link", ["[a](other.md#missing)", "[a](#missing)", "[a](other.md#How-its-measured)"])
def test_a_link_to_a_missing_heading_is_found(docs: Path, link: str) -> None:
    (docs / "page.md").write_text(f"{link}\n")

    assert [reason.partition(": ")[2] for _, reason in broken_links(docs / "page.md")] == ["no such heading"]


@pytest.mark.parametrize(
    "text",
    [
        "[a](other.md)",
        "[a](folder/)",
        "[a](two%20words.md)",
        "[a](./folder/../other.md#how-its-measured)",
        "[a](#page)",
        "[a](https://example.com/missing.md#x)",
        "[a](mailto:a@example.com)",
        "[a](//example.com/missing.md)",
        "`[a](missing.md)`",
        "```\n[a](missing.md)\n```",
        "- item\n\n  ```sh\n  [a](missing.md)\n  ```",
    ],
)
def test_a_link_that_leads_somewhere_or_is_code_is_left_alone(docs: Path, text: str) -> None:
    (docs / "page.md").write_text(f"# Page\n\n{text}\n")

    assert list(broken_links(docs / "page.md")) == []


def test_a_link_after_a_code_block_is_found_on_its_own_line(docs: Path) -> None:
    (docs / "page.md").write_text("```\ncode\n```\n[a](missing.md)\n```\ncode\n```\n")

    assert [line for line, _ in broken_links(docs / "page.md")] == [4]


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("## What it guarantees", "what-it-guarantees"),
        ("### `make test`, in CI", "make-test-in-ci"),
        ("# A – B", "a--b"),
        ("## [PHP](php.md) servers ##", "php-servers"),
        ("## under_score", "under_score"),
        ('<a id="own"></a>', "own"),
    ],
)
def test_a_heading_has_the_anchor_that_github_gives_it(heading: str, anchor: str) -> None:
    assert anchors(f"{heading}\n") == {anchor}


def test_a_second_heading_of_the_same_words_is_numbered() -> None:
    assert anchors("# Reads\n# Reads\n") == {"reads", "reads-1"}


def test_a_comment_in_a_code_block_is_no_heading() -> None:
    assert anchors("```\n# install\n```\n") == set()


def test_the_check_fails_and_names_file_and_line(docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (docs / "page.md").write_text("[a](missing.md)\n")

    assert main([str(docs / "other.md")]) == 0
    assert main([str(docs / "other.md"), str(docs / "page.md")]) == 1
    assert capsys.readouterr().out == f"{docs / 'page.md'}:1: missing.md: no such file\n"
