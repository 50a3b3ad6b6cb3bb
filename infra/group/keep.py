"""Keeps three MySQL servers in one group: prepares them, joins them, bootstraps the right one or refuses.

Runs as the service `keeper`. It is never on the way of a request: while it is away, the group elects its
primaries by itself, and a member that has left stays out.

    keep.py                      look every two seconds, and do what decide() says
    keep.py --bootstrap db-2     bootstrap this member, although others may have changes that it lacks
    keep.py --show               print what each member says, and end with 0 if all three are in the group
"""

from __future__ import annotations

import argparse
import contextlib
import hmac
import json
import logging
import signal
import ssl
import sys
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import pymysql
from prometheus_client import REGISTRY, start_http_server
from pymysql.constants import ER

import log
from group_metrics import METRICS_PORT, GroupMetrics

logger = logging.getLogger("keeper")

PERIOD_S = 2
SECRETS = Path("/run/secrets")
# Their names are addresses of the network that the router uses, see compose.yml.
MEMBERS = ("db-1", "db-2", "db-3")
CA = "/etc/db-tls/ca.pem"

State = Literal["OFFLINE", "RECOVERING", "ONLINE", "ERROR"]
Fits = Callable[[str, str], bool]


@dataclass(frozen=True, slots=True)
class Seen:
    """One member's own word. A member that does not answer has none.

    group: the group's name, empty for a volume that was never in one. gtids: the changes that it has.
    sees_majority: it reaches most of the members that it knows. is_shut: it refuses all but administrators.
    is_leaving: it was asked to stop.
    """

    group: str
    state: State
    is_primary: bool
    sees_majority: bool
    gtids: str
    is_shut: bool = False
    is_leaving: bool = False

    @property
    def is_in_group(self) -> bool:
        return self.state in ("ONLINE", "RECOVERING") and self.sees_majority


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do. member: to whom; empty for `refuse`. text: the group's name, or why it is refused."""

    do: Literal["prepare", "join", "open", "bootstrap", "refuse"]
    member: str = ""
    text: str = ""


def decide(seen: Mapping[str, Seen], fits: Fits, new_group: Callable[[], str]) -> list[Step]:
    """Return what is to be done after what the members said. Never a second group beside a first.

    fits(a, b): are the changes a among the changes b? new_group: makes a name.
    """
    grouped = {name: said for name, said in seen.items() if said.is_in_group and said.group}
    names = {said.group for said in (grouped or seen).values() if said.group}
    if len(names) > 1:
        return [Step("refuse", text=_two_groups(seen))]
    if not names:
        if len(seen) < len(MEMBERS):
            return [Step("refuse", text=f"a new group needs all three; no answer of {_missing(seen)}")]
        name = new_group()
        return [Step("prepare", member, name) for member in sorted(seen)]
    (group,) = names
    ours = {name: said for name, said in seen.items() if said.group == group}
    steps = [Step("prepare", name, group) for name, said in sorted(seen.items()) if not said.group]
    steps += [
        Step(
            "refuse", name, f"{name} has the volume of another group, and is left out; {REPLACE.format(name)}"
        )
        for name, said in sorted(seen.items())
        if said.group and said.group != group
    ]
    steps += [
        Step("open", name)
        for name, said in sorted(ours.items())
        if said.is_shut and said.is_in_group and said.state == "ONLINE"
    ]
    if grouped:
        # One at a time, so that a copy of the database slows down one member only.
        if any(said.state == "RECOVERING" for said in grouped.values()):
            return steps
        outside = [name for name, said in sorted(ours.items()) if not said.is_in_group]
        return [*steps, *(Step("join", name) for name in outside[:1])]
    return [*steps, _first(seen, ours, fits)]


REPLACE = "to give it the sessions of this one, remove its container and its volume {0}, and type: make up"


def _first(seen: Mapping[str, Seen], ours: Mapping[str, Seen], fits: Fits) -> Step:
    """Return the bootstrap of the member that has the changes of all others, or why there is none."""
    by_hand = "or decide by hand, if the changes of the others may be lost: make group-bootstrap FORCE="
    if len(seen) < len(MEMBERS):
        answering = " or ".join(sorted(ours))
        return Step(
            "refuse",
            text=f"no member is in the group, and no answer comes of {_missing(seen)}, which may have changes"
            f" that the others lack. Start it, {by_hand}{answering}",
        )
    if 2 * len(ours) < len(MEMBERS):
        return Step(
            "refuse",
            text=f"no member is in the group, and only {' and '.join(ours)} has been in it: the volumes of"
            f" the others are new, and their changes may be gone. Restore them, {by_hand}{min(ours)}",
        )
    for name, said in sorted(ours.items()):
        if all(fits(other.gtids, said.gtids) for other in ours.values()):
            return Step("bootstrap", name)
    return Step(
        "refuse",
        text=f"no member has the changes of all others; {by_hand}{' or '.join(sorted(ours))}",
    )


def _missing(seen: Mapping[str, Seen]) -> str:
    return " and ".join(name for name in MEMBERS if name not in seen)


def _two_groups(seen: Mapping[str, Seen]) -> str:
    told = ", ".join(f"{name}: {said.group or 'none'}" for name, said in sorted(seen.items()))
    return f"the volumes belong to more than one group ({told}); nothing is done. Restore those of one group"


class Member:
    """One MySQL server, asked as its administrator. A connection that breaks is made anew."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._connection: pymysql.connections.Connection[Any] | None = None

    def query(self, statement: str, *parameters: object, seconds: float = 3) -> list[dict[str, Any]]:
        """Run one statement. Raises pymysql.err.MySQLError, also if the answer takes longer."""
        try:
            if self._connection is None:
                self._connection = pymysql.connect(
                    host=self.name,
                    user="root",
                    password=secret("db_root_password"),
                    ssl=ssl.create_default_context(cafile=CA),
                    connect_timeout=2,
                    read_timeout=seconds,
                    autocommit=True,
                    cursorclass=pymysql.cursors.DictCursor,
                )
            self._connection._read_timeout = seconds  # type: ignore[attr-defined]
            with self._connection.cursor() as cursor:
                cursor.execute(statement, parameters)
                return list(cursor.fetchall())
        except pymysql.err.MySQLError as error:
            if not (error.args and isinstance(error.args[0], int) and 1000 <= error.args[0] < 2000):
                self.leave()
            raise

    def leave(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(pymysql.err.MySQLError):
                self._connection.close()
            self._connection = None

    def look(self) -> Seen:
        (own,) = self.query(
            "SELECT @@group_replication_group_name AS name, @@gtid_executed AS gtids,"
            " COALESCE(MAX(IF(member_id = @@server_uuid, member_state, NULL)), 'OFFLINE') AS state,"
            " COALESCE(SUM(member_id = @@server_uuid AND member_role = 'PRIMARY'), 0) AS is_primary,"
            " COALESCE(SUM(member_state = 'UNREACHABLE') * 2 < COUNT(*), 0) AS sees_majority,"
            " @@offline_mode AS is_shut, @@group_replication_member_weight = 0 AS is_leaving"
            " FROM performance_schema.replication_group_members"
        )
        return Seen(
            group=own["name"],
            state=own["state"],
            is_primary=bool(own["is_primary"]),
            sees_majority=bool(own["sees_majority"]),
            gtids=own["gtids"],
            is_shut=bool(own["is_shut"]),
            is_leaving=bool(own["is_leaving"]),
        )

    def waiting(self) -> dict[str, int]:
        """Return how many transactions wait in each queue of this member; nothing outside of a group."""
        rows = self.query(
            "SELECT count_transactions_in_queue AS certify,"
            " count_transactions_remote_in_applier_queue AS apply"
            " FROM performance_schema.replication_group_member_stats WHERE member_id = @@server_uuid"
        )
        return {queue: int(number) for row in rows for queue, number in row.items()}

    def prepare(self, group: str) -> None:
        """Make the accounts of the group on a new volume, none of which is a change of the group."""
        password = repl_password()
        self.query("SET SESSION sql_log_bin = 0")
        # Of a new volume only: its own changes, such as the first password, are no changes of the group.
        self.query("RESET BINARY LOGS AND GTIDS")
        for statement in ACCOUNTS:
            self.query(statement, *([password] * statement.count("%s")))
        self.query("SET SESSION sql_log_bin = 1")
        # A member that starts is alone at first. Nobody may change it, nor read it, as it may be behind.
        self.query("SET PERSIST_ONLY super_read_only = ON")
        self.query("SET PERSIST_ONLY offline_mode = ON")
        # The last step: from now on it counts as a member of this group.
        self.query("SET PERSIST group_replication_group_name = %s", group)

    def join(self, *, first: bool = False) -> None:
        """Bring the member into its group, also after it was expelled; first: make the group."""
        self.query("STOP GROUP_REPLICATION", seconds=60)
        # Set each time: a keeper that was killed between the two statements has left it on.
        self.query("SET GLOBAL group_replication_bootstrap_group = %s", "ON" if first else "OFF")
        password = repl_password()
        self.query("START GROUP_REPLICATION USER = 'repl', PASSWORD = %s", password, seconds=120)
        if first:
            self.query("SET GLOBAL group_replication_bootstrap_group = OFF")

    def open(self) -> None:
        """Let everybody in, now that the member has what the others have."""
        self.query("SET GLOBAL offline_mode = OFF")


# repl: from member to member. role: for the router's check, which knows no TLS.
ACCOUNTS = (
    "CREATE USER IF NOT EXISTS repl IDENTIFIED BY %s REQUIRE SSL",
    "ALTER USER repl IDENTIFIED BY %s",
    "GRANT REPLICATION SLAVE, BACKUP_ADMIN, GROUP_REPLICATION_STREAM, CONNECTION_ADMIN, CLONE_ADMIN"
    " ON *.* TO repl",
    "CREATE USER IF NOT EXISTS role IDENTIFIED WITH caching_sha2_password BY ''",
    "GRANT SELECT ON performance_schema.replication_group_members TO role",
    # Of the network. root@localhost comes by the socket, which has no TLS.
    "ALTER USER root@'%%' REQUIRE SSL",
)


def secret(name: str) -> str:
    return (SECRETS / name).read_text().strip()


def repl_password() -> str:
    """Return the password of `repl`, which follows from that of root: nobody else needs to know it.

    MySQL takes 32 characters for it; these are 128 bits.
    """
    return hmac.new(secret("db_root_password").encode(), b"repl", "sha256").hexdigest()[:32]


class Keeper:
    """The members, and what was said of them last: a state that lasts is logged once."""

    def __init__(self, members: Mapping[str, Member]) -> None:
        self.members = members
        self.metrics = GroupMetrics()
        self._said = ""
        self._strangers: set[str] = set()

    def look(self) -> dict[str, Seen]:
        """Return what the members say that answer. One that is leaving must not be called back."""
        seen = {}
        self._strangers = set()
        for name, member in self.members.items():
            try:
                said = member.look()
                if not said.is_leaving:
                    seen[name] = said
            except (pymysql.err.MySQLError, OSError) as error:
                if error.args[:1] == (ER.ACCESS_DENIED_ERROR,):
                    self._strangers.add(name)
        return seen

    def fits(self, changes: str, others: str) -> bool:
        for member in self.members.values():
            with contextlib.suppress(pymysql.err.MySQLError, OSError):
                (row,) = member.query("SELECT GTID_SUBSET(%s, %s) AS fits", changes, others)
                return bool(row["fits"])
        raise OSError("no member answers")

    def waiting(self, seen: Mapping[str, Seen]) -> dict[str, dict[str, int]]:
        found = {}
        for name in seen:
            with contextlib.suppress(pymysql.err.MySQLError, OSError):
                found[name] = self.members[name].waiting()
        return found

    def once(self) -> None:
        """Look at all members, and do what is to be done."""
        seen = self.look()
        steps = decide(seen, self.fits, lambda: str(uuid.uuid4())) if seen else []
        self._say(", ".join(f"{name} {self._words(name, seen.get(name))}" for name in self.members), steps)
        # Before the steps: to join a member may take minutes.
        self.metrics.note(
            {name: seen.get(name) for name in self.members},
            self.waiting(seen),
            needs_decision=any(step.do == "refuse" for step in steps),
        )
        for step in steps:
            if step.do == "refuse":
                continue
            logger.info("%s %s", step.do, step.member)
            member = self.members[step.member]
            if step.do == "prepare":
                member.prepare(step.text)
            elif step.do == "open":
                member.open()
            else:
                member.join(first=step.do == "bootstrap")

    def _words(self, name: str, said: Seen | None) -> str:
        if name in self._strangers:
            return "refuses our password: its volume is of another deployment"
        if said is None:
            return "does not answer"
        if said.state == "ONLINE":
            return "PRIMARY" if said.is_primary else "SECONDARY"
        return said.state if said.group else "new"

    def _say(self, states: str, steps: list[Step]) -> None:
        said = ". ".join([states, *(step.text for step in steps if step.do == "refuse")])
        if said != self._said:
            logger.log(logging.ERROR if ". " in said else logging.INFO, "%s", said)
            self._said = said


def keep(keeper: Keeper, stop: threading.Event, period_s: float = PERIOD_S) -> None:
    while not stop.is_set():
        try:
            keeper.once()
        except (pymysql.err.MySQLError, OSError) as error:
            logger.error("trying again: %s", error)
        stop.wait(period_s)


def bootstrap(keeper: Keeper, name: str) -> None:
    """Make a group of this member although others are missing. Raises SystemExit if a group is there."""
    seen = keeper.look()
    if name not in seen:
        raise SystemExit(f"keep: {name} does not answer; those that do: {' '.join(seen) or 'none'}")
    if there := [other for other, said in seen.items() if said.is_in_group]:
        raise SystemExit(
            f"keep: {' and '.join(there)} is in a group; a second one beside it would lose changes"
        )
    if not seen[name].group:
        raise SystemExit(f"keep: the volume of {name} is new; it has no sessions to go on with")
    keeper.members[name].join(first=True)
    print(
        f"keep: {name} is the primary; the others join by themselves, unless they have changes that it lacks"
    )


def show(keeper: Keeper) -> int:
    seen = keeper.look()
    for name in keeper.members:
        print(json.dumps({"member": name, **(asdict(seen[name]) if name in seen else {"state": None})}))
    return 0 if sum(said.state == "ONLINE" for said in seen.values()) == len(MEMBERS) else 1


def stop_when_told(stop: threading.Event) -> None:
    signal.sigwait({signal.SIGTERM})
    stop.set()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap", choices=sorted(MEMBERS))
    parser.add_argument("--show", action="store_true")
    wanted = parser.parse_args()
    keeper = Keeper({name: Member(name) for name in MEMBERS})
    if wanted.show:
        return show(keeper)
    if wanted.bootstrap:
        bootstrap(keeper, wanted.bootstrap)
        return 0
    log.to_stdout()
    stop = threading.Event()
    # In a thread, for the reason in janitor.py.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    threading.Thread(target=stop_when_told, args=(stop,), daemon=True).start()
    REGISTRY.register(keeper.metrics)
    start_http_server(METRICS_PORT)
    keep(keeper, stop)
    return 0


if __name__ == "__main__":
    sys.exit(main())
