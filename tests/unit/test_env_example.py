""".env.example is the only list of settings, and agrees with the files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from config import read_config

ROOT = Path(__file__).parents[2]
LISTED = dict(re.findall(r"^([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
COMPOSE_FILES = [ROOT / "docker-compose.yml", *sorted(ROOT.glob("infra/*/*.yml"))]
COMPOSE = "".join(path.read_text() for path in COMPOSE_FILES)
# Not settings: chosen by infra/bare/images/ensure, by Compose, by infra/swarm/deploy, and by the tests.
NOT_SETTINGS = {
    "PYTHON_IMAGE",
    "HAPROXY_IMAGE",
    "MYSQL_IMAGE",
    "MEMCACHED_IMAGE",
    "PHP_IMAGE",
    "PROMETHEUS_IMAGE",
    "POLYGLOT",
    "FRAMEWORKS",
    "COMPOSE_PROJECT_NAME",
    "HOPPROOF_STATE",
    "LOADBALANCER_SUM",
    "MYSQL_SUM",
    "SCHEMA_SUM",
    "STACK",
    "WEB_IMAGE",
}


# `make up` keeps them, so the list has no value for them, and tells the default in words.
KEPT = re.search(r"^kept_names=\((.+)\)$", (ROOT / "infra/settings.sh").read_text(), re.MULTILINE)[1].split()


def are_listed(defaults: set[tuple[str, str]]) -> bool:
    told = re.sub(r"\s+", " ", (ROOT / ".env.example").read_text())
    kept = [value for name, value in defaults if name in KEPT]
    return {(n, v) for n, v in defaults if n not in KEPT} <= LISTED.items() and all(
        f"by default {value}" in told or f"{value} (the default)" in told for value in kept
    )


def test_a_setting_that_is_kept_has_no_value_in_the_list() -> None:
    # A copy of the list would choose it again.
    assert {LISTED[name] for name in KEPT} == {""}


def test_every_variable_of_the_compose_files_is_listed() -> None:
    used = set(re.findall(r"\$\{([A-Z_]+)", COMPOSE)) - NOT_SETTINGS
    assert used <= LISTED.keys()


def test_every_listed_setting_is_used() -> None:
    scripts = "".join(path.read_text() for path in (ROOT / "infra").iterdir() if path.is_file())
    assert [name for name in LISTED if name not in COMPOSE and f"setting {name} " not in scripts] == []


def test_the_defaults_of_the_compose_files_are_those_listed() -> None:
    # /dev/null is mounted where no file is named.
    defaults = set(re.findall(r"\$\{([A-Z_]+):-(?!/dev/null)([^}]+)\}", COMPOSE))
    assert are_listed({(name, value) for name, value in defaults if name not in NOT_SETTINGS})


def test_the_defaults_of_the_scripts_are_those_listed() -> None:
    scripts = "".join(path.read_text() for path in (ROOT / "infra").iterdir() if path.is_file())
    defaults = re.findall(r"setting ([A-Z_]+) ([^\s)]+)", scripts)
    ours = {(name, value.strip('"')) for name, value in defaults if name not in {*NOT_SETTINGS, "NAME"}}
    assert are_listed(ours)


def test_the_app_reads_the_list_as_its_own_defaults() -> None:
    assert read_config(LISTED) == read_config({})


@pytest.mark.parametrize(
    "name",
    [name for name in LISTED if name.startswith(("SESSION_", "JANITOR_", "CRAWL_", "STORE", "CACHE"))],
)
def test_a_listed_setting_of_the_app_is_read(name: str) -> None:
    changed = {**LISTED, "SESSION_IDLE_S": "999"}
    changed[name] = {
        "SESSION_COOKIE": "sid",
        "SESSION_COOKIE_SECURE": "yes",
        "STORE": "memcached",
        "CACHE": "memcached",
        "JANITOR_WINDOW": "22-6",
        "TOMBSTONE_S": "90",
        "SESSION_ANONYMOUS_IDLE_S": "90",
    }.get(name, "3")
    if name == "SESSION_IDLE_S":
        changed[name] = "1000"
    assert read_config(changed) != read_config({**LISTED, "SESSION_IDLE_S": "999"})
