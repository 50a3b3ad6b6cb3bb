"""A fault of no part of the deployment: a client that means harm, beside visitors from other addresses."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

from verify import hostile
from verify.deployment import Stack, until
from verify.neighbour import neighbour_of

PROGRAM = Path(hostile.__file__).read_text(encoding="utf-8")
# Longer than the fault lasts, and so much at the most.
ENDS_AFTER_S = 120


@contextlib.contextmanager
def hostile_client(stack: Stack) -> Iterator[str]:
    """Let a neighbour make all attacks of hostile.py at once."""
    scheme = stack.url.partition(":")[0]
    with neighbour_of(stack) as neighbour:
        neighbour.start(PROGRAM, scheme, "balancer", str(ENDS_AFTER_S))
        yield until(
            lambda: _met(neighbour.last_line()), "each attack has been refused or cut off", 100, rest_s=1
        )


def _met(line: str) -> str | None:
    """Return the counts of the attacks in words, None until each has met a refusal or a closed connection."""
    counts = json.loads(line) if line.startswith("{") else {}
    if not counts or not all(found.keys() - {"200", "opened"} for found in counts.values()):
        return None
    return "; ".join(f"{attack} {_in_words(found)}" for attack, found in counts.items())


def _in_words(found: dict[str, int]) -> str:
    return ", ".join(f"{number} × {what}" for what, number in found.items())
