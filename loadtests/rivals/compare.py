"""Puts one store after the other into the web servers of one deployment, and runs every check on each.

`loadtests/rivals/run [STORE...]` writes reports/compare.json and reports/compare.html. It ends with an
error when this project's own handler lost anything, and when the six functions lost nothing: then the
checks do not work.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rivals.checks import SERVERS, Checks
from rivals.stores import STORES, Store
from rivals.table import CHECKS, REPORT, cell, html, title
from verify.deployment import ROOT, Deployment, until
from verify.inside import run_inside


def main(names: list[str]) -> int:
    began = time.monotonic()
    measured: dict[str, Any] = {"stores": {}}
    with running() as deployment:
        for name in names:
            install(deployment, name)
            measured["stores"][name] = {
                "language": STORES[name].language,
                "version": version(deployment, name),
                "checks": run(deployment, name),
            }
        measured["database"] = f"MySQL {deployment.sql('SELECT VERSION()')[0][0].partition('-')[0]}"
    measured["servers"] = SERVERS
    measured["measured"] = time.strftime("%Y-%m-%d")
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(measured, indent=1) + "\n")
    REPORT.with_suffix(".html").write_text(html(measured))
    print(f"compare: {REPORT.relative_to(ROOT)} and .html after {time.monotonic() - began:.0f} s")
    return verdict(measured["stores"])


@contextlib.contextmanager
def running() -> Iterator[Deployment]:
    """Run a deployment of three servers in which any store can be installed."""
    with (
        tempfile.TemporaryDirectory(prefix="hopproof-compare-") as folder,
        Deployment(Path(folder), os.environ["HOPPROOF_TEST_RUN"], servers=SERVERS) as deployment,
    ):
        admit_stores(deployment, Path(folder))
        yield deployment


def admit_stores(deployment: Deployment, state: Path) -> None:
    """Give the stores a user of their own, with every right on a database of their own."""
    password = secrets.token_hex(32)
    secret = state / "secrets" / "db_stores_password"
    secret.write_text(password)
    secret.chmod(0o444)
    deployment.sql(f"CREATE USER stores@'%' IDENTIFIED BY '{password}'")
    deployment.sql("GRANT ALL ON stores.* TO stores@'%'")


def install(deployment: Deployment, name: str) -> None:
    """Return when all servers run on this store, on an empty database. Ours is there from the start."""
    if name == "hopproof":
        return
    deployment.sql("DROP DATABASE IF EXISTS stores")
    deployment.sql("CREATE DATABASE stores CHARACTER SET utf8mb4")
    store = STORES[name]
    with deployment.overlaid("loadtests/rivals/compose.yml", PEER=name, RIVAL=store.image):
        if store.service == "valkey":
            deployment.script("infra/compose", "up", "--detach", "--no-deps", "--force-recreate", "valkey")
        if store.creates_tables:
            once = ("run", "--rm", "--no-deps", "-T", "web", *store.creates_tables)
            deployment.script("infra/compose", *once)
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
            print(f"{name:25} {words:55} {cell(found[check], word)}", flush=True)
    print(f"{name:25} {time.monotonic() - began:.0f} s", flush=True)
    return found


def version(deployment: Deployment, name: str) -> str:
    asks = STORES[name].asks_version
    if not asks:
        return ""
    code, said = run_inside(deployment.containers("web")[0], list(asks))
    assert code == 0, said
    return said.strip()


def verdict(stores: dict[str, Any]) -> int:
    lost = {name: sum(check["lost"] for check in store["checks"].values()) for name, store in stores.items()}
    if lost.get("hopproof"):
        print("compare: Hopproof lost something; see the report", file=sys.stderr)
        return 1
    if lost.get("classic") == 0:
        print("compare: the six functions lost nothing, so the checks see nothing", file=sys.stderr)
        return 1
    return 0


def serve(name: str) -> int:
    """Serve one store until Ctrl-C, and write the file with which `make verify` judges it."""
    # Both, because a shell makes its background processes ignore SIGINT.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with running() as deployment:
        install(deployment, name)
        file = REPORT.with_name(f"{name}.toml")
        REPORT.parent.mkdir(exist_ok=True)
        file.write_text(described(deployment, STORES[name]))
        print(f"compare: {deployment.url} serves {title(name, version(deployment, name))}, until Ctrl-C")
        print(f"    make verify TARGET={file.relative_to(ROOT)}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
    return 0


def described(deployment: Deployment, store: Store) -> str:
    """Return the target file of the deployment with this store in it."""
    project = f"label:com.docker.compose.project={deployment.project} label:com.docker.compose.service"
    return f"""url = "{deployment.url}"

[absent]
logout-everywhere = "a store like this does not know whose its sessions are"
refusals = "a late request gets a new session, or has its cookie cleared"

[containers]
server = "{project}=web"
balancer = "{project}=balancer"
database = "{project}={store.service}"
"""


def chosen(names: list[str]) -> list[str]:
    """Return the names of the stores, of all if none is given. Ends the program for one that there is not."""
    if unknown := [name for name in names if name not in STORES]:
        raise SystemExit(f"compare: there is no {' and no '.join(unknown)}\n    stores: {' '.join(STORES)}")
    return names or list(STORES)


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        (only,) = chosen(sys.argv[2:3])
        sys.exit(serve(only))
    elif sys.argv[1:2] == ["--images"]:
        names = chosen([name for name in sys.argv[2:] if name != "serve"])
        print(*sorted({STORES[name].image for name in names if name != "hopproof"}))
    else:
        sys.exit(main(chosen(sys.argv[1:])))
