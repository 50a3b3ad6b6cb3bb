"""Faults of a group of databases, with DB=group. Roles of members change, so they are asked each time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from docker.errors import APIError
from docker.models.containers import Container

from verify.deployment import MEMBERS, MYSQL, SQL, Stack, ask_inside, until
from verify.strikes.database import store_is_back, store_is_out
from verify.strikes.proof import frozen, killed, proven, stopped

MEMBERS_OF_GROUP = "performance_schema.replication_group_members"
VIEW = f"SELECT member_host, member_state, member_role FROM {MEMBERS_OF_GROUP}"


def roles(member: Container) -> dict[str, str]:
    """Return the roles of the members that are ONLINE, as one of them sees it; none if it does not answer."""
    try:
        code, lines = ask_inside(member, f'{MYSQL} ask --execute "$0"', VIEW)
    except APIError:
        return {}
    rows = [line.split("\t") for line in lines] if code == 0 else []
    return {host: role for host, state, role in rows if state == "ONLINE"}


def primary_of(stack: Stack) -> str:
    """Return the service of the member that the other running members, too, call the primary."""

    def agreed() -> str:
        named = {
            host
            for member in stack.running(*MEMBERS)
            for host, role in roles(member).items()
            if role == "PRIMARY"
        }
        return named.pop() if len(named) == 1 else ""

    return until(agreed, "one primary", 60)


def new_primary(stack: Stack, old: str) -> str:
    """Return another primary than the old one, as soon as the members that run name one."""

    def other() -> str:
        return next(
            (
                host
                for member in stack.running(*MEMBERS)
                if member.labels["com.docker.compose.service"] != old
                for host, role in roles(member).items()
                if role == "PRIMARY" and host != old
            ),
            "",
        )

    return until(other, f"another primary than {old}", 40)


@contextlib.contextmanager
def _whole_afterwards(stack: Stack) -> Iterator[None]:
    try:
        yield
    finally:
        until(stack.has_whole_group, "all members in the group", 120, rest_s=0.5)


@contextlib.contextmanager
def _another_takes_over(
    stack: Stack, strike: Callable[[str], AbstractContextManager[None]], what: str
) -> Iterator[str]:
    """Strike the primary, and prove that another one takes over and stays it."""
    visitor = stack.visitor()
    visitor.add("n")
    old = primary_of(stack)
    began = time.monotonic()
    with _whole_afterwards(stack):
        with strike(old):
            new = new_primary(stack, old)
            until(lambda: visitor.add("n").status == 200, "a write succeeds", 60)
            again_s = time.monotonic() - began
            yield f"{old} {what}; {new} became the primary, a write succeeded after {again_s:.1f} s"
        proven(primary_of(stack) == new, f"{new} is not the primary any more")


def primary_killed(stack: Stack) -> AbstractContextManager[str]:
    return _another_takes_over(stack, lambda old: killed(stack.container(old)), "ended with 137")


def primary_stopped(stack: Stack) -> AbstractContextManager[str]:
    return _another_takes_over(stack, lambda old: stopped(stack.container(old)), "ended when asked")


def primary_frozen(stack: Stack) -> AbstractContextManager[str]:
    return _another_takes_over(stack, lambda old: frozen(stack.container(old)), "stood still")


@contextlib.contextmanager
def primary_cut_off(stack: Stack) -> Iterator[str]:
    """Cut the primary off its peers, while router and servers reach it."""
    old = primary_of(stack)
    cut_off = _another_takes_over(
        stack, lambda old: off_network(stack, old, "peers"), "was cut off its peers"
    )
    try:
        with cut_off as evidence:
            yield evidence
    finally:
        # The network came back on a new interface, which gets the waits of compose.yml at the next start.
        # Without them the member waits for 11 s when another one dies, and is taken for dead itself.
        with _whole_afterwards(stack), killed(stack.container(old)):
            pass


@contextlib.contextmanager
def off_network(stack: Stack, service: str, name: str) -> Iterator[None]:
    """Take a service off a network, and give it its address there back at the end."""
    container = stack.container(service)
    network = stack.docker.networks.get(f"{stack.project}_{name}")
    # The address that the compose file gives it; on other networks Docker chooses one.
    wanted = container.attrs["NetworkSettings"]["Networks"][network.name]["IPAMConfig"] or {}
    try:
        network.disconnect(container)
        yield
    finally:
        network.reload()
        if container not in network.containers:
            network.connect(container, ipv4_address=wanted.get("IPv4Address"), aliases=[service])


@contextlib.contextmanager
def router_unreachable(stack: Stack) -> Iterator[str]:
    """Cut the servers off the router: nobody may take that for the death of the primary."""
    before = primary_of(stack)
    with off_network(stack, "db", "store"):
        store_is_out(stack)
        yield f"the router was off the servers' network, the store answered 503; {before} stayed the primary"
        proven(primary_of(stack) == before, f"{before} is not the primary any more")
    store_is_back(stack)


@contextlib.contextmanager
def secondary_killed(stack: Stack) -> Iterator[str]:
    primary, victim = primary_of(stack), _secondaries(stack)[0]
    with _whole_afterwards(stack), killed(stack.container(victim)):
        yield f"{victim} ended with 137, {primary} stayed the primary"
        proven(primary_of(stack) == primary, f"{primary} is not the primary any more")


@contextlib.contextmanager
def member_rejoins(stack: Stack) -> Iterator[str]:
    """Stop a secondary, and let it come back while visitors write."""
    primary, name = primary_of(stack), _secondaries(stack)[0]
    with _whole_afterwards(stack):
        with stopped(stack.container(name)):
            until(lambda: name not in roles(stack.container(primary)), f"a group without {name}", 60)
        until(stack.has_whole_group, f"{name} in the group", 120, rest_s=0.5)
        proven(primary_of(stack) == primary, f"{primary} is not the primary any more")
        yield f"{name} left and came back, {primary} stayed the primary"


@contextlib.contextmanager
def two_killed(stack: Stack) -> Iterator[str]:
    """Kill both secondaries: a primary without the majority must acknowledge nothing."""
    victims = _secondaries(stack)
    first, second = (stack.container(name) for name in victims)
    with _whole_afterwards(stack), killed(first), killed(second):
        store_is_out(stack)
        yield f"{' and '.join(victims)} ended with 137, the store answered 503"
    store_is_back(stack)


@contextlib.contextmanager
def all_killed(stack: Stack) -> Iterator[str]:
    """Kill db-1 before the others: it lacks what was acknowledged meanwhile, and must not be the first."""
    if primary_of(stack) == "db-1":
        other = _secondaries(stack)[0]
        # Not by the router, which would cut the connection.
        switch = f"SELECT group_replication_set_as_primary(member_id) FROM {MEMBERS_OF_GROUP}"
        ask_inside(stack.container("db-1"), SQL, f"{switch} WHERE member_host = '{other}'")
    behind, *others = (stack.container(name) for name in MEMBERS)
    with _whole_afterwards(stack), killed(behind):
        # A group that still waits for it acknowledges nothing that it lacks.
        until(lambda: "db-1" not in roles(stack.running(*MEMBERS)[0]), "a group without db-1", 60)
        time.sleep(3)
        with killed(others[0]), killed(others[1]):
            store_is_out(stack)
            yield "all three ended with 137, db-1 some seconds before the others; the store answered 503"
    store_is_back(stack)
    proven(primary_of(stack) != "db-1", "db-1 is the primary, which lacks what the others acknowledged")


def _secondaries(stack: Stack) -> list[str]:
    return sorted(set(MEMBERS) - {primary_of(stack)})
