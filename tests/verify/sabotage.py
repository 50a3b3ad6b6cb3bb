"""Breaks one part of a running stack at a time, and puts the right parts back."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from verify.deployment import ROOT, Deployment, Stack

OVERLAY = "tests/verify/saboteurs/compose.yml"
ROTATION = "    balance static-rr\n"
STICKINESS = """    stick-table type string len 64 size 10k
    stick on req.cook(session)
    stick store-response res.cook(session)
"""

# Texts of the balancer's configuration, and those in their place then.
IN_THE_BALANCER = {
    "stickiness": {ROTATION: ROTATION + STICKINESS},
    "slow-to-notice": {
        "timeout connect 250ms\n": "timeout connect 5s\n",
        "inter 1s fastinter 100ms": "inter 5s",
    },
}

# Texts of files in infra/group, and those in their place from the start of a group on.
IN_THE_GROUP = {
    "check-without-quorum": {
        "(member_state = 'UNREACHABLE') * 2 < COUNT": "(member_state = 'UNREACHABLE') * 0 < COUNT",
        "unreachable_majority_timeout = 1": "unreachable_majority_timeout = 0",
    },
    "autorejoin": {"autorejoin_tries = 0": "autorejoin_tries = 3"},
    "bootstrap-by-number": {"if all(fits(other.gtids, said.gtids) for other in ours.values()):": "if True:"},
    "names-instead-of-addresses": {},
}

# Breaks the named part until the next call.
Break = Callable[[str], None]


@contextlib.contextmanager
def sabotage(stack: Stack) -> Iterator[Break]:
    """Replace the stack's servers, janitor and balancer by breakable ones, until the context ends.

    They start once. At every request they read the name of the broken part from a file.
    """
    folder = Path(os.environ["HOPPROOF_STATE"]) / "saboteur"
    shutil.copytree(ROOT / "loadbalancer", folder / "loadbalancer", dirs_exist_ok=True)
    configuration = folder / "loadbalancer/haproxy.cfg"
    right = configuration.read_text()

    def break_part(name: str) -> None:
        (folder / "name").write_text(name)
        wanted = right
        for old, new in IN_THE_BALANCER.get(name, {}).items():
            wanted = wanted.replace(old, new)
        if wanted != configuration.read_text():
            configuration.write_text(wanted)
            stack.script("infra/reload")

    try:
        with stack.overlaid(OVERLAY):
            (folder / "name").write_text("nobody")
            _replace_parts(stack)
            yield break_part
    finally:
        _replace_parts(stack)


@contextlib.contextmanager
def sabotaged_group(name: str, folder: Path, run: str) -> Iterator[Deployment]:
    """Run a deployment with DB=group in which one part of infra/group is broken."""
    stack = Deployment(folder, run, group=True)
    files = folder / "saboteur/group"
    shutil.copytree(ROOT / "infra/group", files)
    for old, new in IN_THE_GROUP[name].items():
        changed = [path for path in files.iterdir() if old in path.read_text()]
        assert changed, f"{old} stands in no file"
        for path in changed:
            path.write_text(path.read_text().replace(old, new))
    stack.variables["COMPOSE_FILE"] += f":{ROOT / 'tests/verify/saboteurs/group.yml'}"
    if name == "names-instead-of-addresses":
        stack.variables["COMPOSE_FILE"] += f":{ROOT / 'tests/verify/saboteurs/group-names.yml'}"
    with stack:
        yield stack


def _replace_parts(stack: Stack) -> None:
    # No visitor is served meanwhile, so no request is waited for.
    stack.script("infra/compose", "up", "--detach", "--wait", "--timeout", "0", "web", "janitor", "balancer")
    stack.wait_for_servers(stack.servers)
