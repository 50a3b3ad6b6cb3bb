"""The keeper of a group, infra/group/keep.py: its steps after what the members say, and its metrics."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, TypeVar

import pymysql
import pytest
from prometheus_client import CollectorRegistry

from keep import Keeper, Member, Seen, Step, bootstrap, decide

OURS = "group-a"
T = TypeVar("T")


def said(state: str = "OFFLINE", gtids: str = "1", group: str = OURS, **more: bool) -> Seen:
    facts = {"is_primary": False, "sees_majority": True, **more}
    return Seen(group, state, gtids=gtids, **facts)  # type: ignore[arg-type]


NEW = said(group="", gtids="")
PRIMARY = said("ONLINE", "123", is_primary=True)
SECONDARY = said("ONLINE", "12")


def decided(**seen: Seen) -> list[Step]:
    """Decide with changes that are digits: 12 are among 123."""
    members: Mapping[str, Seen] = {name.replace("_", "-"): one for name, one in seen.items()}
    return decide(members, lambda a, b: set(a) <= set(b), lambda: "group-new")


def test_three_new_volumes_are_prepared_for_one_group() -> None:
    assert decided(db_1=NEW, db_2=NEW, db_3=NEW) == [
        Step("prepare", name, "group-new") for name in ("db-1", "db-2", "db-3")
    ]


def test_a_new_group_waits_for_all_three() -> None:
    (step,) = decided(db_1=NEW, db_3=NEW)
    assert (step.do, "no answer of db-2" in step.text) == ("refuse", True)


def test_the_first_bootstrap_is_one() -> None:
    assert decided(db_1=said(gtids=""), db_2=said(gtids=""), db_3=said(gtids="")) == [
        Step("bootstrap", "db-1")
    ]


@pytest.mark.parametrize("ahead", ["db_1", "db_2", "db_3"])
def test_after_a_total_loss_the_member_with_all_changes_is_bootstrapped(ahead: str) -> None:
    seen = {"db_1": said(gtids="12"), "db_2": said(gtids="1"), "db_3": said("ERROR", "12")}
    seen[ahead] = said(gtids="123")
    assert decided(**seen) == [Step("bootstrap", ahead.replace("_", "-"))]


def test_members_of_which_none_has_all_changes_are_left_to_a_person() -> None:
    (step,) = decided(db_1=said(gtids="12"), db_2=said(gtids="13"), db_3=said(gtids="1"))
    assert step.do == "refuse"
    assert "FORCE=db-1 or db-2 or db-3" in step.text


def test_two_of_three_are_left_to_a_person() -> None:
    (step,) = decided(db_1=said(), db_3=said())
    assert step.do == "refuse"
    assert "no answer comes of db-2" in step.text
    assert "FORCE=db-1 or db-3" in step.text


def test_a_volume_that_is_gone_does_not_stop_the_other_two() -> None:
    steps = decided(db_1=NEW, db_2=said(gtids="1"), db_3=said(gtids="12"))
    assert steps == [Step("prepare", "db-1", OURS), Step("bootstrap", "db-3")]


def test_two_volumes_that_are_gone_do() -> None:
    *prepared, last = decided(db_1=NEW, db_2=said(), db_3=NEW)
    assert [step.do for step in prepared] == ["prepare", "prepare"]
    assert last.do == "refuse"
    assert "only db-2 has been in it" in last.text
    assert "FORCE=db-2" in last.text


@pytest.mark.parametrize("state", ["OFFLINE", "ERROR"])
def test_who_is_outside_joins(state: str) -> None:
    assert decided(db_1=PRIMARY, db_2=said(state), db_3=SECONDARY) == [Step("join", "db-2")]


def test_one_joins_after_the_other() -> None:
    assert decided(db_1=said(), db_2=PRIMARY, db_3=said()) == [Step("join", "db-1")]
    assert decided(db_1=said("RECOVERING"), db_2=PRIMARY, db_3=said()) == []


def test_a_whole_group_needs_nothing() -> None:
    assert decided(db_1=PRIMARY, db_2=SECONDARY, db_3=SECONDARY) == []


def test_a_group_without_one_member_goes_on() -> None:
    assert decided(db_2=PRIMARY, db_3=SECONDARY) == []


def test_who_is_cut_off_is_no_group_to_join() -> None:
    alone = said("ONLINE", "1234", is_primary=True, sees_majority=False)
    assert decided(db_1=alone, db_2=PRIMARY, db_3=SECONDARY) == [Step("join", "db-1")]
    (step,) = decided(db_1=alone, db_2=said())
    assert step.do == "refuse"


def test_a_member_is_opened_when_it_is_up_to_date() -> None:
    shut = {"is_shut": True}
    assert decided(db_1=PRIMARY, db_2=said("ONLINE", **shut), db_3=said("RECOVERING", **shut)) == [
        Step("open", "db-2")
    ]
    assert decided(db_1=PRIMARY, db_2=said("ERROR", **shut), db_3=SECONDARY) == [Step("join", "db-2")]


def test_a_primary_that_is_cut_off_is_not_opened() -> None:
    alone = said("ONLINE", is_primary=True, sees_majority=False, is_shut=True)
    assert decided(db_1=alone, db_2=PRIMARY, db_3=SECONDARY) == [Step("join", "db-1")]


def test_a_new_volume_beside_a_group_is_prepared_before_it_joins() -> None:
    assert decided(db_1=PRIMARY, db_2=SECONDARY, db_3=NEW) == [Step("prepare", "db-3", OURS)]


def test_a_volume_of_another_group_is_left_out() -> None:
    (step,) = decided(db_1=PRIMARY, db_2=SECONDARY, db_3=said(group="group-b"))
    assert (step.do, step.member) == ("refuse", "db-3")
    assert "another group" in step.text


def test_volumes_of_two_groups_start_none() -> None:
    (step,) = decided(db_1=said(), db_2=said(), db_3=said(group="group-b"))
    assert (step.do, step.member) == ("refuse", "")
    assert "db-3: group-b" in step.text


class FakeMember:
    """A member that says what it is told to say, or raises it, and notes what is done to it."""

    def __init__(self, says: Seen | Exception) -> None:
        self.says = says
        self.done: list[str] = []

    def look(self) -> Seen:
        if isinstance(self.says, Exception):
            raise self.says
        return self.says

    def query(self, statement: str, *parameters: object) -> list[dict[str, object]]:
        changes, others = map(str, parameters)
        return [{"fits": set(changes) <= set(others)}]

    def waiting(self) -> dict[str, int]:
        return {}

    def prepare(self, group: str) -> None:
        self.done.append("prepare")

    def join(self, *, first: bool = False) -> None:
        self.done.append("bootstrap" if first else "join")

    def open(self) -> None:
        self.done.append("open")


AWAY = pymysql.err.OperationalError(2003, "no route")
STRANGER = pymysql.err.OperationalError(1045, "Access denied")


def keeper_of(*says: Seen | Exception) -> tuple[Keeper, dict[str, list[str]]]:
    """Return a keeper of db-1, db-2 …, and what is done to each."""
    members = {f"db-{number}": FakeMember(one) for number, one in enumerate(says, 1)}
    return Keeper(members), {name: member.done for name, member in members.items()}  # type: ignore[arg-type]


def test_each_step_is_done_to_its_member() -> None:
    keeper, done = keeper_of(PRIMARY, said("ONLINE", is_shut=True), said("ERROR"))
    keeper.once()
    assert done == {"db-1": [], "db-2": ["open"], "db-3": ["join"]}
    keeper, done = keeper_of(said(gtids="1"), said(gtids="12"), said(gtids=""))
    keeper.once()
    assert done == {"db-1": [], "db-2": ["bootstrap"], "db-3": []}


def test_a_member_that_is_leaving_is_not_called_back() -> None:
    for state in ("ONLINE", "OFFLINE"):
        keeper, done = keeper_of(PRIMARY, SECONDARY, said(state, "12", is_shut=True, is_leaving=True))
        keeper.once()
        assert done == {"db-1": [], "db-2": [], "db-3": []}


def test_what_lasts_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    keeper, done = keeper_of(said(), AWAY, said())
    with caplog.at_level(logging.INFO):
        keeper.once()
        keeper.once()
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "db-1 OFFLINE, db-2 does not answer, db-3 OFFLINE. no member is in the group" in caplog.text
    assert not any(done.values())


def test_a_volume_of_another_deployment_is_named(caplog: pytest.LogCaptureFixture) -> None:
    keeper, _ = keeper_of(PRIMARY, SECONDARY, STRANGER)
    with caplog.at_level(logging.INFO):
        keeper.once()
    assert "db-3 refuses our password: its volume is of another deployment" in caplog.text


@pytest.mark.parametrize(
    ("says", "told"),
    [
        ((PRIMARY, said(), AWAY), "db-1 is in a group; a second one beside it would lose changes"),
        ((said(), AWAY, AWAY), "db-2 does not answer; those that do: db-1"),
        ((AWAY, NEW, AWAY), "the volume of db-2 is new"),
    ],
)
def test_a_decision_by_hand_is_refused_where_it_would_lose_more(
    says: tuple[Seen | Exception, ...], told: str
) -> None:
    keeper, done = keeper_of(*says)
    with pytest.raises(SystemExit, match=told):
        bootstrap(keeper, "db-2")
    assert not any(done.values())


def test_a_decision_by_hand_makes_one_member_the_first(capsys: pytest.CaptureFixture[str]) -> None:
    keeper, done = keeper_of(AWAY, said(), AWAY)
    bootstrap(keeper, "db-2")
    assert done == {"db-1": [], "db-2": ["bootstrap"], "db-3": []}
    assert "db-2 is the primary" in capsys.readouterr().out


class Told(Member):
    """A member with words of its own in the place of a server; None: it does not answer."""

    def __init__(self, name: str, said: Seen | None) -> None:
        super().__init__(name)
        self.said = said
        self.in_queue: dict[str, int] | None = {"certify": 0, "apply": 0}

    def look(self) -> Seen:
        return _answer(self.said)

    def waiting(self) -> dict[str, int]:
        return _answer(self.in_queue)

    def query(self, statement: str, *parameters: object, seconds: float = 3) -> list[dict[str, Any]]:
        return [{"fits": True}]


def _answer(known: T | None) -> T:
    if known is None:
        raise pymysql.err.OperationalError(2013, "Lost connection")
    return known


class Looked:
    """A keeper of members with these words, and its metrics as Prometheus gets them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **seen: Seen | None) -> None:
        monkeypatch.setattr("keep.secret", lambda name: name)
        self.members = {
            name: Told(name, seen.get(name.replace("-", "_"))) for name in ("db-1", "db-2", "db-3")
        }
        self.keeper = Keeper(self.members)
        self._registry = CollectorRegistry()
        self._registry.register(self.keeper.metrics)

    def again(self, **seen: Seen | None) -> None:
        for name, said in seen.items():
            self.members[name.replace("_", "-")].said = said
        self.keeper.once()

    def value(self, name: str, **labels: str) -> float | None:
        return self._registry.get_sample_value(f"hopproof_group_{name}", labels)

    def states(self) -> dict[str, str]:
        return {
            sample.labels["member"]: sample.labels["state"]
            for metric in self._registry.collect()
            for sample in metric.samples
            if sample.name == "hopproof_group_member" and sample.value
        }


def test_each_member_has_one_state(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = Looked(monkeypatch, db_1=PRIMARY, db_2=SECONDARY)
    looked.again()
    assert looked.states() == {"db-1": "primary", "db-2": "secondary", "db-3": "silent"}
    looked.again(db_2=said("ONLINE", is_shut=True), db_3=said("RECOVERING"))
    assert looked.states() == {"db-1": "primary", "db-2": "recovering", "db-3": "recovering"}
    # Cut off from the others it still calls itself the primary.
    looked.again(db_1=said("ONLINE", is_primary=True, sees_majority=False), db_2=PRIMARY, db_3=said("ERROR"))
    assert looked.states() == {"db-1": "outside", "db-2": "primary", "db-3": "outside"}


def test_a_change_of_the_primary_is_counted_once_and_the_first_one_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked = Looked(monkeypatch, db_1=said(), db_2=said(), db_3=said())
    assert looked.value("primary_changes_total") == 0
    counted = []
    looks: list[dict[str, Seen | None]] = [
        {},
        {"db_1": PRIMARY, "db_2": SECONDARY, "db_3": SECONDARY},
        {"db_1": None},
        {"db_2": PRIMARY},
        {},
        {"db_1": PRIMARY},  # two for a moment
        {"db_2": SECONDARY},
    ]
    for seen in looks:
        looked.again(**seen)
        counted.append(looked.value("primary_changes_total"))
    assert counted == [0, 0, 0, 1, 1, 1, 2]


def test_a_refusal_is_told_until_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = Looked(monkeypatch, db_1=said(), db_3=said())
    told = []
    looks: list[dict[str, Seen | None]] = [{}, {"db_1": PRIMARY}, {"db_1": None, "db_3": None}]
    for seen in looks:
        looked.again(**seen)
        told.append(looked.value("needs_decision"))
    assert told == [1, 0, 0]


def test_the_queues_of_a_member_that_is_silent_are_not_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = Looked(monkeypatch, db_1=PRIMARY, db_2=SECONDARY)
    looked.members["db-1"].in_queue = {"certify": 3, "apply": 0}
    looked.members["db-2"].in_queue = None
    looked.again()
    assert looked.value("waiting_transactions", member="db-1", queue="certify") == 3
    assert looked.value("waiting_transactions", member="db-1", queue="apply") == 0
    assert looked.value("waiting_transactions", member="db-2", queue="apply") is None
    assert looked.states()["db-2"] == "secondary"


def test_a_look_without_an_answer_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = Looked(monkeypatch)
    assert looked.value("last_look_timestamp_seconds") is None
    monkeypatch.setattr("group_metrics.time.time", lambda: 1_800_000_000.0)
    looked.again()
    assert looked.value("last_look_timestamp_seconds") == 1_800_000_000
    assert set(looked.states().values()) == {"silent"}


def test_a_look_counts_although_its_step_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = Looked(monkeypatch, db_1=PRIMARY, db_2=said(), db_3=SECONDARY)

    def fails(*, first: bool = False) -> None:
        raise pymysql.err.OperationalError(3092, "The server is not configured properly")

    monkeypatch.setattr(looked.members["db-2"], "join", fails)
    with pytest.raises(pymysql.err.OperationalError):
        looked.again()
    assert looked.states() == {"db-1": "primary", "db-2": "outside", "db-3": "secondary"}
