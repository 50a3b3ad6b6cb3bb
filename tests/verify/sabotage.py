"""Breaks one part of a running stack at a time, and puts the right parts back."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from verify.deployment import ROOT, Stack

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


def _replace_parts(stack: Stack) -> None:
    # No visitor is served meanwhile, so no request is waited for.
    stack.script("infra/compose", "up", "--detach", "--wait", "--timeout", "0", "web", "janitor", "balancer")
    stack.wait_for_servers(stack.servers)
