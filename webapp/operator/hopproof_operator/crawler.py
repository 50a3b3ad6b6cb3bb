"""Walks the sessions table once a period and tells Prometheus its figures.

All figures are of the last complete walk; a walk that is under way, or broke off, counts for nothing.
While the database does not answer they stay as they are, and hopproof_crawl_up is 0.
"""

from __future__ import annotations

import logging
import math
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from prometheus_client import REGISTRY, start_http_server
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeHistogramMetricFamily,
    GaugeMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from config import BALANCER_WAITS_S, Config, ConfigError, read_config
from hopproof.handler import SessionStoreUnavailable
from hopproof_operator.table import BrokenRow, Row, Table
from hopproof_operator.tally import Histogram, Tally
from store import database

logger = logging.getLogger("crawler")

# The port for Prometheus, inside the network only.
METRICS_PORT = 9100
# Broken rows that the log names, once each, in the order of their keys. All are counted.
MAX_NAMED = 100


class Flow:
    """How many sessions have come and gone since the first walk; a login is both, as it makes a new one.

    The janitor may have removed the row of a session that has gone. So the gone are the sessions of the first
    walk, plus those that came, minus those still there. A session that came and went between two walks is
    counted in neither.
    """

    def __init__(self) -> None:
        self.created = 0
        self.gone = 0
        self._there_first = 0
        self._until: int | None = None

    def begin(self, now: int) -> None:
        """Begin a walk at this time of the database's clock. One that broke off counts for nothing."""
        # A row younger than the longest request may not be visible yet. The next walk counts it.
        self._since, self._now = self._until, now - math.ceil(BALANCER_WAITS_S)
        self._came = self._there = 0

    def add(self, row: Row) -> None:
        if row.state == "ended" or row.created_at > self._now:
            return
        self._there += row.state == "live"
        self._came += self._since is not None and row.created_at > self._since

    def end(self) -> None:
        if self._since is None:
            self._there_first = self._there
        self._until = self._now
        self.created += self._came
        # Never backwards: a session that moves to a new key while the table is walked may be missed once.
        self.gone = max(self.gone, self._there_first + self.created - self._there)


@dataclass(frozen=True, slots=True)
class Walk:
    """A complete walk. overdue_s: seconds since the oldest row should have been cleaned, 0 if none."""

    tally: Tally
    created: int
    gone: int
    overdue_s: int
    ended_at: float
    took_s: float


class Crawler(Collector):
    """The metrics that Prometheus reads; without a table, the period alone.

    grace_s: JANITOR_GRACE_S, for which the janitor leaves an expired row alone.
    """

    def __init__(self, table: Table | None, *, idle_timeout_s: int, grace_s: int, period_s: int) -> None:
        self._table = table
        self._idle_timeout_s = idle_timeout_s
        self._grace_s = grace_s
        self._period_s = period_s
        self._flow = Flow()
        self._last: Walk | None = None
        self._database_answers = True
        self._named: set[bytes] = set()

    def crawl(self) -> None:
        """Walk the table once, if the database answers. An outage is logged once, and ends nothing."""
        if self._table is None:
            return
        try:
            self._last = self._walk(self._table)
        except SessionStoreUnavailable as error:
            if self._database_answers:
                logger.error("no walk until this is over: %s", error)
            self._database_answers = False
        else:
            if not self._database_answers:
                logger.info("the database answers again")
            self._database_answers = True

    def _walk(self, table: Table) -> Walk:
        started = time.monotonic()
        now, first_expiry = table.now_and_first_expiry()
        tally = Tally(self._idle_timeout_s)
        self._flow.begin(now)
        still_broken: set[bytes] = set()
        for row in table.walk():
            if isinstance(row, Row):
                tally.add(row)
                self._flow.add(row)
            else:
                tally.broken += 1
                if len(still_broken) < MAX_NAMED:
                    self._name(row)
                    still_broken.add(row.key)
        self._named = still_broken
        self._flow.end()
        overdue_s = 0 if first_expiry is None else max(now - first_expiry - self._grace_s, 0)
        return Walk(
            tally, self._flow.created, self._flow.gone, overdue_s, time.time(), time.monotonic() - started
        )

    def _name(self, row: BrokenRow) -> None:
        if row.key not in self._named:
            logger.error("the row %s breaks the row contract: %s", row.key.hex(), row.complaint)
            self._named.add(row.key)  # at once: the walk may break off

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "hopproof_crawl_period_seconds", "Rest between two walks, as it is set.", self._period_s
        )
        if self._table is None:
            return
        yield GaugeMetricFamily(
            "hopproof_crawl_up", "1 if the database answered when it was last asked.", self._database_answers
        )
        last = self._last
        yield GaugeMetricFamily(
            "hopproof_crawl_last_walk_timestamp_seconds",
            "When the walk ended that all figures are of; 0: none has.",
            last.ended_at if last else 0,
        )
        if last:
            yield from _figures(last)


def _figures(walk: Walk) -> Iterator[Metric]:
    tally = walk.tally
    yield GaugeMetricFamily("hopproof_crawl_walk_duration_seconds", "How long the walk took.", walk.took_s)
    rows = GaugeMetricFamily(
        "hopproof_session_rows",
        "Rows of the table: live; expired, not cleaned yet; ended, remembered for a moment; broken.",
        labels=["state"],
    )
    for state in ("live", "expired", "ended", "broken"):
        rows.add_metric([state], getattr(tally, state))
    yield rows
    yield GaugeMetricFamily(
        "hopproof_sessions_logged_in", "Live sessions of users who have logged in.", tally.logged_in
    )
    yield GaugeMetricFamily(
        "hopproof_users_logged_in",
        "Different users of these: exact up to 50,000, beyond that with a standard error of 0.5 %.",
        len(tally.users),
    )
    yield CounterMetricFamily(
        "hopproof_sessions_created", "Sessions that came, each login one more.", walk.created
    )
    yield CounterMetricFamily("hopproof_sessions_gone", "Sessions that expired or were ended.", walk.gone)
    yield GaugeMetricFamily(
        "hopproof_clean_overdue_seconds",
        "How long the oldest row has been there that clean should have removed, JANITOR_GRACE_S deducted.",
        walk.overdue_s,
    )
    yield _histogram("hopproof_session_size_bytes", "Bytes of JSON in each live session.", tally.size)
    yield _histogram("hopproof_session_idle_seconds", "Since the last use of each live session.", tally.idle)
    yield _histogram("hopproof_session_age_seconds", "Since the start of each live session.", tally.age)


def _histogram(name: str, meaning: str, histogram: Histogram) -> Metric:
    """Return a gauge histogram: each walk replaces the former one, so counts may fall."""
    buckets, so_far = [], 0
    for end, count in zip(histogram.bars.values(), histogram.counts, strict=True):
        so_far += count
        buckets.append(("+Inf" if end is None else str(float(end)), float(so_far)))
    return GaugeHistogramMetricFamily(name, meaning, buckets=buckets, gsum_value=histogram.total)


def crawler_for(config: Config) -> Crawler:
    if config.store == "memcached":
        logger.info("STORE=memcached keeps sessions in memcached alone: there is no table to walk")
        table = None
    else:
        table = Table(database(config, connections=1).pool())
    return Crawler(
        table,
        idle_timeout_s=config.session_idle_s,
        grace_s=config.janitor_grace_s,
        period_s=config.crawl_period_s,
    )


def main() -> NoReturn:
    logging.basicConfig(format="crawler: %(message)s", level=logging.INFO, force=True)
    try:
        config = read_config(os.environ)
        crawler = crawler_for(config)
    except ConfigError as error:
        sys.exit(f"crawler: {error}")
    REGISTRY.register(crawler)
    start_http_server(METRICS_PORT)
    while True:
        crawler.crawl()
        time.sleep(config.crawl_period_s)


if __name__ == "__main__":
    # The first process of a container has no default for SIGTERM. Nothing is written, so it may end anywhere.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    main()
