"""The table of guarantees: claim, checker, pairs without meaning, and the saboteur that breaks each.

`make verify` fills in guarantees × faults. README.md says how to add either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from verify.checkers import (
    cleaning,
    cost,
    hopping,
    losses,
    one_copy,
    outage,
    primary,
    reads,
    strangers,
    the_dead,
)
from verify.evidence import Run, Violation
from verify.faults import Fault

ALL_ROLES = (
    "shopper",
    "tabs",
    "leaver",
    "everywhere",
    "expirer",
    "stranger",
    "lender",
    "passer-by",
    "arrival",
)


@dataclass(frozen=True, slots=True)
class Guarantee:
    """A line of the table. roles: the kinds of visitors whose operations count, also for its budget.

    needs: a service without which it says nothing.
    """

    claim: str
    check: Callable[[Run], list[Violation]]
    roles: tuple[str, ...]
    needs: str | None = None


GUARANTEES = {
    "G1": Guarantee(
        "what one server wrote every other server reads", reads.what_one_wrote_others_read, ("shopper",)
    ),
    "G2": Guarantee(
        "no acknowledged write is lost", losses.no_acknowledged_write_is_lost, ("shopper", "tabs")
    ),
    "G3": Guarantee(
        "one session behaves as one copy", one_copy.one_session_behaves_as_one_copy, ("tabs", "shopper")
    ),
    "G4": Guarantee(
        "destroyed, rotated and expired sessions stay dead",
        the_dead.the_dead_stay_dead,
        ("leaver", "everywhere", "expirer"),
    ),
    "G5": Guarantee("no visitor sees another's data", strangers.nobody_sees_anothers_data, ALL_ROLES),
    "G6": Guarantee(
        "unknown ids are not adopted; reading leaves nothing behind",
        strangers.unknown_ids_are_not_adopted,
        ("stranger", "lender"),
    ),
    "G7": Guarantee("an outage is an error, never an empty session", outage.an_outage_is_an_error, ALL_ROLES),
    "G8": Guarantee(
        "clean removes the expired and only the expired", cleaning.clean_removes_only_the_expired, ALL_ROLES
    ),
    "G9": Guarantee(
        "the balancer spreads the load and every history hopped", hopping.every_history_hopped, ALL_ROLES
    ),
    "G10": Guarantee(
        "a fault costs visitors no more than its budget",
        cost.a_fault_costs_no_more_than_its_budget,
        ALL_ROLES,
    ),
    "G11": Guarantee(
        "a primary that was replaced answers nobody",
        primary.a_replaced_primary_answers_nobody,
        ALL_ROLES,
        needs="keeper",
    ),
}


def without_meaning(guarantee: str, fault: Fault) -> str | None:
    """Return the reason why a guarantee says nothing under a fault; None: it must hold."""
    reasons = {
        "G7": (fault.takes == "nothing", "nothing is out"),
        "G10": (fault.budget is None, "no budget is set"),
        "G11": (fault.needs != "keeper", "there is one database"),
    }
    says_nothing, reason = reasons.get(guarantee, (False, ""))
    return reason if says_nothing else None


@dataclass(frozen=True, slots=True)
class Saboteur:
    """A part that is broken in one way, and the cell that has to turn red.

    needs: the service of which it is a part; its stack is started broken. None: it breaks while it runs.
    """

    breaks: str
    under: str
    how: str
    needs: str | None = None


def spoken(names: Iterable[str], services: Iterable[str]) -> list[str]:
    """Return the guarantees that say something of a stack with these services, in order."""
    return [name for name in names if GUARANTEES[name].needs in (None, *services)]


# By the names in saboteurs/. The clocks of the servers that can be sabotaged are always apart.
SABOTEURS = {
    "dict-per-process": Saboteur("G1", "calm", "keeps sessions in the memory of each process"),
    "acknowledge-then-write": Saboteur("G2", "server-killed", "answers first and writes a second later"),
    "whole-blob-write-back": Saboteur("G2", "calm", "reads the session, changes it, writes all of it"),
    "touch-rolls-back": Saboteur("G3", "calm", "writes back what it read when it extends the expiry"),
    "upsert": Saboteur("G4", "calm", "writes a session whether it lives or not"),
    "expiry-only-in-clean": Saboteur("G4", "calm", "serves a session until it has been cleaned away"),
    "own-clock": Saboteur("G4", "calm", "compares the expiry with the clock of the server"),
    "last-answer-again": Saboteur("G5", "calm", "answers from the last read of the process for a moment"),
    "adopt-unknown-ids": Saboteur("G6", "calm", "creates a session under whatever id comes"),
    "create-on-read": Saboteur("G6", "calm", "stores an empty session for whoever reads"),
    "case-folded-ids": Saboteur("G6", "calm", "takes ids for equal that differ in case"),
    "none-on-exception": Saboteur("G7", "database-killed", "reads an outage as an empty session"),
    "cleaner-too-early": Saboteur("G8", "calm", "removes what would expire within an idle timeout"),
    "cleaner-too-late": Saboteur("G8", "calm", "leaves what has expired for an idle timeout more"),
    "slow-to-notice": Saboteur(
        "G10", "server-killed", "has the balancer wait long for a server that is gone"
    ),
    "stickiness": Saboteur("G9", "calm", "has the balancer send each session to one server"),
    "check-without-quorum": Saboteur(
        "G11",
        "primary-cut-off",
        "lets a primary without its majority go on, and sends visitors there",
        "keeper",
    ),
    "autorejoin": Saboteur(
        "G11", "primary-cut-off", "lets a member that is out try to come back by itself", "keeper"
    ),
    "names-instead-of-addresses": Saboteur(
        "G10", "primary-killed", "has members ask Docker where the others are", "keeper"
    ),
    "bootstrap-by-number": Saboteur(
        "G2", "all-members-killed", "makes the first member the first primary", "keeper"
    ),
}
