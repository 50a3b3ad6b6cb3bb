"""`make verify TARGET=file`: what the file may say, and the judgement on a deployment that is not ours."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from foreign import SPELLED, Foreign, running

from verify.anybody import COMMAND_S, faults_of
from verify.evidence import Budget
from verify.faults import FAULTS
from verify.guarantees import GUARANTEES, spoken
from verify.matrix import line
from verify.probe import REQUESTS
from verify.strikes.proof import DidNotStrike
from verify.target import FAULT, FEATURES, KEYS, LONGEST_HOLD_S, BadTarget, Target, is_loopback, read
from verify.trial import FULL, QUICK, strike
from verify.verdict import Cell, column

ROOT = Path(__file__).parents[2]
URL = {"url": "http://127.0.0.1:3000"}


def judged(described: dict[str, Any], fault: str = "calm", folder: Path = Path()) -> dict[str, Cell]:
    """Return the cells of a short run, by guarantee."""
    target = Target(described, folder)
    target.check()
    trial = strike(target, faults_of(target)[fault], "seed", QUICK)
    return {cell.guarantee: cell for cell in column(fault, trial, spoken(GUARANTEES, ()))}


def test_a_deployment_of_which_the_url_is_known_holds_what_it_can_promise() -> None:
    with running(Foreign()) as url:
        cells = judged(SPELLED | {"url": url})

    said = "\n".join(line(cell) for cell in cells.values())
    verdicts = {name: cell.verdict for name, cell in cells.items()}
    held = dict.fromkeys(("G1", "G2", "G3", "G4", "G5", "G6", "G9"), "held")
    assert verdicts == held | dict.fromkeys(("G7", "G8", "G10"), "n/a"), said
    assert all(cell.reason for cell in cells.values() if cell.verdict == "n/a")
    assert cells["G9"].servers == 2


def test_a_deployment_that_writes_back_what_it_read_is_found_out() -> None:
    with running(Foreign(loses_writes=True)) as url:
        cells = judged(SPELLED | {"url": url})

    assert {cells["G2"].verdict, cells["G3"].verdict} == {"broken"}


def test_a_deployment_whose_answers_name_no_server_is_not_judged_for_hopping() -> None:
    with running(Foreign()) as url:
        cells = judged(SPELLED | {"url": url, "server_header": ""})

    assert (cells["G9"].verdict, cells["G9"].reason) == ("n/a", "no answer says which server gave it")
    assert cells["G1"].verdict == "held"


AWAY = {"command": ["touch", "away"], "heal": ["rm", "away"]}


def struck(folder: Path, **fault: Any) -> dict[str, Cell]:
    """Return the cells of a run in which a command strikes that the file describes."""
    with running(Foreign(away=folder / "away")) as url:
        return judged(SPELLED | {"url": url, "faults": {"power-cut": fault}}, "power-cut", folder)


def test_a_command_of_the_file_strikes_and_heals_and_excuses_what_the_file_says(tmp_path: Path) -> None:
    cells = struck(tmp_path, errors=True, lost_s=0.1, **AWAY)

    assert not (tmp_path / "away").exists()
    assert (cells["G1"].verdict, cells["G1"].fault_proven) == ("held", "touch away ended with 0")
    assert cells["G1"].recovery_s is not None
    # A short run does not judge what a fault costs; that it is judged at all is said by the reason.
    assert (cells["G10"].verdict, cells["G10"].reason) == ("n/a", QUICK.unjudged)


def test_a_command_excuses_no_error_by_itself(tmp_path: Path) -> None:
    cells = struck(tmp_path, **AWAY)
    assert cells["G1"].verdict == "broken"
    assert cells["G1"].reason in {f"{act} got 503" for act in REQUESTS}


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"command": ["sh", "-c", "echo no; exit 3"]}, "sh -c 'echo no; exit 3' ended with 3: no"),
        ({"command": ["true"], "heal": ["false"]}, "false ended with 1"),
    ],
)
def test_a_command_that_fails_proves_nothing(fault: dict[str, Any], told: str) -> None:
    target = Target(URL | {"faults": {"deploy": fault}})
    with pytest.raises(DidNotStrike, match=told), faults_of(target)["deploy"].strike(target):
        pass


def test_a_command_that_fails_is_undone(tmp_path: Path) -> None:
    half = {"command": ["sh", "-c", "touch away; exit 1"], "heal": ["rm", "away"]}
    target = Target(URL | {"faults": {"deploy": half}}, tmp_path)
    with pytest.raises(DidNotStrike, match="ended with 1"), faults_of(target)["deploy"].strike(target):
        pass
    assert not (tmp_path / "away").exists()


def test_the_file_says_what_a_fault_may_cost_and_excuse() -> None:
    described = URL | {
        "containers": {"server": "a", "database": "b"},
        "faults": {
            "server-stopped": {"errors": False, "wait_s": 1.5},
            "cut-off": {"command": ["true"], "title": "cut off its disk", "takes": "database", "hold_s": 7},
        },
    }
    faults = faults_of(Target(described))

    assert list(faults) == [
        *("calm", "server-killed", "server-stopped", "server-frozen", "database-killed", "database-frozen"),
        "cut-off",
    ]
    stopped, cut_off = faults["server-stopped"], faults["cut-off"]
    assert (stopped.statuses, stopped.per_tab, stopped.budget) == (frozenset(), 0, Budget(wait_s=1.5))
    assert (cut_off.title, cut_off.takes, cut_off.hold_s) == ("cut off its disk", "store", 7)
    assert FULL.longest_hold_s == LONGEST_HOLD_S
    # It ends in time where a run is bounded.
    assert cut_off.may_take_s == stopped.may_take_s + COMMAND_S
    assert faults["server-killed"].budget is None
    assert Target(described).not_judged.keys() == {"G8"}


def test_a_guarantee_that_nobody_could_see_broken_is_not_judged() -> None:
    nobody = {"login": "it knows no users", "logout": "nobody is logged in"}
    target = Target(URL | {"absent": SPELLED["absent"] | nobody})

    assert "it knows no users; nobody is logged in" in target.not_judged["G4"]
    assert target.not_judged.keys() == {"G4", "G8", "G10"}


def test_containers_that_are_not_there_end_the_run_before_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    # Docker's client leaves a socket open where no engine answers.
    nothing = SimpleNamespace(containers=SimpleNamespace(list=lambda **_: []))
    monkeypatch.setattr("docker.from_env", lambda: nothing)
    with running(Foreign()) as url:
        named = Target(SPELLED | {"url": url, "containers": {"server": "label:hopproof.none=there"}})
        with pytest.raises(BadTarget, match=r"containers\.server"):
            named.check()


@pytest.mark.parametrize(
    ("differs", "told"),
    [
        ({"cookie": "other"}, "no cookie named other"),
        ({"answers": SPELLED["answers"] | {"value": "/1"}}, "the answer has no /1"),
        ({"answers": SPELLED["answers"] | {"data": "/session"}}, "told"),
        ({"requests": SPELLED["requests"] | {"logout": {"method": "PUT", "path": "/out"}}}, "501"),
    ],
)
def test_a_deployment_that_does_not_answer_as_its_file_says_is_not_judged(
    differs: dict[str, Any], told: str
) -> None:
    with running(Foreign()) as url, pytest.raises(BadTarget, match=told):
        Target(SPELLED | {"url": url} | differs).check()


@pytest.mark.parametrize(
    ("described", "told"),
    [
        ({}, "url is None"),
        ({"url": "127.0.0.1:80"}, "url is"),
        (URL | {"urls": 1}, "there is no urls; there are: url"),
        ({"url": "http://example.org"}, "owner_agrees = true"),
        ({"url": "http://example.org", "owner_agrees": "yes"}, "owner_agrees = true"),
        (URL | {"absent": {"lists": "none"}}, "there is no absent.lists"),
        (URL | {"absent": {"append": ""}}, "absent.append"),
        (URL | {"absent": {"read": "no"}}, "nothing to judge"),
        (URL | {"requests": {"read": {"path": "/"}}}, "method and path are needed"),
        (URL | {"requests": {"see": {}}}, "there is no requests.see"),
        (URL | {"answers": {"data": "data"}}, "JSON Pointer"),
        (URL | {"containers": {"web": "x"}}, "there is no containers.web"),
        (URL | {"containers": {"server": []}}, "containers.server"),
        (URL | {"table": {"count": "SELECT 1"}}, "table.command"),
        (URL | {"table": {"command": "mysql"}}, "table.command"),
        (URL | {"faults": {"Cut Off": {}}}, "small letters and hyphens"),
        (URL | {"faults": {"calm": {"wait_s": 1}}}, "but not calm"),
        (URL | {"faults": ["deploy"]}, "not a table"),
        (URL | {"faults": {"deploy": {"commands": ["x"]}}}, "there is no faults.deploy.commands"),
        (URL | {"faults": {"deploy": {"command": "make deploy"}}}, "as a list"),
        (URL | {"faults": {"deploy": {"heal": ["x"]}}}, "follow a command"),
        (URL | {"faults": {"deploy": {"command": ["true"], "errors": 503}}}, "errors true or false"),
        (URL | {"faults": {"deploy": {"command": ["true"], "takes": "store"}}}, "faults.deploy.takes"),
        (URL | {"faults": {"deploy": {"command": ["true"], "wait_s": "1"}}}, "faults.deploy.wait_s"),
        (URL | {"faults": {"deploy": {"command": ["./none"]}}}, "there is no program ./none"),
        (URL | {"faults": {"deploy": {"wait_s": 1}}}, "faults.deploy: command is missing"),
        (URL | {"faults": {"server-killed": {"wait_s": 1}}}, "or containers.server"),
        (URL | {"idle_timeout_s": 3600}, "from 1 to 10"),
        (URL | {"error_within_s": True}, "error_within_s"),
    ],
)
def test_a_file_that_says_what_cannot_be_is_refused_with_what_may_stand_there(
    described: dict[str, Any], told: str
) -> None:
    with pytest.raises(BadTarget, match=told.replace("(", r"\(")):
        faults_of(Target(described))


def test_a_file_that_is_not_toml_is_refused_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("url = ")
    with pytest.raises(BadTarget, match=r"mine\.toml"):
        read(path)
    with pytest.raises(BadTarget, match=r"none\.toml"):
        read(tmp_path / "none.toml")


@pytest.mark.parametrize("host", ["localhost", "shop.localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_this_machine_needs_no_owners_consent(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["localhost.example", "10.0.0.1", "0.0.0.0", "example.org", "::2"])
def test_every_other_does(host: str) -> None:
    assert not is_loopback(host)


def test_elsewhere_a_run_is_bounded() -> None:
    elsewhere = Target({"url": "https://example.org", "owner_agrees": True})
    assert (elsewhere.takes_arrivals, elsewhere.ends_after_s) == (False, 600)
    assert Target(URL).ends_after_s is None


def test_our_own_stack_is_such_a_target() -> None:
    ours = read(ROOT / "tests/verify/targets/hopproof.toml")
    assert ours.acts == {*REQUESTS, "expire"}
    assert ours.services == {"server", "balancer", "database"}
    assert ours.not_judged.keys() == {"G8"}


def test_what_a_fault_of_ours_may_cost_is_the_same_through_both_doors() -> None:
    theirs = faults_of(read(ROOT / "tests/verify/targets/hopproof.toml"))
    both = theirs.keys() & FAULTS.keys()
    assert len(both) == 11
    ours = {name: FAULTS[name].budget for name in both - {"database-killed"}}
    assert {name: theirs[name].budget for name in ours} == ours
    graceful = {"server-stopped", "scale", "rolling-deploy", "balancer-reloaded"}
    assert {name for name in both if not theirs[name].statuses} == graceful | {"calm"}


def test_the_page_names_every_entry_and_no_other() -> None:
    page = (ROOT / "docs/your-deployment.md").read_text()
    said = page.partition("## What the file may say")[2].partition("## What strikes")[0]
    entries = re.findall(r"^\| `\[?([a-z_]+)\]?` \|", said, re.MULTILINE)
    assert sorted(entries) == sorted(KEYS)
    acts = re.findall(r"^\| `([a-z-]+)` \| `", page.partition("## What the file may say")[0], re.MULTILINE)
    assert sorted(acts) == sorted(REQUESTS)
    assert all(f"`{name}`" in page for name in (*FEATURES, *FAULT))
