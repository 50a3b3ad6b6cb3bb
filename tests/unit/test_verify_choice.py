from __future__ import annotations

import pytest

from verify.__main__ import chosen
from verify.faults import FAULTS, at_hand
from verify.guarantees import GUARANTEES, SABOTEURS


def test_without_only_everything_is_judged() -> None:
    assert chosen("") == (list(GUARANTEES), list(FAULTS))


def test_only_takes_some_guarantees_and_some_faults() -> None:
    assert chosen("database-frozen G4,G1") == (["G1", "G4"], ["database-frozen"])


def test_a_kind_that_only_does_not_name_is_taken_whole() -> None:
    assert chosen("calm") == (list(GUARANTEES), ["calm"])


def test_a_saboteur_is_looked_for_under_its_fault() -> None:
    assert chosen("", "none-on-exception") == (list(GUARANTEES), ["database-killed"])


def test_an_unknown_name_lists_the_valid_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        chosen("G1 G12")
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert "no G12" in said
    assert all(name in said for name in [*GUARANTEES, *FAULTS])


def test_an_unknown_saboteur_lists_the_valid_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        chosen("", "gremlin")
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert "gremlin" in said
    assert all(name in said for name in SABOTEURS)


def test_what_is_not_there_is_not_struck() -> None:
    assert at_hand(["calm", "cache-killed"], ["web", "db"]) == ["calm"]
    assert at_hand(["calm", "cache-killed"], ["web", "memcached"]) == ["calm", "cache-killed"]


def test_a_group_is_struck_in_place_of_a_single_database() -> None:
    names = ["calm", "database-killed", "primary-killed"]
    assert at_hand(names, ["web", "db"]) == ["calm", "database-killed"]
    assert at_hand(names, ["web", "db", "db-1", "db-2", "db-3", "keeper"]) == ["calm", "primary-killed"]
