"""Links of Markdown files to files or headings that do not exist.

python tests/links.py FILE...

Addresses with a scheme (https:) are not followed: lint needs no network.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

FENCE = re.compile(r"^ *(```+|~~~+).*?^ *\1[`~]*[ \t]*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)")
TARGETS = [
    re.compile(r"\]\(\s*<?([^)\s>]+)>?[^)]*\)"),  # [text](target "title"), images as well
    re.compile(r"^\s*\[[^\]]+\]:\s*<?([^\s>]+)>?"),  # [name]: target
    re.compile(r"\b(?:href|src|srcset)=\"([^\"\s]+)"),  # HTML inside Markdown
]
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*\s*$", re.MULTILINE)
ANCHOR = re.compile(r"\b(?:id|name)=\"([^\"]+)\"")


def _without_fences(text: str) -> str:
    """Return text with code blocks emptied; every line keeps its number."""
    return FENCE.sub(lambda block: "\n" * block.group().count("\n"), text)


def anchors(text: str) -> set[str]:
    """Return what a link into this Markdown may name after the #, as GitHub derives it from the headings."""
    text = _without_fences(text)
    found = set(ANCHOR.findall(text))
    seen: Counter[str] = Counter()
    for heading in HEADING.findall(text):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)  # of a link, its text
        slug = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def targets(text: str) -> Iterator[tuple[int, str]]:
    """Yield line and target of each link outside of code."""
    for number, line in enumerate(_without_fences(text).splitlines(), 1):
        for pattern in TARGETS:
            for target in pattern.findall(CODE.sub("", line)):
                yield number, target


def broken_links(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and reason of each link of this file that leads nowhere."""
    for line, target in targets(path.read_text(encoding="utf-8")):
        if re.match(r"[a-z][a-z0-9+.-]*:|//", target):
            continue
        name, _, anchor = unquote(target).partition("#")
        to = path.parent / name if name else path
        if not to.exists():
            yield line, f"{target}: no such file"
        elif anchor and to.suffix == ".md" and anchor not in anchors(to.read_text(encoding="utf-8")):
            yield line, f"{target}: no such heading"


def main(paths: list[str]) -> int:
    found = [f"{path}:{line}: {reason}" for path in paths for line, reason in broken_links(Path(path))]
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
