"""Choices that the benchmark offers a reader, and its answer to any other."""

from __future__ import annotations

import pytest

from bench.__main__ import chosen
from bench.systems import SYSTEMS


def test_without_a_word_everybody_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SYSTEMS", raising=False)
    monkeypatch.delenv("ROUNDS", raising=False)
    asked = chosen([])
    assert (asked.systems, asked.rounds) == (list(SYSTEMS), 5)


def test_systems_and_rounds_come_from_the_environment_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYSTEMS", "hopproof, beaker")
    monkeypatch.setenv("ROUNDS", "7")
    asked = chosen([])
    assert (asked.systems, asked.rounds) == (["hopproof", "beaker"], 7)


def test_an_unknown_system_is_answered_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        chosen(["rails"])
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert "'rails'" in said
    assert all(name in said for name in SYSTEMS)


@pytest.mark.parametrize("rounds", ["0", "many", "-1", "1.5", "101"])
def test_a_bad_number_of_rounds_is_answered_with_what_to_type(
    rounds: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ROUNDS", rounds)
    with pytest.raises(SystemExit) as end:
        chosen([])
    assert end.value.code == 2
    assert f"ROUNDS={rounds!r}" in capsys.readouterr().err
