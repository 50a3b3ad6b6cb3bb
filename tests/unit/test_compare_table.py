"""The published table of other stores is that of the measured run, in which our own store lost nothing."""

from __future__ import annotations

import json

import pytest

from generated import section_in
from rivals.picture import svg
from rivals.stores import STORES
from rivals.table import CHECKS, DOCUMENT, MEASURED, PICTURE, html, markdown

measured = json.loads(MEASURED.read_text())
NAMES = [check for checks in CHECKS.values() for check in checks]


def test_the_document_shows_what_was_measured() -> None:
    shown = section_in(DOCUMENT, "compare")
    assert shown == markdown(measured), "type: loadtests/rivals/run publish"


@pytest.mark.parametrize("store", STORES)
def test_every_store_was_asked_everything(store: str) -> None:
    assert list(measured["stores"][store]["checks"]) == NAMES


def test_the_handler_of_this_project_lost_nothing() -> None:
    checks = measured["stores"]["hopproof"]["checks"]
    assert {name: check["lost"] for name, check in checks.items()} == dict.fromkeys(NAMES, 0)
    judged = {name: check for name, check in checks.items() if "reason" not in check}
    assert set(NAMES) - judged.keys() == {"cache_emptied"}
    assert all(check["held"] and check["tried"] for check in judged.values())


@pytest.mark.parametrize("store", STORES)
def test_every_store_works_when_nobody_disturbs_it(store: str) -> None:
    assert measured["stores"][store]["checks"]["hop"]["lost"] == 0


def test_a_dozen_stores_in_five_languages_were_asked() -> None:
    assert len(measured["stores"]) >= 12
    assert len({store["language"] for store in measured["stores"].values()}) >= 5


def test_the_picture_is_that_of_the_measured_run() -> None:
    assert PICTURE.read_text() == svg(measured), "type: loadtests/rivals/run publish"


@pytest.mark.parametrize("check", ["counters", "lists", "keys", "logout_together", "forged", "outage_reads"])
def test_the_six_functions_lost_what_they_are_known_to_lose(check: str) -> None:
    assert measured["stores"]["classic"]["checks"][check]["lost"] > 0


def test_the_report_loads_nothing_and_has_every_cell() -> None:
    page = html(measured)
    assert page.count("<td class=") == len(NAMES) * len(STORES)
    assert not any(word in page for word in ("<script", "http://", "https://", "@import", "url("))
