"""Facts that must agree between docker-compose.yml and infra/kubernetes/, which describe one deployment.

Only files are read. `make check-kubernetes` renders them and validates each object.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

import config
import janitor

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "infra/kubernetes"
BASE = FOLDER / "base"
KINDS_WITH_PODS = ("Deployment", "StatefulSet", "Job")
yaml = YAML(typ="safe", pure=True)


def read(path: Path) -> Any:
    return yaml.load(path.read_text())


def settings(text: str) -> dict[str, str]:
    return dict(re.findall(r"^([A-Z_]+)=(.*)$", text, re.MULTILINE))


KUSTOMIZATION = read(BASE / "kustomization.yaml")
OBJECTS = [thing for name in KUSTOMIZATION["resources"] for thing in yaml.load_all((BASE / name).read_text())]
PODS = {
    thing["metadata"]["name"]: thing["spec"]["template"]["spec"]
    for thing in OBJECTS
    if thing["kind"] in KINDS_WITH_PODS
}
SETTINGS = settings((BASE / "settings.env").read_text())
DEFAULTS = settings((ROOT / ".env.example").read_text())
DOCKERFILE = (ROOT / "webapp/Dockerfile").read_text()
HAPROXY = (ROOT / "loadbalancer/haproxy.cfg").read_text()
every_pod = pytest.mark.parametrize("name", PODS)


def the(kind: str, name: str) -> Any:
    (found,) = (thing for thing in OBJECTS if (thing["kind"], thing["metadata"]["name"]) == (kind, name))
    return found["spec"]


def container(name: str) -> dict[str, Any]:
    (only,) = PODS[name]["containers"]
    return only


def service(name: str, path: Path = ROOT / "docker-compose.yml") -> dict[str, Any]:
    """Return a service of Compose, with the settings that it extends."""
    own = dict(read(path)["services"][name])
    above = own.pop("extends", None)
    if above is None:
        return own
    if isinstance(above, str):
        inherited = service(above, path)
    else:
        inherited = service(above["service"], path.parent / above["file"])
    environment = {**inherited.get("environment", {}), **own.get("environment", {})}
    tmpfs = [*inherited.get("tmpfs", []), *own.get("tmpfs", [])]
    return {**inherited, **own, "environment": environment, "tmpfs": tmpfs}


def octets(amount: str) -> int:
    """Return the bytes of 256m (Compose) or 256Mi (Kubernetes)."""
    number, unit = re.fullmatch(r"(\d+)([mgMG])i?", amount).groups()
    return int(number) * {"m": 2**20, "g": 2**30}[unit.lower()]


def seconds(duration: str) -> int:
    return int(duration.removesuffix("s"))


def mounts(name: str) -> dict[str, dict[str, Any]]:
    """Return the volume that is mounted at each path."""
    volumes = {volume["name"]: volume for volume in PODS[name].get("volumes", [])}
    return {mount["mountPath"]: volumes.get(mount["name"], {}) for mount in container(name)["volumeMounts"]}


def texts(part: Any) -> Iterator[str]:
    """Yield every text of a part of an object."""
    if isinstance(part, dict):
        part = [*part, *part.values()]
    if isinstance(part, list):
        for inner in part:
            yield from texts(inner)
    elif isinstance(part, str):
        yield part


# Users and rights


def test_each_service_of_the_picture_is_there_but_for_the_balancer_and_the_maker_of_passwords() -> None:
    assert set(PODS) == set(read(ROOT / "docker-compose.yml")["services"]) - {"balancer", "secrets"}


@every_pod
def test_a_pod_runs_as_the_user_that_it_is_in_compose(name: str) -> None:
    user = service(name).get("user") or re.search(r"^USER (.*)$", DOCKERFILE, re.MULTILINE)[1]
    rights = PODS[name]["securityContext"]
    assert f"{rights['runAsUser']}:{rights['runAsGroup']}" == user


@every_pod
def test_a_pod_holds_no_privilege_and_can_gain_none(name: str) -> None:
    compose = service(name)
    assert (compose["read_only"], compose["cap_drop"], compose["security_opt"]) == (
        True,
        ["ALL"],
        ["no-new-privileges:true"],
    )
    rights = PODS[name]["securityContext"]
    assert (rights["runAsNonRoot"], rights["seccompProfile"]) == (True, {"type": "RuntimeDefault"})
    assert container(name)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert PODS[name]["automountServiceAccountToken"] is False


@every_pod
def test_a_pod_has_the_memory_that_it_has_in_compose(name: str) -> None:
    resources = container(name)["resources"]
    assert octets(resources["limits"]["memory"]) == octets(service(name)["mem_limit"])
    assert resources["requests"]["memory"] == resources["limits"]["memory"]


@every_pod
def test_a_pod_may_write_where_it_may_in_compose(name: str) -> None:
    compose = service(name)
    data = [volume.split(":")[1] for volume in compose["volumes"] if volume.startswith("db:")]
    written = [path for path, volume in mounts(name).items() if not {"secret", "configMap"} & volume.keys()]
    assert sorted(written) == sorted([*(path.split(":")[0] for path in compose["tmpfs"]), *data])


@every_pod
def test_no_service_of_the_cluster_becomes_a_setting(name: str) -> None:
    # With links the Service db sets DB_PORT=tcp://…, which stops the boot.
    assert PODS[name]["enableServiceLinks"] is False


@pytest.mark.parametrize("name", ["web", "janitor"])
def test_a_name_that_does_not_resolve_fails_as_early_as_in_compose(name: str) -> None:
    options = [f"{option['name']}:{option['value']}" for option in PODS[name]["dnsConfig"]["options"]]
    assert options == service(name)["dns_opt"]


# Images, commands and files


@pytest.mark.parametrize("name", ["db", "schema"])
def test_the_database_is_the_image_of_compose(name: str) -> None:
    assert f"-{container(name)['image']}}}" in service(name)["image"]


def test_a_command_is_that_of_compose() -> None:
    assert container("janitor")["args"] == service("janitor")["command"]
    assert container("schema")["command"] == service("schema")["entrypoint"]
    (option,) = service("db")["command"]
    assert container("db")["args"] == [re.sub(r"\$\{(\w+):-.*\}", lambda used: DEFAULTS[used[1]], option)]


@pytest.mark.parametrize("name", ["db", "schema"])
def test_the_files_of_the_database_are_mounted_where_compose_mounts_them(name: str) -> None:
    in_compose = {
        path: (ROOT / source).name
        for source, path, *_ in (volume.split(":") for volume in service(name)["volumes"])
        if source.startswith("./")
    }
    here = {
        mount["mountPath"]: mount.get("subPath", mount["name"])
        for mount in container(name)["volumeMounts"]
        if "configMap" in mounts(name)[mount["mountPath"]]
    }
    assert here == in_compose


def test_every_file_of_the_schema_is_in_its_config_map() -> None:
    files = {made["name"]: made.get("files", []) for made in KUSTOMIZATION["configMapGenerator"]}
    listed = sorted((BASE / path).resolve() for path in [*files["schema"], *files["my-cnf"]])
    schema = (ROOT / "webapp/hopproof/mysql/schema").glob("*")
    mysql = ROOT / "infra/mysql"
    assert listed == sorted([*schema, mysql / "apply-schema", mysql / "my.cnf"])


# Settings and passwords


def test_the_settings_are_those_that_compose_passes_on() -> None:
    passed = {**service("web")["environment"], **service("janitor")["environment"]}
    names = {name for name, value in passed.items() if value.startswith("${")}
    assert set(SETTINGS) == {*names, "DB_HOST"}


def test_a_setting_has_the_value_that_it_has_in_compose_but_for_the_secure_cookie() -> None:
    ours = {name: value for name, value in SETTINGS.items() if DEFAULTS.get(name) != value}
    assert ours == {"DB_HOST": "db", "SESSION_COOKIE_SECURE": "yes"}
    assert config.read_config({**SETTINGS, "SESSION_COOKIE_SECURE": "no"}) == config.read_config({})


def test_the_database_has_the_name_that_the_servers_look_for() -> None:
    assert the("Service", SETTINGS["DB_HOST"])["ports"][0]["port"] == config.read_config({}).db_port


@pytest.mark.parametrize("name", ["web", "janitor"])
def test_a_pod_connects_as_the_user_that_it_is_in_compose(name: str) -> None:
    own = {variable["name"]: variable["value"] for variable in container(name)["env"]}
    compose = service(name)["environment"]
    assert own == {variable: compose[variable] for variable in ("DB_USER", "DB_PASSWORD_FILE")}
    assert container(name)["envFrom"] == [{"configMapRef": {"name": "settings"}}]


@every_pod
def test_a_pod_sees_the_passwords_that_it_may_read_in_compose(name: str) -> None:
    script = (ROOT / "infra/mysql/fill-secrets").read_text()
    owners = {group: f"db_{user}_password" for user, group in re.findall(r"\[(\w+)\]=(\d{5})", script)}
    readable = sorted(owners[group] for group in service(name)["group_add"])
    secret = mounts(name)["/run/secrets"]["secret"]
    assert secret["secretName"] == "passwords"
    assert [item["key"] for item in secret.get("items", [])] == [
        item["path"] for item in secret.get("items", [])
    ]
    assert sorted(item["path"] for item in secret.get("items", [])) == (
        readable if len(readable) < len(owners) else []
    )
    made = re.search(r"for user in (.*); do", (FOLDER / "make-secret").read_text())
    assert made is not None
    assert sorted(f"db_{user}_password" for user in made[1].split()) == sorted(owners.values())


@every_pod
def test_a_password_is_readable_to_the_group_of_the_pod_alone(name: str) -> None:
    assert mounts(name)["/run/secrets"]["secret"]["defaultMode"] == 0o440
    groups = [int(group) for group in service(name)["group_add"]]
    rights = PODS[name]["securityContext"]
    # The volume of the database belongs to this group as well, so it is the database's own.
    assert rights["fsGroup"] in (groups if name in ("web", "janitor") else [rights["runAsGroup"]])


# Ports and probes


def test_the_ports_are_those_of_the_image_and_of_the_janitor() -> None:
    (web,) = container("web")["ports"]
    assert f"EXPOSE {web['containerPort']}\n" in DOCKERFILE
    assert f"web:{web['containerPort']} check" in HAPROXY
    assert container("janitor")["ports"][0]["containerPort"] == janitor.METRICS_PORT
    assert the("NetworkPolicy", "ingress-to-servers")["ingress"][0]["ports"] == [
        {"port": web["containerPort"]}
    ]


def test_readiness_is_asked_as_our_balancer_asks_it() -> None:
    probe = container("web")["readinessProbe"]
    assert f"meth GET uri {probe['httpGet']['path']}\n" in HAPROXY
    # gunicorn.conf.py counts on a question each second.
    assert f"default-server pool-purge-delay 1s inter {probe['periodSeconds']}s " in HAPROXY
    assert f"timeout check {probe['timeoutSeconds']}s" in HAPROXY
    assert f"fall {probe['failureThreshold']} " in HAPROXY


@pytest.mark.parametrize("probe", ["startupProbe", "livenessProbe"])
def test_a_server_is_not_restarted_for_its_database_or_its_drain(probe: str) -> None:
    assert container("web")[probe]["httpGet"]["path"] == "/healthz"


def test_the_database_is_asked_as_in_compose() -> None:
    command = " ".join(container("db")["startupProbe"]["exec"]["command"])
    assert command in " ".join(service("db")["healthcheck"]["test"])
    probe = container("db")["startupProbe"]
    patience_s = probe["periodSeconds"] * probe["failureThreshold"]
    assert patience_s >= seconds(service("db")["healthcheck"]["start_period"])
    assert not {"livenessProbe", "readinessProbe"} & container("db").keys()


# Stopping and rolling out


def test_a_server_has_the_grace_of_compose_after_its_wait() -> None:
    wait_s = container("web")["lifecycle"]["preStop"]["sleep"]["seconds"]
    grace_s = seconds(service("web")["stop_grace_period"])
    assert PODS["web"]["terminationGracePeriodSeconds"] == wait_s + grace_s


def test_the_grace_of_a_server_covers_wait_drain_and_graceful_timeout() -> None:
    source = (ROOT / "webapp/gunicorn.conf.py").read_text()
    last_check, unasked_s = (
        int(re.search(rf"^{name} = (\d+)$", source, re.MULTILINE)[1]) for name in ("last_check", "unasked_s")
    )
    margins = re.search(r"\+ \((\d) if settings\.cache == \"none\" else (\d)\)", source)
    assert margins is not None
    # The longest deadlines that config.py takes, with and without a cache.
    graceful_s = max(
        math.ceil(config.BALANCER_WAITS_S - config.REST_S[cache]) + int(margin)
        for cache, margin in zip(("none", "memcached"), margins.groups(), strict=True)
    )
    drain_s = last_check * unasked_s
    wait_s = container("web")["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert PODS["web"]["terminationGracePeriodSeconds"] > wait_s + drain_s + graceful_s


def test_the_database_has_the_grace_of_compose() -> None:
    assert PODS["db"]["terminationGracePeriodSeconds"] == seconds(service("db")["stop_grace_period"])


def test_a_roll_out_takes_no_server_away_before_a_new_one_is_ready() -> None:
    strategy = the("Deployment", "web")["strategy"]
    assert strategy == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    assert container("web")["lifecycle"]["preStop"] == {"sleep": {"seconds": 5}}


def test_the_autoscaler_alone_counts_the_servers_and_begins_with_as_many_as_compose() -> None:
    assert "replicas" not in the("Deployment", "web")
    scaler = the("HorizontalPodAutoscaler", "web")
    assert scaler["minReplicas"] == int(DEFAULTS["WEB_REPLICAS"])
    assert the("PodDisruptionBudget", "web")["maxUnavailable"] == 1


def test_the_database_has_connections_for_all_servers_in_the_midst_of_a_roll_out() -> None:
    (option,) = container("db")["args"]
    capacity = (ROOT / "infra/capacity").read_text()
    reserve = int(re.search(r"^reserve=(\d+)", capacity, re.MULTILINE)[1])
    servers = 2 * the("HorizontalPodAutoscaler", "web")["maxReplicas"]
    need = servers * int(SETTINGS["WEB_WORKERS"]) * int(SETTINGS["DB_POOL"]) + reserve
    assert need <= int(option.removeprefix("--max-connections="))


# Names and labels by which objects find each other


def test_no_visitor_is_tied_to_a_server() -> None:
    (ingress,) = (thing for thing in OBJECTS if thing["kind"] == "Ingress")
    assert "annotations" not in ingress["metadata"]
    assert the("Service", "web")["sessionAffinity"] == "None"


def test_the_metrics_lead_nowhere() -> None:
    (rule,) = the("Ingress", "web")["rules"]
    services = {path["path"]: path["backend"]["service"]["name"] for path in rule["http"]["paths"]}
    assert services["/"] == "web"
    assert "selector" not in the("Service", services["/metrics"])


def test_what_is_selected_exists() -> None:
    label = "app.kubernetes.io/component"
    labels = {
        thing["spec"]["template"]["metadata"]["labels"][label]
        for thing in OBJECTS
        if thing["kind"] in KINDS_WITH_PODS
    }
    assert labels == set(PODS)
    for thing in OBJECTS:
        if thing["kind"] in ("Deployment", "StatefulSet", "PodDisruptionBudget"):
            assert thing["spec"]["selector"]["matchLabels"] == {label: thing["metadata"]["name"]}
        if thing["kind"] == "Service" and "selector" in thing["spec"]:
            assert thing["spec"]["selector"][label] in labels
            target = thing["spec"]["ports"][0]["targetPort"]
            assert target in [port["name"] for port in container(thing["metadata"]["name"])["ports"]]


@every_pod
def test_what_is_mounted_exists(name: str) -> None:
    volumes = {volume["name"] for volume in PODS[name]["volumes"]}
    claims = {claim["metadata"]["name"] for claim in the("StatefulSet", "db")["volumeClaimTemplates"]}
    used = {mount["name"] for mount in container(name)["volumeMounts"]}
    assert volumes <= used <= (volumes | claims if name == "db" else volumes)
    maps = {made["name"] for made in KUSTOMIZATION["configMapGenerator"]}
    assert {volume["configMap"]["name"] for volume in PODS[name]["volumes"] if "configMap" in volume} <= maps


def test_only_servers_janitor_and_schema_reach_the_database() -> None:
    peers = [{"key": "app.kubernetes.io/component", "operator": "In", "values": ["web", "janitor", "schema"]}]
    assert the("NetworkPolicy", "nothing-else") == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert the("NetworkPolicy", "servers-to-database")["podSelector"]["matchExpressions"] == peers
    (rule,) = the("NetworkPolicy", "database-from-servers")["ingress"]
    assert rule == {"from": [{"podSelector": {"matchExpressions": peers}}], "ports": [{"port": 3306}]}


# The examples


@pytest.mark.parametrize("example", ["example", "example-external"])
def test_an_example_replaces_every_name_that_base_only_holds_a_place_for(example: str) -> None:
    places = {text.partition(":")[0] for text in texts(OBJECTS) if ".invalid" in text}
    assert places == {"registry.invalid/hopproof/web", "host.invalid", "namespace.invalid"}
    given = read(FOLDER / example / "kustomization.yaml")
    assert [image["name"] for image in given["images"]] == ["registry.invalid/hopproof/web"]
    assert {patch["target"]["kind"] for patch in given["patches"]} >= {"Ingress", "NetworkPolicy"}


def test_no_secret_is_in_the_tree() -> None:
    assert [thing for thing in OBJECTS if thing["kind"] == "Secret"] == []
    assert "secretGenerator" not in "".join(path.read_text() for path in FOLDER.rglob("*.yaml"))


def test_an_external_database_is_spoken_to_by_tls_that_is_verified() -> None:
    component = read(FOLDER / "external-database/kustomization.yaml")
    (made,) = component["configMapGenerator"]
    chosen = dict(literal.split("=") for literal in made["literals"])
    assert chosen["DB_TLS"] == "verify"
    assert f"mountPath: {Path(chosen['DB_TLS_CA']).parent}" in "".join(texts(component))
    (overlay,) = read(FOLDER / "example-external/kustomization.yaml")["configMapGenerator"]
    assert [literal.split("=")[0] for literal in overlay["literals"]] == ["DB_HOST"]
