"""Puts one store after the other into the web servers of one deployment, and runs every check on each.

`loadtests/rivals/run [STORE...]` writes reports/compare.json and reports/compare.html. It ends with an
error when this project's own handler lost anything, and when the six functions lost nothing: then the
checks do not work.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rivals.checks import SERVERS, Checks, Store
from rivals.table import CHECKS, REPORT, cell, html
from rivals.versions import python_version
from verify.deployment import ROOT, Deployment, until

_DJANGO = "UPDATE stores.django_session SET expire_date = NOW() - INTERVAL 1 DAY"
STORES = {
    "hopproof": Store(("sessions",), ("UPDATE sessions SET expires_at = UNIX_TIMESTAMP()",)),
    "classic": Store(("stores.sessions",), ("UPDATE stores.sessions SET access = UNIX_TIMESTAMP() - 86400",)),
    "flask-session": Store(
        ("stores.sessions",),
        ("UPDATE stores.sessions SET expiry = NOW() - INTERVAL 1 DAY",),
        version_of="flask-session",
    ),
    "django-db": Store(("stores.django_session",), (_DJANGO,), version_of="django"),
    "django-cached-db": Store(
        ("stores.django_session", "stores.django_cache"),
        (_DJANGO, "UPDATE stores.django_cache SET expires = NOW() - INTERVAL 1 DAY"),
        version_of="django",
    ),
    "beaker": Store(
        ("stores.beaker_cache",),
        never_ages="the expiry is inside the serialised session, out of the reach of SQL",
        version_of="beaker",
    ),
    "flask-session-redis": Store(version_of="flask-session"),
    "django-redis": Store(version_of="django"),
}


def main(names: list[str]) -> int:
    began = time.monotonic()
    measured: dict[str, Any] = {"stores": {}}
    with (
        tempfile.TemporaryDirectory(prefix="hopproof-compare-") as folder,
        Deployment(Path(folder), os.environ["HOPPROOF_TEST_RUN"], servers=SERVERS) as deployment,
    ):
        admit_stores(deployment, Path(folder))
        for name in names:
            if name != "hopproof":
                install(deployment, name)
            measured["stores"][name] = {"version": version(name), "checks": run(deployment, name)}
        measured["database"] = f"MySQL {deployment.sql('SELECT VERSION()')[0][0].partition('-')[0]}"
    measured["servers"] = SERVERS
    measured["measured"] = time.strftime("%Y-%m-%d")
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(measured, indent=1) + "\n")
    REPORT.with_suffix(".html").write_text(html(measured))
    print(f"compare: {REPORT.relative_to(ROOT)} and .html after {time.monotonic() - began:.0f} s")
    return verdict(measured["stores"])


def admit_stores(deployment: Deployment, state: Path) -> None:
    """Give the stores a user of their own, with every right on a database of their own."""
    password = secrets.token_hex(32)
    secret = state / "secrets" / "db_stores_password"
    secret.write_text(password)
    secret.chmod(0o444)
    deployment.sql(f"CREATE USER stores@'%' IDENTIFIED BY '{password}'")
    deployment.sql("GRANT ALL ON stores.* TO stores@'%'")


def install(deployment: Deployment, name: str) -> None:
    """Return when all servers run on this store, on an empty database."""
    deployment.sql("DROP DATABASE IF EXISTS stores")
    deployment.sql("CREATE DATABASE stores CHARACTER SET utf8mb4")
    with deployment.overlaid("loadtests/rivals/compose.yml", PEER=name):
        if STORES[name].service == "valkey":
            deployment.script("infra/compose", "up", "--detach", "--no-deps", "--force-recreate", "valkey")
        create_tables = ("web", "python", "-m", "rivals.wsgi")
        deployment.script("infra/compose", "run", "--rm", "--no-deps", "-T", *create_tables)
        # No visitor is served meanwhile, so no request is waited for.
        deployment.script("infra/compose", "up", "--detach", "--wait", "--no-deps", "--timeout", "0", "web")
    deployment.wait_for_servers(SERVERS)
    names = deployment.server_names()
    visitor = deployment.visitor()

    def all_answer() -> bool:
        visitor.ask("GET", "/api/stateless")
        return {answer.server for answer in visitor.history[-2 * SERVERS :]} == names

    until(all_answer, f"{names} and no other server answer", 30, rest_s=0.02)


def run(deployment: Deployment, name: str) -> dict[str, Any]:
    began = time.monotonic()
    checks = Checks(deployment, STORES[name])
    found: dict[str, Any] = {}
    for in_condition in CHECKS.values():
        for check, (words, word) in in_condition.items():
            found[check] = getattr(checks, check)().as_json()
            print(f"{name:17} {words:55} {cell(found[check], word)}", flush=True)
    print(f"{name:17} {time.monotonic() - began:.0f} s", flush=True)
    return found


def version(name: str) -> str:
    package = STORES[name].version_of
    return python_version(package) if package else ""


def verdict(stores: dict[str, Any]) -> int:
    lost = {name: sum(check["lost"] for check in store["checks"].values()) for name, store in stores.items()}
    if lost.get("hopproof"):
        print("compare: Hopproof lost something; see the report", file=sys.stderr)
        return 1
    if lost.get("classic") == 0:
        print("compare: the six functions lost nothing, so the checks see nothing", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or list(STORES)))
