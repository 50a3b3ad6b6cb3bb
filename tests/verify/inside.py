"""Commands inside a container, with all of their output."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from docker.errors import APIError
from docker.models.containers import Container

# The output is also kept, because a busy Docker may lose a command's last words without an error:
# it waits two seconds for them (https://github.com/moby/moby/blob/master/daemon/monitor.go, EventExit).
KEEP = '"$@" >"$0" 2>&1; code=$?; cat "$0"; echo "$0"; exit $code'
LOOK = 'cat "$0" && echo "$0"'
MAX_LOOKS = 5


def run_inside(container: Container, command: Sequence[str], **settings: str) -> tuple[int, str]:
    """Run a command once, and return its exit status and what it wrote to both of its outputs.

    settings: environment variables on top of the container's own. Raises APIError, as Docker does for
    a container that does not run, if this one ends before all is read: the command may have run or not.
    """
    kept = f"/dev/shm/said-{secrets.token_hex(8)}"
    code, output = container.exec_run(["sh", "-c", KEEP, kept, *command], environment=settings)
    for _ in range(MAX_LOOKS):
        text, is_whole, _ = output.decode().rpartition(f"{kept}\n")
        if is_whole:
            return code, text
        look, output = container.exec_run(["sh", "-c", LOOK, kept])
        if look != 0:  # Docker tells 126 of a container that is about to stop
            raise APIError(f"{container.name} ended while it ran {command}: {output.decode()}")
    raise RuntimeError(f"Docker lost the output of {command} {MAX_LOOKS} times")
