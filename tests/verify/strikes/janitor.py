"""Too many janitors at once."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from verify.deployment import Stack
from verify.inside import run_inside
from verify.strikes.proof import proven
from verify.table import plant


@contextlib.contextmanager
def janitor_storm(stack: Stack) -> Iterator[str]:
    """Run four janitors at once without a pause, with rows to remove all the time."""
    janitor = stack.container("janitor")
    command = ["timeout", "10", *janitor.attrs["Config"]["Cmd"]]
    settings = {"JANITOR_PERIOD_S": "1", "JANITOR_BATCH": "50", "JANITOR_PAUSE_MS": "1"}
    with ThreadPoolExecutor(4) as pool:
        storms = [pool.submit(run_inside, janitor, command, **settings) for _ in range(4)]
        name = secrets.token_hex(6)
        for number in range(8):
            plant(stack, f"{name}{number}", "UNIX_TIMESTAMP() - 60", 200)
            time.sleep(1)
        said = [storm.result()[1] for storm in storms]
    removed = [sum(_removed(line) for line in output.splitlines()) for output in said]
    proven(sum(removed) >= 1000, f"the four removed {removed} rows of 1600")
    yield f"four janitors removed {removed} of 1600 expired rows planted meanwhile"


def _removed(line: str) -> int:
    words = line.partition('"removed ')[2].split(" ", 1)
    return int(words[0]) if words[0].isdigit() else 0
