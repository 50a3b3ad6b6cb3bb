"""The table of faults: how each strikes, and the answers that it excuses.

A fault that cannot show that it struck raises DidNotStrike; then its column is void, never green.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from verify.deployment import Stack
from verify.evidence import Budget
from verify.strikes import balancer, clients, database, group, janitor, memcached, servers
from verify.strikes.proof import Strike

# Longer than any time-out on the way, so each request that waits for the frozen part gets an answer.
FROZEN_S = 11


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, and the answers that it excuses.

    statuses: excused statuses besides ok; 0: no answer. Empty: ok only.
    per_tab: how many such answers one tab may get; None: any number during the outage.
    hold_s: seconds that it lasts after it has struck.
    heals_itself: visitors are served again without the heal, so recovery counts from the strike.
    takes: the part that is away meanwhile.
    spares: operations that go on: no answer to them is excused.
    needs: a service that must be there to be struck; not every stack has it. lacks: one that must not be.
    budget: what it may cost visitors; None: that is not judged.
    may_take_s: the longest that its column takes, with the waits around it.
    """

    title: str
    strike: Strike
    statuses: frozenset[int] = frozenset()
    per_tab: int | None = 0
    hold_s: float = 3
    heals_itself: bool = True
    takes: Literal["nothing", "server", "balancer", "store", "cache"] = "nothing"
    spares: frozenset[str] = frozenset()
    needs: str | None = None
    lacks: str | None = None
    budget: Budget | None = None
    may_take_s: float = 180


@contextlib.contextmanager
def calm(stack: Stack) -> Iterator[str]:
    yield "nothing was done"


NO_SERVER = frozenset({502, 503, 504})
# A request on a kept connection to a server that dies ends without an answer.
DEAD_SERVER = NO_SERVER | {0}
GRACEFUL = Budget(wait_s=1.5)
KILLED = Budget(wait_s=1, lost_s=2)


def _outage(
    title: str, strike: Strike, hold_s: float = 3, *spares: str, budget: Budget | None = None
) -> Fault:
    """Return a fault of the database: visitors get 503 while it lasts, and none afterwards."""
    return Fault(
        title,
        strike,
        frozenset({503}),
        None,
        hold_s,
        heals_itself=False,
        takes="store",
        spares=frozenset(spares),
        budget=budget,
    )


def _of_single(fault: Fault) -> Fault:
    """Return a fault that a single database has and a group has not."""
    return replace(fault, lacks="keeper")


def _of_group(fault: Fault) -> Fault:
    """Return a fault of a group of databases, which a single one has not."""
    return replace(fault, needs="keeper")


def _taken_over(title: str, strike: Strike) -> Fault:
    """Return a fault that another primary ends. The old one's return may refuse writes once more."""
    budget = Budget(again_s=15, late_s=1)
    return _of_group(replace(_outage(title, strike, 20), heals_itself=True, budget=budget))


def _of_secondary(title: str, strike: Strike, budget: Budget, hold_s: float = 3) -> Fault:
    """Return a fault of a secondary. Writes may wait for too long while it comes back, and only then."""
    return _of_group(Fault(title, strike, frozenset({503}), None, hold_s=hold_s, budget=budget))


def _of_memcached(title: str, strike: Strike, hold_s: float = 3) -> Fault:
    """Return a fault of the cache, of which visitors notice nothing."""
    return Fault(title, strike, hold_s=hold_s, takes="cache", needs="memcached")


def _of_server(kind: str, title: str, statuses: frozenset[int]) -> dict[str, Fault]:
    """Return the faults of the servers of another kind, in the same rotation."""
    return {
        f"{kind}-server-killed": Fault(
            f"{title} server killed",
            servers.killed(kind),
            statuses,
            per_tab=2,
            takes="server",
            needs=kind,
            budget=KILLED,
        ),
        f"{kind}-server-stopped": Fault(
            f"{title} server stopped", servers.stopped(kind), needs=kind, budget=GRACEFUL
        ),
    }


FAULTS = {
    "calm": Fault("calm", calm, hold_s=8),
    "server-killed": Fault(
        "server killed", servers.killed("web"), DEAD_SERVER, per_tab=2, takes="server", budget=KILLED
    ),
    "server-stopped": Fault("server stopped", servers.stopped("web"), budget=GRACEFUL),
    "server-frozen": Fault(
        "server frozen",
        servers.server_frozen,
        DEAD_SERVER,
        per_tab=3,
        hold_s=FROZEN_S,
        takes="server",
        budget=Budget(wait_s=5, lost_s=6),
    ),
    "scale": Fault("scaled up and down", servers.scale, budget=GRACEFUL),
    "rolling-deploy": Fault("rolling deploy", servers.rolling_deploy, budget=GRACEFUL),
    "balancer-reloaded": Fault("balancer reloaded", balancer.balancer_reloaded, budget=GRACEFUL),
    "balancer-restarted": Fault(
        "balancer restarted",
        balancer.balancer_restarted,
        NO_SERVER | {0},
        per_tab=None,
        takes="balancer",
        # Docker takes a second from the end of the old process to the first answer of the new one. Who comes
        # shortly before waits for one more, because the way from the published port loses the first packet.
        budget=Budget(lost_s=3),
    ),
    "database-killed": _of_single(
        _outage("database killed", database.database_killed, budget=Budget(late_s=1))
    ),
    "database-frozen": _of_single(_outage("database frozen", database.database_frozen, hold_s=FROZEN_S)),
    "database-unreachable": _of_single(_outage("database unreachable", database.database_unreachable)),
    "tables-locked": _outage("tables locked", database.tables_locked, FROZEN_S, "read"),
    "janitor-storm": Fault("janitor storm", janitor.janitor_storm),
    "clocks-apart": Fault("clocks apart", servers.clocks_apart),
    "hostile-client": Fault("one hostile client", clients.hostile_client, hold_s=10, heals_itself=False),
    **_of_server("php", "PHP", NO_SERVER),
    **_of_server("flask", "Flask", DEAD_SERVER),
    **_of_server("django", "Django", DEAD_SERVER),
    **_of_server("fastapi", "FastAPI", DEAD_SERVER),
    "primary-killed": _taken_over("primary killed", group.primary_killed),
    "primary-stopped": _taken_over("primary stopped", group.primary_stopped),
    "primary-frozen": _taken_over("primary frozen", group.primary_frozen),
    "primary-cut-off": _taken_over("primary cut off its peers", group.primary_cut_off),
    "router-unreachable": _of_group(_outage("router unreachable", group.router_unreachable)),
    "secondary-killed": _of_secondary(
        "secondary killed", group.secondary_killed, Budget(again_s=0, late_s=1), hold_s=8
    ),
    "member-rejoins": _of_secondary("member rejoins", group.member_rejoins, Budget(late_s=1)),
    "two-members-killed": _of_group(_outage("two members killed", group.two_killed)),
    "all-members-killed": _of_group(_outage("all members killed", group.all_killed)),
    "cache-killed": _of_memcached("cache killed", memcached.memcached_killed),
    "cache-frozen": _of_memcached("cache frozen", memcached.memcached_frozen, hold_s=FROZEN_S),
    "cache-cut-off": _of_memcached(
        "one server cut off from the cache", memcached.memcached_cut_off, hold_s=8
    ),
}


def budget_counts(fault: Fault, services: Iterable[str]) -> bool:
    """Say whether the cost of a fault is judged on a stack with these services.

    The budgets were made for one database. Three share the cores with all else: only their own faults count.
    """
    return "keeper" not in services or fault.needs == "keeper"


def at_hand(names: Iterable[str], services: Iterable[str]) -> list[str]:
    """Return the faults that can be struck on a stack with these services, in order."""
    there = set(services)
    return [n for n in names if FAULTS[n].needs in {None, *there} and FAULTS[n].lacks not in there]
