"""Plain `docker compose up`, without `make up` before it: what the compose files fill in themselves."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRODUCT = [ROOT / "docker-compose.yml", *sorted((ROOT / "infra/compose.d").glob("*.yml"))]
WITH_IMAGES = [*PRODUCT, ROOT / "loadtests/compose.yml", ROOT / "loadtests/bench/compose.yml"]
VERSIONS = (ROOT / "infra/bare/images/versions.env").read_text()


def official_images() -> dict[str, str]:
    """PART_IMAGE, and the official image that infra/bare/images/ensure pulls for it."""
    set_here = dict(re.findall(r"^([A-Z_]+)=(.*)$", VERSIONS, re.MULTILINE))
    return {
        name.replace("_OFFICIAL", "_IMAGE"): re.sub(r"\$\{(\w+)\}", lambda used: set_here[used[1]], value)
        for name, value in set_here.items()
        if name.endswith("_OFFICIAL")
    }


def test_the_images_are_the_official_ones_of_the_list_of_versions() -> None:
    official = official_images()
    for path in WITH_IMAGES:
        for name, default in re.findall(r"\$\{([A-Z]+_IMAGE)(?::-([^}]*))?\}", path.read_text()):
            assert default == official[name], f"{path}: {name}"
    used = set(re.findall(r"\$\{([A-Z]+_IMAGE)", "".join(path.read_text() for path in PRODUCT)))
    # MariaDB is there for the contract tests only.
    assert used == official.keys() - {"MARIADB_IMAGE"}


def test_no_variable_has_to_be_set_before() -> None:
    for path in PRODUCT:
        assert re.findall(r"\$\{\w+:?\?[^}]*\}|\$\{\w+\}", path.read_text()) == [], path


def test_an_image_that_is_built_here_is_never_pulled() -> None:
    """Compose asks a registry first, where its name may be a stranger's."""
    built = re.compile(
        r"( *)image: (?:\$\{COMPOSE_PROJECT_NAME:-hopproof\}|hopproof-loadtest)/.*\n(?:\1#.*\n)*(.*)\n"
    )
    found = [(path.name, line.strip()) for path in WITH_IMAGES for _, line in built.findall(path.read_text())]
    assert {line for _, line in found} == {"pull_policy: never"}
    assert len(found) == 5


def test_the_groups_of_the_compose_files_are_those_that_own_the_passwords() -> None:
    script = (ROOT / "infra/mysql/fill-secrets").read_text()
    owner = dict(re.findall(r"\[(\w+)\]=(\d{5})", script))
    assert len(owner) == 5
    for path in PRODUCT:
        for groups, said in re.findall(r"group_add: \[(.*)\] # may read (.*)", path.read_text()):
            users = owner if said == "every password" else re.findall(r"db_(\w+?)_password", said)
            assert re.findall(r"\d+", groups) == [owner[user] for user in users], path
