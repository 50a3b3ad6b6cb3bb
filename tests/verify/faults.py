"""The table of faults: how each strikes, and the answers that it excuses.

A fault that cannot show that it struck raises DidNotStrike; then its column is void, never green.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from verify.deployment import Stack
from verify.strikes import balancer, clients, database, janitor, memcached, servers
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
    needs: a service that must be there to be struck; not every stack has it.
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


@contextlib.contextmanager
def calm(stack: Stack) -> Iterator[str]:
    yield "nothing was done"


NO_SERVER = frozenset({502, 503, 504})


def _outage(title: str, strike: Strike, hold_s: float = 3, *spares: str) -> Fault:
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
    )


def _of_memcached(title: str, strike: Strike, hold_s: float = 3) -> Fault:
    """Return a fault of the cache, of which visitors notice nothing."""
    return Fault(title, strike, hold_s=hold_s, takes="cache", needs="memcached")


FAULTS = {
    "calm": Fault("calm", calm, hold_s=8),
    "server-killed": Fault("server killed", servers.server_killed, NO_SERVER, per_tab=2, takes="server"),
    "server-stopped": Fault("server stopped", servers.server_stopped),
    "server-frozen": Fault(
        "server frozen", servers.server_frozen, NO_SERVER, per_tab=3, hold_s=FROZEN_S, takes="server"
    ),
    "scale": Fault("scaled up and down", servers.scale),
    "rolling-deploy": Fault("rolling deploy", servers.rolling_deploy),
    "balancer-reloaded": Fault("balancer reloaded", balancer.balancer_reloaded),
    "balancer-restarted": Fault(
        "balancer restarted", balancer.balancer_restarted, NO_SERVER | {0}, per_tab=None, takes="balancer"
    ),
    "database-killed": _outage("database killed", database.database_killed),
    "database-frozen": _outage("database frozen", database.database_frozen, hold_s=FROZEN_S),
    "database-unreachable": _outage("database unreachable", database.database_unreachable),
    "tables-locked": _outage("tables locked", database.tables_locked, FROZEN_S, "read"),
    "janitor-storm": Fault("janitor storm", janitor.janitor_storm),
    "clocks-apart": Fault("clocks apart", servers.clocks_apart),
    "hostile-client": Fault("one hostile client", clients.hostile_client, hold_s=10, heals_itself=False),
    "php-server-killed": Fault(
        "PHP server killed", servers.php_server_killed, NO_SERVER, per_tab=2, takes="server", needs="php"
    ),
    "php-server-stopped": Fault("PHP server stopped", servers.php_server_stopped, needs="php"),
    "memcached-killed": _of_memcached("memcached killed", memcached.memcached_killed),
    "memcached-frozen": _of_memcached("memcached frozen", memcached.memcached_frozen, hold_s=FROZEN_S),
    "memcached-cut-off": _of_memcached(
        "one server cut off from memcached", memcached.memcached_cut_off, hold_s=8
    ),
}


def at_hand(names: Iterable[str], services: Iterable[str]) -> list[str]:
    """Return the faults that can be struck on a stack with these services, in order."""
    return [name for name in names if FAULTS[name].needs in (None, *services)]
