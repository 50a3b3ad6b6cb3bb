"""The published chart and tables of the benchmark are those of one complete run."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from bench.chart import svg
from bench.parts_chart import svg_of_parts
from bench.publish import CHART, DOCUMENT, MEASURED, PARTS_CHART, markdown, unfit
from bench.systems import SYSTEMS
from generated import section_in

measured = json.loads(MEASURED.read_text())


def test_the_document_shows_what_was_measured() -> None:
    assert section_in(DOCUMENT, "bench") == markdown(measured), "type: loadtests/bench/run publish"


def test_the_chart_shows_what_was_measured() -> None:
    assert CHART.read_text() == svg(measured), "type: loadtests/bench/run publish"
    assert PARTS_CHART.read_text() == svg_of_parts(measured), "type: loadtests/bench/run publish"


@pytest.mark.parametrize("chart", [CHART, PARTS_CHART], ids=["speed", "parts"])
def test_a_chart_is_xml_that_loads_nothing(chart: Path) -> None:
    text = chart.read_text()
    ElementTree.fromstring(text)
    loaded = re.findall(r'<script|<image|@import|url\(|href|https?://(?!www\.w3\.org/2000/svg")', text)
    assert loaded == []


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_system_is_in_the_chart_and_in_the_document(name: str) -> None:
    title = SYSTEMS[name].title
    assert title in CHART.read_text()
    assert title in section_in(DOCUMENT, "bench")


def test_each_bar_has_its_number_beside_it() -> None:
    text = CHART.read_text()
    for found in measured["systems"].values():
        assert f">{found['read_rps']:,.0f}" in text
        assert f">{found['write_rps']:,.0f}" in text


def test_what_was_measured_is_fit_to_be_published() -> None:
    assert unfit(measured) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"rounds": 4}, "it has 4 rounds, expected at least 5"),
        ({"systems": {}, "missing": dict.fromkeys([*SYSTEMS][1:], "why")}, "hopproof was left out"),
        ({"systems": {"hopproof": {"invalid": {"read": ["why"]}}}}, "hopproof answered wrongly"),
    ],
)
def test_a_run_that_tells_less_is_refused(change: dict[str, Any], reason: str) -> None:
    assert reason in unfit(measured | change)
