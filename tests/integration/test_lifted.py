"""The application of docs/lifting.md, typed from the page, on the table of the running deployment."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from verify.deployment import ROOT, Deployment, until
from verify.visitor import Visitor

PAGE = (ROOT / "docs/lifting.md").read_text()


def only(found: list[str]) -> str:
    (text,) = found
    return text


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def running(deployment: Deployment, folder: Path, port: int) -> Iterator[Callable[[], bool]]:
    """Run the printed code, with the printed command; only the port and the container's name are others."""
    code = only(
        [block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "app.run" in block]
    )
    command = only(re.findall(r"^\$ (DB_HOST=.*python count\.py) &$", PAGE, re.MULTILINE))
    assert "port=8081" in code
    assert "hopproof-db-1" in command
    (folder / "count.py").write_text(code.replace("port=8081", f"port={port}"))
    (folder / ".state").symlink_to(deployment.folder)
    command = command.replace("hopproof-db-1", str(deployment.container("db").name))
    command = command.replace("python count.py", f"exec {sys.executable} count.py")
    process = subprocess.Popen(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "webapp")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )

    def answers() -> bool:
        assert process.poll() is None, process.communicate()[0]
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        yield answers
    finally:
        process.terminate()
        process.communicate(timeout=10)


def test_an_application_typed_from_the_docs_counts_on_where_the_servers_stopped(
    deployment: Deployment, visitor: Visitor, tmp_path: Path
) -> None:
    assert [visitor.add("n").body for _ in range(3)] == [{"value": 1}, {"value": 2}, {"value": 3}]
    port = free_port()
    with running(deployment, tmp_path, port) as answers:
        until(answers, "the application listens")
        typed = Visitor(f"http://127.0.0.1:{port}", visitor.session_id)
        stranger = Visitor(f"http://127.0.0.1:{port}")

        assert [typed.ask("GET", "/").body for _ in range(2)] == ["visit 4\n", "visit 5\n"]
        assert stranger.ask("GET", "/").body == "visit 1\n"
        assert typed.session_id == visitor.session_id
        typed.leave()
        stranger.leave()

    assert visitor.add("n").body == {"value": 6}
