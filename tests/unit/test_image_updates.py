"""infra/bare/images/ensure with an engine that only pretends: the age of images, and their renewal."""

from __future__ import annotations

import datetime
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OFFICIAL = "memcached:1.6"
# Knows one image, of MADE_AT, and writes down what it is asked.
ENGINE = f"""#!/bin/sh
echo "$*" >>"$ASKED"
case "$*" in
  "image inspect --format {OFFICIAL} "*) echo "{OFFICIAL} sha256:1 $MADE_AT" ;;
  *" {OFFICIAL}" | version) ;;
  *) exit 1 ;;
esac
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "docker").write_text(ENGINE)
    (tmp_path / "docker").chmod(0o755)
    return tmp_path


def ensured(state: Path, age_days: int, *arguments: str, **settings: str) -> tuple[str, list[str]]:
    """Return what the script says, and what it asked the engine."""
    made_at = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=age_days)
    environment = os.environ | {
        "PATH": f"{state}:{os.environ['PATH']}",
        "HOPPROOF_STATE": str(state),
        "ASKED": str(state / "asked"),
        "MADE_AT": made_at.strftime("%Y-%m-%dT%H:%M:%S.123456789Z"),
        **settings,
    }
    done = subprocess.run(
        [ROOT / "infra/bare/images/ensure", *arguments, "memcached"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout, (state / "asked").read_text().splitlines()


def test_a_present_image_is_not_pulled_again(state: Path) -> None:
    assert not any(line.startswith("pull") for line in ensured(state, 1)[1])


def test_a_renewal_pulls_an_official_image_that_is_there(state: Path) -> None:
    assert f"pull {OFFICIAL}" in ensured(state, 1, "--renew")[1]


@pytest.mark.parametrize(("age_days", "is_old"), [(30, False), (31, True), (800, True)])
def test_an_image_over_30_days_is_told_with_its_age(state: Path, age_days: int, is_old: bool) -> None:
    told = f"{OFFICIAL} is {age_days} days old; make update"
    assert (told in ensured(state, age_days)[0]) == is_old


def test_the_digests_of_the_images_are_recorded(state: Path) -> None:
    ensured(state, 1)
    name, digest, _ = (state / "images/digests").read_text().split()
    assert (name, digest) == (OFFICIAL, "sha256:1")
