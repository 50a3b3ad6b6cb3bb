"""An operator works on the running deployment, and visitors notice nothing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from counting import CountingVisitors

from verify.deployment import ROOT, Deployment, until

CONFIGURATION = (ROOT / "loadbalancer/haproxy.cfg").read_text()


def let_copies_be_served(deployment: Deployment) -> None:
    deployment.sql("UPDATE hopproof.cache_switch SET off_until = 0")


def copies_are_off_for_s(deployment: Deployment) -> float:
    ((off_for_s,),) = deployment.sql("SELECT off_until - UNIX_TIMESTAMP() FROM hopproof.cache_switch")
    return float(off_for_s)


def test_a_rolling_deploy_replaces_every_server_and_fails_no_request(
    deployment: Deployment, crowd: CountingVisitors
) -> None:
    before = deployment.server_names()
    let_copies_be_served(deployment)
    deployment.script("infra/deploy")
    assert 60 < copies_are_off_for_s(deployment) <= 121, "nobody serves copies while two versions serve"
    crowd.get_around()
    after = deployment.server_names()
    assert (len(after), before & after) == (len(before), set())
    assert crowd.not_ok() == []
    crowd.assert_nothing_lost()


def test_nobody_serves_copies_while_two_versions_serve(deployment: Deployment) -> None:
    """After `make up`, which may bring another version; the same of a deploy is seen in the test above."""
    let_copies_be_served(deployment)
    deployment.script("infra/up")
    assert 60 < copies_are_off_for_s(deployment) <= 121


def test_an_interrupted_deploy_is_completed_by_the_next_and_fails_no_request(
    deployment: Deployment, crowd: CountingVisitors
) -> None:
    before = deployment.server_names()
    environment = {**os.environ, **deployment.variables}
    # A process group of its own: Ctrl-C reaches the commands that the script runs, too.
    with subprocess.Popen([ROOT / "infra/deploy"], env=environment, start_new_session=True) as interrupted:
        until(lambda: len(deployment.server_names()) > len(before), "one server more")
        os.killpg(interrupted.pid, signal.SIGTERM)
    assert interrupted.returncode != 0
    left = deployment.server_names()
    assert before <= left
    deployment.script("infra/deploy")
    after = deployment.server_names()
    assert (len(after), left & after) == (len(before), set())
    assert crowd.not_ok() == []


def test_a_server_that_does_not_start_takes_no_old_one_with_it(
    deployment: Deployment, crowd: CountingVisitors
) -> None:
    before = deployment.server_names()
    done = deployment.script("infra/deploy", fails=True, SESSION_IDLE_S="soon")
    assert "SESSION_IDLE_S='soon' is not a whole number of seconds" in done.stderr
    assert "the others go on serving" in done.stderr
    assert deployment.server_names() == before
    assert len(deployment.containers("web")) == len(before)
    crowd.get_around()
    assert crowd.not_ok() == []


def test_a_deploy_beyond_the_capacity_is_refused_with_what_to_type(deployment: Deployment) -> None:
    before = deployment.server_names()
    done = deployment.script("infra/deploy", fails=True, DB_MAX_CONNECTIONS="40")
    assert "4 × WEB_WORKERS=1 × DB_POOL=8 = 32 connections" in done.stderr
    assert "make scale N=2" in done.stderr
    assert deployment.server_names() == before


def test_a_deploy_where_nothing_runs_is_refused_with_what_to_type(deployment: Deployment) -> None:
    done = deployment.script("infra/deploy", fails=True, COMPOSE_PROJECT_NAME=f"{deployment.project}-other")
    assert "no web server runs" in done.stderr
    assert "make up" in done.stderr


@pytest.fixture(scope="module")
def configuration(
    deployment: Deployment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Deployment, Path]]:
    """A deployment whose balancer reads a haproxy.cfg that may be written to, and that file."""
    folder = tmp_path_factory.mktemp("balancer")
    shutil.copytree(ROOT / "loadbalancer", folder / "loadbalancer")
    mount = {"services": {"balancer": {"volumes": [f"{folder}/loadbalancer:/etc/hopproof:ro"]}}}
    (folder / "compose.yml").write_text(json.dumps(mount))
    recreate = ("infra/compose", "up", "--detach", "--wait", "--no-deps", "balancer")
    with deployment.overlaid(str(folder / "compose.yml")):
        deployment.script(*recreate)
        yield deployment, folder / "loadbalancer/haproxy.cfg"
    deployment.script(*recreate)


def marked(configuration: str, mark: str) -> str:
    """The configuration, with a mark on every answer."""
    backend = "backend web from servers\n"
    assert backend in configuration
    return configuration.replace(backend, f"{backend}    http-after-response set-header X-Mark {mark}\n")


def test_a_reload_brings_a_changed_configuration_and_fails_no_request(
    configuration: tuple[Deployment, Path], crowd: CountingVisitors
) -> None:
    deployment, path = configuration
    for mark in ("first", "second", "third"):
        path.write_text(marked(CONFIGURATION, mark))
        deployment.script("infra/reload")
        assert deployment.visitor().show().headers["X-Mark"] == mark
    crowd.get_around()
    assert crowd.not_ok() == []
    crowd.assert_nothing_lost()


def test_two_reloads_at_once_fail_no_request(
    configuration: tuple[Deployment, Path], crowd: CountingVisitors
) -> None:
    deployment, path = configuration
    path.write_text(marked(CONFIGURATION, "twice"))
    with ThreadPoolExecutor(2) as operators:
        for reload in [operators.submit(deployment.script, "infra/reload") for _ in range(2)]:
            reload.result()
    crowd.get_around()
    assert crowd.not_ok() == []


BROKEN = {
    "an error": CONFIGURATION + "\n    nonsense\n",
    "a warning": CONFIGURATION + "\n    use_backend web if FALSE\n    http-request set-header X y\n",
    # Passes the check: an address of another machine fails only when HAProxy binds to it.
    "no such address": CONFIGURATION.replace("    bind :8404\n", "    bind :8404\n    bind 192.0.2.1:8404\n"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_reload_of_a_broken_configuration_is_refused_and_changes_nothing(
    configuration: tuple[Deployment, Path], crowd: CountingVisitors, broken: str
) -> None:
    deployment, path = configuration
    path.write_text(marked(CONFIGURATION, "good"))
    deployment.script("infra/reload")
    assert BROKEN[broken] != CONFIGURATION
    path.write_text(BROKEN[broken])
    done = deployment.script("infra/reload", fails=True)
    assert "the balancer keeps its old configuration" in done.stderr
    assert deployment.visitor().show().headers["X-Mark"] == "good"
    crowd.get_around()
    assert crowd.not_ok() == []


def test_a_reload_where_nothing_runs_is_refused_with_what_to_type(deployment: Deployment) -> None:
    done = deployment.script("infra/reload", fails=True, COMPOSE_PROJECT_NAME=f"{deployment.project}-other")
    assert "no balancer runs" in done.stderr
    assert "make up" in done.stderr
