"""infra/swarm/stack.yml has every file that Compose mounts as a folder, since Swarm knows no folders."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STACK = (ROOT / "infra/swarm/stack.yml").read_text()
FILES = [
    path.relative_to(ROOT).as_posix()
    for folder in ("loadbalancer", "webapp/hopproof/mysql/schema")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.is_file()
]


@pytest.mark.parametrize("path", FILES)
def test_a_file_is_a_config_that_a_service_uses(path: str) -> None:
    (name,) = re.findall(rf"^  (\w+): .*file: \.\./\.\./{re.escape(path)}[,}}]", STACK, re.MULTILINE)
    target = path.removeprefix("loadbalancer/").removeprefix("webapp/hopproof/mysql/")
    assert re.search(rf"source: {name}, target: /\S*{re.escape(target)}[,}}]", STACK)
