"""How the scripts read .env, and the settings that stay with a deployment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Lines and their meaning, for the scripts and for Compose.
READ = {
    "HTTP_PORT=8099": "8099",
    "HTTP_PORT=8099  # of the proxy": "8099",
    "HTTP_PORT='8099'": "8099",
    'HTTP_PORT="8099"   ': "8099",
    "HTTP_PORT=": "8080",
    "HTTP_PORT=1\nHTTP_PORT=8099": "8099",
    "# HTTP_PORT=1": "8080",
    "\n  # a comment\nHTTP_PORT=8099\n\n": "8099",
    "HTTP_PORT=gateway 10.0.0.0/8 ::1": "gateway 10.0.0.0/8 ::1",
    "OTHER_HTTP_PORT=1": "8080",
}
REFUSED = {
    "export HTTP_PORT=8099": 1,
    "HTTP_PORT = 8099": 1,
    " HTTP_PORT=8099": 1,
    "HTTP_PORT: 8099": 1,
    "\ufeffHTTP_PORT=8099": 1,
    "HTTP_PORT=8099\r\n": 1,
    "BASE=80\nHTTP_PORT=${BASE}99": 2,
    "HTTP_PORT='8099": 1,
    'HTTP_PORT="80"99': 1,
    'HTTP_PORT="80 # 99"': 1,
    "HTTP_PORT=80\\99": 1,
    "HTTP_PORT=`id -u`": 1,
    "HTTP_PORT": 1,
}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "infra", tmp_path / "infra")
    return tmp_path


def said(
    clone: Path, command: str = "setting HTTP_PORT 8080", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command of the shell after infra/settings.sh of the clone."""
    ours = {name: os.environ[name] for name in ("PATH", "HOME")}
    return subprocess.run(
        [
            "bash",
            "-euc",
            f'who=test; . "$0"; give_up() {{ echo "$*" >&2; exit 1; }}; {command}',
            clone / "infra/settings.sh",
        ],
        env=ours | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("text", READ)
def test_a_plain_line_is_read(clone: Path, text: str) -> None:
    (clone / ".env").write_text(text, newline="")
    assert said(clone).stdout == READ[text]


@pytest.mark.parametrize("text", READ)
def test_compose_reads_a_plain_line_likewise(clone: Path, text: str) -> None:
    """This one needs `docker compose`, though no engine."""
    (clone / ".env").write_text(text, newline="")
    (clone / "compose.yml").write_text('services: {one: {image: one, labels: {port: "${HTTP_PORT:-8080}"}}}')
    ours = {name: os.environ[name] for name in ("PATH", "HOME")}
    config = ["docker", "compose", "--project-directory", clone, "config", "--format", "json"]
    done = subprocess.run(config, cwd=clone, env=ours, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["services"]["one"]["labels"]["port"] == READ[text]


@pytest.mark.parametrize("text", REFUSED)
def test_a_line_that_compose_would_read_differently_is_refused_with_its_number(
    clone: Path, text: str
) -> None:
    (clone / ".env").write_text(text, newline="")
    done = said(clone)
    assert done.returncode == 1
    assert f".env, line {REFUSED[text]}: " in done.stderr


def test_the_list_of_settings_is_a_file_that_is_read(clone: Path) -> None:
    shutil.copy(ROOT / ".env.example", clone / ".env")
    assert said(clone).stdout == "8080"


def test_the_environment_wins_also_with_an_empty_value(clone: Path) -> None:
    (clone / ".env").write_text("HTTP_PORT=8099\n")
    assert said(clone, HTTP_PORT="8011").stdout == "8011"
    assert said(clone, HTTP_PORT="").stdout == "8080"


# Settings that are kept


def test_a_choice_stays_until_another_is_made_or_the_word_none_ends_it(clone: Path) -> None:
    shutil.copy(ROOT / ".env.example", clone / ".env")
    ask = "keep_choices; setting TLS off; printf ' '; setting TLS_PROXY_NETWORKS -"
    chosen = {"TLS": "self", "TLS_PROXY_NETWORKS": "10.0.0.0/8"}
    assert said(clone, ask, **chosen).stdout == "self 10.0.0.0/8"
    assert said(clone, ask).stdout == "self 10.0.0.0/8"
    assert said(clone, ask, TLS="", TLS_PROXY_NETWORKS="").stdout == "self 10.0.0.0/8"
    assert said(clone, ask, TLS="off", TLS_PROXY_NETWORKS="none").stdout == "off -"
    assert said(clone, ask).stdout == "off -"


def test_a_command_that_leaves_the_balancer_alone_refuses_a_new_choice(clone: Path) -> None:
    assert said(clone, "keep_choices; refuse_new_choices").returncode == 0
    assert said(clone, "refuse_new_choices", TLS="off").returncode == 0
    assert "type first: make up TLS=self" in said(clone, "refuse_new_choices", TLS="self").stderr


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"TLS": "on"}, "TLS='on' is not off, self or files"),
        ({"TLS": "files", "TLS_CERTIFICATE": "no/such.pem"}, "TLS_CERTIFICATE='no/such.pem' is no file"),
        ({"TLS": "self", "HSTS_S": "1y"}, "HSTS_S='1y' is not a whole number of seconds"),
    ],
)
def test_tls_without_meaning_is_refused_by_every_command(
    clone: Path, settings: dict[str, str], told: str
) -> None:
    (clone / ".state").mkdir()
    (clone / ".state/images.env").touch()
    done = said(clone, f'"{clone}/infra/compose" ps', **settings)
    assert (done.returncode, told in done.stderr) == (1, True)


def test_a_certificate_may_be_named_from_the_projects_folder(clone: Path) -> None:
    assert said(clone, "tls_file TLS_KEY", TLS_KEY="certs/key.pem").stdout == f"{clone}/certs/key.pem"
    assert said(clone, "tls_file TLS_KEY", TLS_KEY="/etc/key.pem").stdout == "/etc/key.pem"


# Where a shell goes


def test_scripts_find_their_folder_where_the_shell_has_a_cdpath(clone: Path) -> None:
    done = subprocess.run(
        ["infra/capacity"],
        cwd=clone,
        env={"PATH": os.environ["PATH"], "CDPATH": ".:/"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_no_script_goes_to_a_relative_folder_by_cdpath() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    lines = [
        f"{name}: {line.strip()}"
        for name in tracked.splitlines()
        if (ROOT / name).is_file() and not name.endswith((".md", ".py", ".json", ".png"))
        for line in (ROOT / name).read_text(errors="replace").splitlines()
        if 'cd "$(dirname' in line and "CDPATH='' cd" not in line
    ]
    assert lines == []
