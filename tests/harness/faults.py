"""The faults, each a context manager: entering strikes, the value proves it, leaving heals.

A fault that cannot show that it struck raises DidNotStrike; then its column is void, never green.
"""

from __future__ import annotations

import contextlib
import email.utils
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

from docker.models.containers import Container

from harness.deployment import Stack, ask_every_server, freeze, until
from harness.visitor import Answer

# Longer than any time-out on the way: who waits for what is frozen must have got an answer meanwhile.
FROZEN_S = 11


class DidNotStrike(Exception):
    """The fault left no trace of itself. The message says what was looked for."""


Strike = Callable[[Stack], AbstractContextManager[str]]


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault, and the answers by which visitors may notice it.

    statuses: what may be answered instead of ok; 0: no answer. Empty: nothing but ok.
    per_tab: how many such answers one tab may get; None: as many as the outage lasts.
    hold_s: how long it lasts after it has struck.
    heals_itself: visitors need no healing, so recovery counts from the strike.
    takes: what is away meanwhile.
    needs: a service that must be there to be struck; not every stack has it.
    """

    title: str
    strike: Strike
    statuses: frozenset[int] = frozenset()
    per_tab: int | None = 0
    hold_s: float = 3
    heals_itself: bool = True
    takes: Literal["nothing", "server", "balancer", "store", "cache"] = "nothing"
    needs: str | None = None


def proven(claim: object, evidence: str) -> None:
    if not claim:
        raise DidNotStrike(f"no proof that it struck: {evidence}")


def _state(container: Container) -> dict[str, object]:
    container.reload()
    state: dict[str, object] = container.attrs["State"]
    return state


# Nothing


@contextlib.contextmanager
def calm(stack: Stack) -> Iterator[str]:
    yield "nothing was done"


# Servers


def server_killed(stack: Stack) -> AbstractContextManager[str]:
    return _one_server_less(stack, Container.kill, 137, "SIGKILL")


def server_stopped(stack: Stack) -> AbstractContextManager[str]:
    return _one_server_less(stack, Container.stop, 0, "a graceful end")


def php_server_killed(stack: Stack) -> AbstractContextManager[str]:
    return _one_server_less(stack, Container.kill, 137, "SIGKILL", "php")


def php_server_stopped(stack: Stack) -> AbstractContextManager[str]:
    return _one_server_less(stack, Container.stop, 0, "a graceful end", "php")


@contextlib.contextmanager
def _one_server_less(
    stack: Stack, end: Callable[[Container], None], code: int, meaning: str, kind: str = "web"
) -> Iterator[str]:
    victim = stack.containers(kind)[0]
    try:
        end(victim)
        _ended_with(victim, code, meaning)
        stack.wait_for_servers(stack.servers - 1)
        yield f"{kind}-{victim.id[:12]} ended with {code}, the balancer used one server less"
    finally:
        victim.start()
        stack.wait_for_servers(stack.servers)


def _ended_with(container: Container, code: int, meaning: str) -> None:
    exit_code = _state(container)["ExitCode"]
    proven(exit_code == code, f"exit code {exit_code}, expected {code} ({meaning})")


@contextlib.contextmanager
def server_frozen(stack: Stack) -> Iterator[str]:
    victim = stack.containers("web")[0]
    with _frozen(victim):
        stack.wait_for_servers(stack.servers - 1)
        yield f"web-{victim.id[:12]} stood still, the balancer used one server less"
    stack.wait_for_servers(stack.servers)


@contextlib.contextmanager
def _frozen(victim: Container) -> Iterator[None]:
    try:
        freeze(victim)
        yield
        status = _state(victim)["Status"]
        proven(status == "paused", f"{victim.name} is {status}, expected paused")
    finally:
        if _state(victim)["Paused"]:
            victim.unpause()


@contextlib.contextmanager
def _killed(victim: Container) -> Iterator[None]:
    try:
        victim.kill()
        _ended_with(victim, 137, "SIGKILL")
        yield
    finally:
        victim.start()


@contextlib.contextmanager
def scale(stack: Stack) -> Iterator[str]:
    before = stack.server_names("web")
    try:
        stack.script("infra/scale", str(stack.servers + 2))
        added = stack.server_names("web") - before
        _all_answer(stack)
        stack.script("infra/scale", str(stack.servers - 1))
        left = stack.server_names("web")
        proven(len(added) == 2 and len(left) == stack.servers - 1, f"added {added}, then {left}")
        yield f"{stack.servers} → {stack.servers + 2} → {len(left)} servers, the new ones answered"
    finally:
        stack.script("infra/scale", str(stack.servers))


@contextlib.contextmanager
def rolling_deploy(stack: Stack) -> Iterator[str]:
    before = stack.server_names("web")
    stack.script("infra/deploy")
    after = stack.server_names("web")
    proven(len(after) == len(before) and not before & after, f"{before} became {after}")
    _all_answer(stack)
    yield f"all {len(after)} servers are new ones and answered"


def _all_answer(stack: Stack) -> dict[str, Answer]:
    return ask_every_server(stack, stack.visitor().stateless)


@contextlib.contextmanager
def clocks_apart(stack: Stack) -> Iterator[str]:
    """Deploy servers whose Python tells times that are days apart; see clock/sitecustomize.py."""
    try:
        with stack.overlaid("tests/harness/clock/compose.yml"):
            stack.script("infra/deploy")
        told = [email.utils.parsedate_to_datetime(a.headers["Date"]) for a in _all_answer(stack).values()]
        apart_s = (max(told) - min(told)).total_seconds()
        proven(apart_s > 3600, f"the servers' Date headers are {apart_s:.0f} s apart")
        yield f"the Date headers of the servers were up to {apart_s / 86400:.1f} days apart"
    finally:
        stack.script("infra/deploy")


# The balancer


@contextlib.contextmanager
def balancer_reloaded(stack: Stack) -> Iterator[str]:
    balancer = stack.container("balancer")
    before = _workers(balancer)
    for _ in range(3):
        stack.script("infra/reload")
        time.sleep(1)
    after = _workers(balancer)
    proven(
        after - before and balancer.id == stack.container("balancer").id, f"workers {before}, then {after}"
    )
    yield f"three reloads, workers {sorted(before)} → {sorted(after)} in the same container"


def _workers(balancer: Container) -> set[int]:
    """Return the ids of the worker processes: all but the master, the container's first process."""
    (_, *processes) = sorted(int(row[1]) for row in balancer.top()["Processes"])
    return set(processes)


@contextlib.contextmanager
def balancer_restarted(stack: Stack) -> Iterator[str]:
    balancer = stack.container("balancer")
    before = _state(balancer)["StartedAt"]
    balancer.restart()
    after = _state(balancer)["StartedAt"]
    proven(before != after, f"started at {before} and at {after}")
    yield f"the container was started anew at {after}"
    stack.wait_for_servers(stack.servers)


# The database


@contextlib.contextmanager
def database_killed(stack: Stack) -> Iterator[str]:
    try:
        with _killed(stack.container("db")):
            _store_is_out(stack)
            yield "mysqld ended with 137, the store answered 503"
    finally:
        _store_is_back(stack)


@contextlib.contextmanager
def database_frozen(stack: Stack) -> Iterator[str]:
    with _frozen(stack.container("db")):
        _store_is_out(stack)
        yield "mysqld stood still, the store answered 503"
    _store_is_back(stack)


@contextlib.contextmanager
def database_unreachable(stack: Stack) -> Iterator[str]:
    database = stack.container("db")
    network = stack.docker.networks.get(f"{stack.project}_store")
    try:
        network.disconnect(database)
        _store_is_out(stack)
        yield "the database was off the network, the store answered 503"
    finally:
        network.reload()
        if database not in network.containers:
            network.connect(database, aliases=["db"])
        _store_is_back(stack)


def _store_status(stack: Stack) -> int:
    return stack.visitor().ask("GET", "/healthz/store").status


def _store_is_out(stack: Stack) -> None:
    proven(_store_status(stack) == 503, "/healthz/store did not answer 503")


def _store_is_back(stack: Stack) -> None:
    until(lambda: _store_status(stack) == 200, "the store answers again", 60)


# memcached


@contextlib.contextmanager
def memcached_killed(stack: Stack) -> Iterator[str]:
    with _killed(stack.container("memcached")):
        yield "memcached ended with 137"


@contextlib.contextmanager
def memcached_frozen(stack: Stack) -> Iterator[str]:
    with _frozen(stack.container("memcached")):
        yield "memcached stood still"


@contextlib.contextmanager
def memcached_cut_off(stack: Stack) -> Iterator[str]:
    """Take the way to memcached from one server, while the others go on serving its copies."""
    victim = stack.containers("web")[0]
    network = stack.docker.networks.get(f"{stack.project}_cache")
    try:
        network.disconnect(victim)
        network.reload()
        proven(victim not in network.containers, f"{victim.name} is still on the network")
        yield f"web-{victim.id[:12]} was off memcached's network, the others were on it"
    finally:
        network.reload()
        if victim not in network.containers:
            network.connect(victim)


# The janitor


@contextlib.contextmanager
def janitor_storm(stack: Stack) -> Iterator[str]:
    """Four janitors at once without a pause, and always something to remove."""
    janitor = stack.container("janitor")
    command = ["timeout", "10", *janitor.attrs["Config"]["Cmd"]]
    settings = {"JANITOR_PERIOD_S": "1", "JANITOR_BATCH": "50", "JANITOR_PAUSE_MS": "1"}
    with ThreadPoolExecutor(4) as pool:
        storms = [pool.submit(janitor.exec_run, command, environment=settings) for _ in range(4)]
        name = secrets.token_hex(6)
        for number in range(8):
            plant(stack, f"{name}{number}", "UNIX_TIMESTAMP() - 60", 200)
            time.sleep(1)
        said = [storm.result().output.decode() for storm in storms]
    removed = [sum(_removed(line) for line in output.splitlines()) for output in said]
    proven(sum(removed) >= 1000, f"the four removed {removed} rows of 1600")
    yield f"four janitors removed {removed} of 1600 expired rows planted meanwhile"


def _removed(line: str) -> int:
    words = line.partition('"removed ')[2].split(" ", 1)
    return int(words[0]) if words[0].isdigit() else 0


def plant(stack: Stack, name: str, expires_at: str, rows: int) -> None:
    """Insert session rows that belong to nobody; name: up to 16 characters, the beginning of their ids."""
    stack.sql(
        "INSERT INTO sessions (id, data, version, user, created_at, expires_at, absolute_at) "
        f"WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {rows}) "
        f"SELECT CONCAT(RPAD('{name}', 16, '.'), UNHEX(LPAD(HEX(n), 32, '0'))), '{{}}', 1, NULL, "
        f"UNIX_TIMESTAMP() - 7200, {expires_at}, UNIX_TIMESTAMP() + 7200 FROM n"
    )


NO_SERVER = frozenset({502, 503, 504})


def _outage(title: str, strike: Strike, hold_s: float = 3) -> Fault:
    """Return a fault of the database, which visitors sit out: 503 while it lasts, none afterwards."""
    return Fault(title, strike, frozenset({503}), None, hold_s, heals_itself=False, takes="store")


def _of_memcached(title: str, strike: Strike, hold_s: float = 3) -> Fault:
    """Return a fault of the cache, of which visitors notice nothing."""
    return Fault(title, strike, hold_s=hold_s, takes="cache", needs="memcached")


FAULTS = {
    "calm": Fault("calm", calm, hold_s=8),
    "server-killed": Fault("server killed", server_killed, NO_SERVER, per_tab=2, takes="server"),
    "server-stopped": Fault("server stopped", server_stopped),
    "server-frozen": Fault(
        "server frozen", server_frozen, NO_SERVER, per_tab=3, hold_s=FROZEN_S, takes="server"
    ),
    "scale": Fault("scaled up and down", scale),
    "rolling-deploy": Fault("rolling deploy", rolling_deploy),
    "balancer-reloaded": Fault("balancer reloaded", balancer_reloaded),
    "balancer-restarted": Fault(
        "balancer restarted", balancer_restarted, NO_SERVER | {0}, per_tab=None, takes="balancer"
    ),
    "database-killed": _outage("database killed", database_killed),
    "database-frozen": _outage("database frozen", database_frozen, hold_s=FROZEN_S),
    "database-unreachable": _outage("database unreachable", database_unreachable),
    "janitor-storm": Fault("janitor storm", janitor_storm),
    "clocks-apart": Fault("clocks apart", clocks_apart),
    "php-server-killed": Fault(
        "PHP server killed", php_server_killed, NO_SERVER, per_tab=2, takes="server", needs="php"
    ),
    "php-server-stopped": Fault("PHP server stopped", php_server_stopped, needs="php"),
    "memcached-killed": _of_memcached("memcached killed", memcached_killed),
    "memcached-frozen": _of_memcached("memcached frozen", memcached_frozen, hold_s=FROZEN_S),
    "memcached-cut-off": _of_memcached("one server cut off from memcached", memcached_cut_off, hold_s=8),
}


def at_hand(names: Iterable[str], services: Iterable[str]) -> list[str]:
    """Return the faults that can be struck on a stack with these services, in order."""
    return [name for name in names if FAULTS[name].needs in (None, *services)]
