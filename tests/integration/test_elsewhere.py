"""Starting on other people's machines: strict modes of files, a taken port, two starts at once."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from verify.deployment import ROOT, Deployment


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A copy of the files of the last commit and of those that are new, which only their owner may read."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(lambda name: (ROOT / name).is_file(), files.splitlines()):
        copy = tmp_path / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy)
        copy.chmod(copy.stat().st_mode & 0o700)
    for folder in (tmp_path, *tmp_path.rglob("*")):
        if folder.is_dir():
            folder.chmod(0o700)
    return tmp_path


def up(clone: Path, deployment: Deployment, **settings: str) -> subprocess.Popen[str]:
    """Begin `make up` of the clone, on the images that are there, as a deployment of its own."""
    state = clone / ".state"
    state.mkdir(exist_ok=True)
    shutil.copy(os.environ["IMAGES_ENV"], state / "images.env")
    own = {
        "COMPOSE_PROJECT_NAME": f"{deployment.project}-clone",
        "HOPPROOF_STATE": str(state),
        "WEB_REPLICAS": "1",
    }
    return subprocess.Popen(
        ["infra/up"],
        cwd=clone,
        env=os.environ | own | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_two_starts_at_once_of_a_clone_that_only_its_owner_may_read(
    deployment: Deployment, clone: Path
) -> None:
    """Both faults in one test, because a start is slow."""
    port = str(free_port())
    one, two = up(clone, deployment, HTTP_PORT=port), up(clone, deployment, HTTP_PORT=port)
    try:
        said = [start.communicate(timeout=300)[0] for start in (one, two)]
        assert (one.returncode, two.returncode) == (0, 0), "\n".join(said)
        assert any("waiting for another command that changes this deployment" in words for words in said)
    finally:
        for start in (one, two):
            start.kill()
        down = ["infra/compose", "down", "--volumes", "--timeout", "1"]
        own = {"COMPOSE_PROJECT_NAME": f"{deployment.project}-clone", "HOPPROOF_STATE": str(clone / ".state")}
        subprocess.run(down, cwd=clone, env=os.environ | own, check=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def test_a_taken_port_is_refused_before_the_balancer_loses_its_own(deployment: Deployment) -> None:
    before = deployment.container("balancer").id
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = deployment.script("infra/up", fails=True, HTTP_PORT=str(port), HSTS_S="300")
    assert f"HTTP_PORT={port} is taken by another program; nothing was changed" in done.stderr
    assert "try: make up HTTP_PORT=" in done.stderr
    assert deployment.container("balancer").id == before
    assert deployment.visitor().stateless().status == 200
    kept = Path(deployment.variables["HOPPROOF_STATE"], "kept")
    assert not kept.exists() or "HSTS_S=300" not in kept.read_text().splitlines()


@pytest.mark.parametrize(
    ("one", "other", "with_both"),
    [
        ("HTTP_PORT", "HTTPS_PORT", {"TLS": "self"}),
        ("HTTP_PORT", "PROMETHEUS_PORT", {"PROFILES": "observe"}),
        ("HTTPS_PORT", "PROMETHEUS_PORT", {"TLS": "self", "PROFILES": "observe"}),
    ],
)
def test_one_port_for_two_uses_is_refused(
    deployment: Deployment, one: str, other: str, with_both: dict[str, str]
) -> None:
    before = deployment.container("balancer").id
    settings = {one: "18199", other: "18199"} | with_both
    done = deployment.script("infra/up", fails=True, **settings)
    assert f"{one} and {other} are both 18199; nothing was changed" in done.stderr
    assert deployment.container("balancer").id == before


def test_no_visitor_by_ipv6_is_taken_for_the_proxy_in_front(deployment: Deployment) -> None:
    settings = {"HTTP_ADDRESS": "::", "TLS_PROXY_NETWORKS": "10.0.0.0/8,gateway"}
    done = deployment.script("infra/up", fails=True, **settings)
    assert "visitors by IPv6 may arrive under its address" in done.stderr
