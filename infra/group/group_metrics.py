"""The metrics of the keeper, for Prometheus: the members as its last look found them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from keep import Seen

# The port for Prometheus, inside the network only.
METRICS_PORT = 9100

# recovering: it gets what it has missed, or is not let in yet. outside: in no group, or cut off from the
# others. silent: it does not answer the keeper.
STATES = ("primary", "secondary", "recovering", "outside", "silent")


def state_of(said: Seen | None) -> str:
    """Return the one of STATES that a member's own word means."""
    if said is None:
        return "silent"
    if not said.is_in_group:
        return "outside"
    if said.state == "RECOVERING" or said.is_shut:
        return "recovering"
    return "primary" if said.is_primary else "secondary"


@dataclass(frozen=True, slots=True)
class Look:
    """One look at all members. waiting: transactions by queue, of those that told."""

    at: float
    states: Mapping[str, str]
    waiting: Mapping[str, Mapping[str, int]]
    needs_decision: bool


class GroupMetrics(Collector):
    """The last look: a scrape gets a whole one, and no series of a member that has told nothing."""

    def __init__(self) -> None:
        self._last: Look | None = None
        self._primary = ""
        self._changes = 0

    def note(
        self,
        seen: Mapping[str, Seen | None],
        waiting: Mapping[str, Mapping[str, int]],
        *,
        needs_decision: bool,
    ) -> None:
        """Keep what a look found. The first primary that this keeper sees is no change."""
        states = {name: state_of(said) for name, said in seen.items()}
        primaries = [name for name, state in states.items() if state == "primary"]
        # Two for a moment: the old one does not know yet.
        if len(primaries) == 1:
            self._changes += self._primary not in ("", primaries[0])
            self._primary = primaries[0]
        self._last = Look(time.time(), states, waiting, needs_decision)

    def collect(self) -> Iterator[Metric]:
        # At 0 from the start: an increase needs a value from before the first change.
        yield CounterMetricFamily(
            "hopproof_group_primary_changes", "Changes of the primary that the keeper saw.", self._changes
        )
        look = self._last
        if look is None:
            return
        yield GaugeMetricFamily(
            "hopproof_group_last_look_timestamp_seconds",
            "When the keeper last looked at the members.",
            look.at,
        )
        yield GaugeMetricFamily(
            "hopproof_group_needs_decision",
            "1 while the keeper refuses to go on without a person.",
            look.needs_decision,
        )
        members = GaugeMetricFamily(
            "hopproof_group_member",
            "1 for the state of a member, 0 for all others: " + ", ".join(STATES) + ".",
            labels=["member", "state"],
        )
        for name, own in look.states.items():
            for state in STATES:
                members.add_metric([name, state], state == own)
        yield members
        waiting = GaugeMetricFamily(
            "hopproof_group_waiting_transactions",
            "Transactions that wait in a member, to be checked against others (certify) or applied.",
            labels=["member", "queue"],
        )
        for name, queues in look.waiting.items():
            for queue, number in queues.items():
                waiting.add_metric([name, queue], number)
        yield waiting
