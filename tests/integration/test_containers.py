"""The containers: their rights, their settings, and settings that they refuse."""

from __future__ import annotations

import os
import re

import pytest

from verify.deployment import Deployment, readable_secrets, until
from verify.inside import run_inside
from verify.visitor import Visitor

SERVICES = ("balancer", "web", "janitor", "db")


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_is_not_root_and_cannot_write_or_gain_rights(
    deployment: Deployment, service: str
) -> None:
    for container in deployment.containers(service):
        host = container.attrs["HostConfig"]
        assert run_inside(container, ["id", "-u"])[1].strip() not in ("", "0")
        assert host["ReadonlyRootfs"] is True
        assert host["CapDrop"] == ["ALL"]
        assert "no-new-privileges:true" in host["SecurityOpt"]
        assert host["Memory"] > 0
        assert host["PidsLimit"] > 0


def test_a_server_is_healthy_where_the_engine_gives_each_container_a_proxy(deployment: Deployment) -> None:
    server = deployment.containers("web")[0]
    check = server.attrs["Config"]["Healthcheck"]["Test"][1:]
    server.exec_run(["rm", "/dev/shm/up"])  # else it rests first
    proxy = dict.fromkeys(("http_proxy", "HTTP_PROXY", "all_proxy"), "http://127.0.0.1:9")
    assert server.exec_run(check, environment=proxy).exit_code == 0


def test_only_the_balancer_publishes_a_port_and_only_on_this_machine(deployment: Deployment) -> None:
    published = {
        (service, binding["HostIp"])
        for service in SERVICES
        for container in deployment.containers(service)
        for bindings in container.attrs["HostConfig"]["PortBindings"].values()
        for binding in bindings
    }
    assert published == {("balancer", "127.0.0.1")}


def test_no_secret_is_in_an_environment_or_an_image(deployment: Deployment) -> None:
    secrets = [path.read_text() for path in (deployment.folder / "secrets").iterdir()]
    assert len(secrets) == 5
    for service in (*SERVICES, "schema", "secrets"):
        for container in deployment.containers(service):
            image = container.image
            shown = f"{container.attrs}{image.attrs}{image.history()}{container.logs().decode()}"
            assert not any(secret in shown for secret in secrets), service


@pytest.mark.parametrize(("service", "user"), [("db", "root"), ("web", "web"), ("janitor", "janitor")])
def test_a_container_reads_its_own_password_and_no_other(
    deployment: Deployment, service: str, user: str
) -> None:
    for container in deployment.containers(service):
        assert readable_secrets(container) == [f"db_{user}_password"]
        assert container.exec_run(["touch", "/run/secrets/new"]).exit_code != 0


def test_the_balancer_sees_no_password(deployment: Deployment) -> None:
    assert readable_secrets(deployment.container("balancer")) == []


def test_the_job_that_makes_the_passwords_has_no_network_and_few_rights(deployment: Deployment) -> None:
    host = deployment.container("secrets").attrs["HostConfig"]
    assert (host["NetworkMode"], host["ReadonlyRootfs"], host["CapDrop"]) == ("none", True, ["ALL"])
    # Engines differ in whether they keep the prefix.
    assert {name.removeprefix("CAP_") for name in host["CapAdd"]} == {"CHOWN", "DAC_READ_SEARCH"}
    writable = {
        mount["Destination"] for mount in deployment.container("secrets").attrs["Mounts"] if mount["RW"]
    }
    assert writable == {"/run/secrets"}


def test_no_server_has_a_way_out(deployment: Deployment) -> None:
    for service in ("web", "janitor", "db"):
        for container in deployment.containers(service):
            for name in container.attrs["NetworkSettings"]["Networks"]:
                assert deployment.docker.networks.get(name).attrs["Internal"], (service, name)


def test_no_image_has_a_folder_of_git(deployment: Deployment) -> None:
    find = ["find", "/", "-xdev", "-name", ".git"]
    found = {service: run_inside(deployment.containers(service)[0], find)[1] for service in SERVICES}
    assert {service: output for service, output in found.items() if "/.git" in output} == {}


def test_the_balancer_cannot_reach_the_database(deployment: Deployment) -> None:
    connect = "exec 3<>/dev/tcp/db/3306"
    assert deployment.container("balancer").exec_run(["timeout", "3", "bash", "-c", connect]).exit_code != 0
    # The same attempt succeeds where it should, so the test can fail.
    assert deployment.containers("web")[0].exec_run(["timeout", "3", "bash", "-c", connect]).exit_code == 0


def test_the_database_has_read_its_settings(deployment: Deployment) -> None:
    """MySQL ignores a file that it finds unsafe, with no more than a warning."""
    asked = "@@innodb_flush_log_at_trx_commit, @@log_bin, @@innodb_lock_wait_timeout"
    assert deployment.sql(f"SELECT {asked}") == [["1", "0", "1"]]


def test_more_servers_than_the_database_has_connections_for_are_refused(deployment: Deployment) -> None:
    done = deployment.script("infra/scale", "20", fails=True, DB_MAX_CONNECTIONS="100")
    assert "20 × WEB_WORKERS=1 × DB_POOL=8 = 160 connections" in done.stderr
    assert len(deployment.server_names()) == deployment.servers


def test_a_bad_setting_stops_the_boot_and_says_what_to_type(deployment: Deployment) -> None:
    arguments = [
        "run",
        "--rm",
        "--no-deps",
        "--env",
        "SESSION_IDLE_S=soon",
        "web",
        "python",
        "-c",
        "import wsgi",
    ]
    done = deployment.script("infra/compose", *arguments, fails=True)
    assert "SESSION_IDLE_S='soon' is not a whole number of seconds" in done.stderr
    assert "try SESSION_IDLE_S=1800" in done.stderr


def test_the_janitor_removes_expired_sessions_by_itself(deployment: Deployment, visitor: Visitor) -> None:
    def removed() -> int:
        # Other tests' tombstones expire as well, so no pass is sure to remove this one session alone.
        return sum(map(int, re.findall(r"removed (\d+) expired sessions", deployment.logs("janitor"))))

    visitor.add("n")
    removed_before = removed()
    key = f"UNHEX(SHA2('{visitor.session_id}', 256))"
    deployment.sql(f"UPDATE sessions SET expires_at = UNIX_TIMESTAMP() WHERE id = {key}")
    deployment.container("janitor").restart()  # it cleans at once, then once a minute
    until(lambda: deployment.sql(f"SELECT 1 FROM sessions WHERE id = {key}") == [], "the row is gone")
    until(lambda: removed() > removed_before, "a log line of the pass")


def test_a_session_outlives_the_whole_deployment(deployment: Deployment, visitor: Visitor) -> None:
    visitor.login("ada")
    deployment.script("infra/compose", "down", "--timeout", "10")
    deployment.script("infra/compose", "up", "--detach", "--wait")
    deployment.wait_for_servers(deployment.servers)
    assert os.environ["COMPOSE_PROJECT_NAME"] == deployment.project
    assert visitor.show().body["user"] == "ada"
