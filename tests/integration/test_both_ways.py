"""One deployment by plain `docker compose up` and by `make up`, in turn, from a clone of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from verify.deployment import ROOT, Deployment, until
from verify.visitor import Visitor

# As a person types it: nothing is set that make tells its scripts.
PLAIN_UP = ("docker", "compose", "up", "--detach", "--wait")
PASSWORDS = {f"db_{user}_password" for user in ("root", "web", "janitor", "operator", "operator_reader")}


class Clone(Deployment):
    """A deployment of one server that is handled from a copy of the files, in its folder."""

    def __init__(self, folder: Path, run: str) -> None:
        super().__init__(folder, run, servers=1)
        unset = re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
        unset += [*self.variables, "COMPOSE_PROFILES"]
        self.environment = {name: value for name, value in os.environ.items() if name not in unset}
        # Plain Compose asks for images by their official names; they may have others here (infra/bare).
        self.environment |= {
            "COMPOSE_PROJECT_NAME": self.project,
            "HTTP_PORT": str(self.port),
            "WEB_REPLICAS": "1",
        }

    def run(self, *command: str, fails: bool = False) -> str:
        """Run a command in the folder and return what it says."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=240,
            check=False,
        )
        assert (done.returncode != 0) == fails, f"{command}: exit {done.returncode}\n{done.stdout}"
        return done.stdout

    @property
    def files(self) -> Path:
        return self.folder / ".state/secrets"

    def passwords(self) -> dict[str, str]:
        """The passwords that the containers of this deployment read."""
        shown = self.docker.containers.run(
            os.environ["MYSQL_IMAGE"],
            ["-c", 'shopt -s nullglob; cd /run/secrets; for name in *; do echo "$name $(cat "$name")"; done'],
            entrypoint=["bash"],
            volumes={f"{self.project}_secrets": {"bind": "/run/secrets", "mode": "ro"}},
            # Or each run would leave behind a volume that the image declares.
            tmpfs={"/var/lib/mysql": ""},
            labels={"hopproof.test": os.environ["HOPPROOF_TEST_RUN"]},
            network_mode="none",
            remove=True,
        )
        return dict(line.split() for line in shown.decode().splitlines())

    def write_files(self) -> None:
        """Put the passwords into the files of `make up`, as it does before it starts anything."""
        self.run("infra/bare/images/ensure", "mysql")
        self.run("infra/secrets")

    def passwords_in_files(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in self.files.iterdir()}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    folder = tmp_path_factory.mktemp("clone")
    folder.chmod(0o755)
    for name in ("infra", "loadbalancer", "webapp"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("docker-compose.yml", ".dockerignore"):
        shutil.copy(ROOT / name, folder)
    clone = Clone(folder, os.environ["HOPPROOF_TEST_RUN"])
    try:
        clone.run(*PLAIN_UP)
        yield clone
    finally:
        clone.run("docker", "compose", "down", "--volumes", "--timeout", "1")


@pytest.fixture
def visitor(clone: Clone) -> Visitor:
    """A visitor with a session."""
    visitor = clone.visitor()
    until(lambda: visitor.show().status == 200, "a server in rotation")
    visitor.login("ada")
    visitor.add("n")
    return visitor


def assert_kept(visitor: Visitor, expected: int) -> None:
    until(lambda: visitor.show().status == 200, "a server in rotation")
    assert visitor.show().body["user"] == "ada"
    assert visitor.add("n").body["value"] == expected


def test_sessions_and_secrets_stay_from_plain_compose_to_make_and_back(
    clone: Clone, visitor: Visitor
) -> None:
    made = clone.passwords()
    assert made.keys() == PASSWORDS
    assert len(set(made.values())) == len(PASSWORDS)

    assert "made" not in clone.run("infra/up")
    assert clone.passwords_in_files() == made
    assert_kept(visitor, 2)

    # A rotation: the new password is a new file.
    (clone.files / "db_web_password").unlink()
    (clone.files / "db_web_password").write_text("f" * 64)
    clone.run("infra/deploy")
    rotated = {**made, "db_web_password": "f" * 64}
    assert clone.passwords() == rotated
    assert_kept(visitor, 3)

    clone.run(*PLAIN_UP)
    assert clone.passwords() == rotated
    assert_kept(visitor, 4)


def test_a_password_that_the_volume_has_is_not_replaced_by_plain_compose(
    clone: Clone, visitor: Visitor
) -> None:
    clone.write_files()
    before = clone.passwords()
    (clone.files / "db_web_password").unlink()
    (clone.files / "db_web_password").write_text("e" * 64)
    try:
        clone.run(*PLAIN_UP)
        assert clone.passwords() == before
        assert_kept(visitor, 2)
    finally:
        (clone.files / "db_web_password").write_text(before["db_web_password"])


def test_a_kept_database_without_its_secrets_stops_the_start_and_says_what_to_type(
    clone: Clone, visitor: Visitor
) -> None:
    clone.write_files()
    kept = clone.passwords()
    clone.run("docker", "compose", "down", "--timeout", "10")
    clone.docker.volumes.get(f"{clone.project}_secrets").remove()
    elsewhere = clone.files.rename(clone.files.with_name("elsewhere"))

    clone.run(*PLAIN_UP, fails=True)
    for said in (clone.run("docker", "compose", "logs", "secrets"), clone.run("infra/up", fails=True)):
        assert "there is a database, but not the password that it was made with" in said
        assert "docker compose down --volumes" in said
    assert clone.passwords() == {}
    # Compose has made the containers by then, and started none.
    assert {clone.container(service).status for service in ("db", "web")} == {"created"}

    # With the files of `make up`, plain Compose fills the volume again.
    clone.files.rmdir()
    elsewhere.rename(clone.files)
    clone.run(*PLAIN_UP)
    assert clone.passwords() == kept
    assert_kept(visitor, 2)
