"""The crawler: the figures of a walk, and its metrics while the database is away."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from config import read_config
from hopproof.handler import SessionStoreUnavailable
from hopproof_operator.crawler import MAX_NAMED, Crawler, crawler_for
from hopproof_operator.table import BrokenRow, Row

ROOT = Path(__file__).parents[2]
START = 1_700_000_000
LONG_AGO = START - 600


class FakeTable:
    """Rows by their keys, on a clock that the test moves. breaks_at: the row at which the database fails."""

    def __init__(self):
        self.now = START
        self.rows = {}
        self.breaks_at = None

    def put(self, *, user=None, created_at=None, ttl_s=1800, json_bytes=100, state="live"):
        key = len(self.rows).to_bytes(32)
        created_at = self.now if created_at is None else created_at
        self.rows[key] = (user, created_at, self.now + ttl_s, json_bytes, state)
        return key

    def put_broken(self):
        key = len(self.rows).to_bytes(32)
        self.rows[key] = None
        return key

    def now_and_first_expiry(self):
        return self.now, min((row[2] for row in self.rows.values() if row), default=None)

    def walk(self):
        for number, (key, row) in enumerate(sorted(self.rows.items())):
            if number == self.breaks_at:
                raise SessionStoreUnavailable("the session table did not answer")
            if row is None:
                yield BrokenRow(key, "its version is 0 or the largest")
                continue
            user, created_at, expires_at, json_bytes, state = row
            if state == "live" and expires_at <= self.now:
                state = "expired"
            yield Row(key, user, 1, created_at, expires_at, START + 43_200, self.now, json_bytes, state)


@pytest.fixture
def table():
    return FakeTable()


@pytest.fixture
def crawler(table):
    return Crawler(table, idle_timeout_s=1800, grace_s=0, period_s=60)


def told(crawler):
    """Return the values that Prometheus reads, by name and label."""
    registry = CollectorRegistry()
    registry.register(crawler)
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
    }


def rows_told(crawler):
    figures = told(crawler)
    return [figures["hopproof_session_rows", state] for state in ("live", "expired", "ended", "broken")]


def test_a_walk_counts_rows_by_what_they_are(crawler, table):
    for user in ("ada", "ada", "bob", None):
        table.put(user=user)
    table.put(ttl_s=-5)
    table.put(state="ended")
    table.put_broken()
    crawler.crawl()
    figures = told(crawler)

    assert rows_told(crawler) == [4, 1, 1, 1]
    assert figures["hopproof_sessions_logged_in",] == 3
    assert figures["hopproof_users_logged_in",] == 2
    assert figures["hopproof_crawl_last_walk_timestamp_seconds",] == pytest.approx(time.time(), abs=60)
    assert 0 <= figures["hopproof_crawl_walk_duration_seconds",] < 60


def test_the_histograms_are_of_the_last_walk_alone(crawler, table):
    table.put(json_bytes=256, created_at=START - 60)
    table.put(json_bytes=257, created_at=START - 61)
    table.put(json_bytes=100_000, ttl_s=0)
    for _ in range(2):
        crawler.crawl()
        figures = told(crawler)

        sizes = [figures["hopproof_session_size_bytes_bucket", end] for end in ("256.0", "1024.0", "+Inf")]
        assert sizes == [1, 2, 2]
        assert figures["hopproof_session_size_bytes_gcount",] == 2
        assert figures["hopproof_session_size_bytes_gsum",] == 513
        assert figures["hopproof_session_age_seconds_bucket", "60.0"] == 1
        assert figures["hopproof_session_age_seconds_gsum",] == 121
        assert figures["hopproof_session_idle_seconds_bucket", "60.0"] == 2


def test_sessions_that_came_and_went_are_counted_also_when_they_are_cleaned_already(crawler, table):
    gone = [table.put(created_at=LONG_AGO) for _ in range(3)]
    table.put(created_at=LONG_AGO)
    crawler.crawl()
    before = told(crawler)
    table.now += 60
    for key in gone:
        del table.rows[key]
    table.rows[b"new" * 10] = (None, START + 30, START + 1830, 100, "live")
    crawler.crawl()
    after = told(crawler)

    assert (before["hopproof_sessions_created_total",], before["hopproof_sessions_gone_total",]) == (0, 0)
    assert (after["hopproof_sessions_created_total",], after["hopproof_sessions_gone_total",]) == (1, 3)


def test_a_session_is_created_once_however_often_it_is_seen(crawler, table):
    crawler.crawl()
    for _ in range(4):
        table.now += 2
        table.put()
        crawler.crawl()
    table.now += 60
    crawler.crawl()
    crawler.crawl()

    assert told(crawler)["hopproof_sessions_created_total",] == 4
    assert told(crawler)["hopproof_sessions_gone_total",] == 0


def test_a_session_whose_row_was_not_visible_yet_is_counted_by_the_next_walk(crawler, table):
    crawler.crawl()
    table.put(created_at=table.now - 1)  # the INSERT waited for the disk
    table.now += 60
    crawler.crawl()

    assert told(crawler)["hopproof_sessions_created_total",] == 1
    assert told(crawler)["hopproof_sessions_gone_total",] == 0


def test_nothing_is_told_before_the_first_walk_has_ended(crawler, table):
    table.put()
    table.put()
    table.breaks_at = 1
    crawler.crawl()

    assert told(crawler) == {
        ("hopproof_crawl_period_seconds",): 60,
        ("hopproof_crawl_up",): 0,
        ("hopproof_crawl_last_walk_timestamp_seconds",): 0,
    }


def test_an_outage_in_the_midst_of_a_walk_leaves_the_last_figures_and_is_told_once(crawler, table, caplog):
    caplog.set_level(logging.INFO)
    for _ in range(3):
        table.put(created_at=LONG_AGO)
    crawler.crawl()
    before = told(crawler)
    table.breaks_at = 2
    for _ in range(3):
        table.now += 60
        table.put()
        crawler.crawl()

    assert told(crawler) == before | {("hopproof_crawl_up",): 0}
    assert len(caplog.messages) == 1
    table.breaks_at = None
    table.now += 60
    crawler.crawl()
    assert told(crawler)["hopproof_crawl_up",] == 1
    assert rows_told(crawler) == [6, 0, 0, 0]
    # Also those that came during the outage.
    assert told(crawler)["hopproof_sessions_created_total",] == 3
    assert len(caplog.messages) == 2


def test_a_broken_row_is_named_once_and_counted_each_time(crawler, table, caplog):
    broken, other = table.put_broken(), table.put_broken()
    for _ in range(3):
        crawler.crawl()
    assert [caplog.text.count(key.hex()) for key in (broken, other)] == [1, 1]
    assert rows_told(crawler)[3] == 2

    table.rows[broken] = table.rows.pop(table.put())  # it is repaired, and breaks again
    crawler.crawl()
    assert rows_told(crawler)[3] == 1
    table.rows[broken] = None
    crawler.crawl()
    assert caplog.text.count(broken.hex()) == 2


def test_a_table_full_of_broken_rows_does_not_fill_the_log(crawler, table, caplog):
    for _ in range(MAX_NAMED + 50):
        table.put_broken()
    crawler.crawl()
    crawler.crawl()

    assert len(caplog.messages) == MAX_NAMED
    assert rows_told(crawler)[3] == MAX_NAMED + 50


@pytest.mark.parametrize(("grace_s", "overdue_s"), [(0, 100), (60, 40), (200, 0)])
def test_clean_is_overdue_from_the_end_of_its_grace(table, grace_s, overdue_s):
    crawler = Crawler(table, idle_timeout_s=1800, grace_s=grace_s, period_s=60)
    crawler.crawl()
    assert told(crawler)["hopproof_clean_overdue_seconds",] == 0
    table.put(ttl_s=-100)
    crawler.crawl()

    assert told(crawler)["hopproof_clean_overdue_seconds",] == overdue_s


def test_what_users_and_visitors_choose_makes_no_series(crawler, table):
    table.put(user="ada")
    crawler.crawl()
    before = told(crawler).keys()
    for number in range(50):
        table.put(user=f"user{number}", json_bytes=number * 1000)
    crawler.crawl()

    assert told(crawler).keys() == before


def test_sessions_in_memcached_alone_leave_it_idle_after_one_line(caplog):
    caplog.set_level(logging.INFO)
    crawler = crawler_for(read_config({"STORE": "memcached"}))
    crawler.crawl()

    assert told(crawler) == {("hopproof_crawl_period_seconds",): 60}
    assert len(caplog.messages) == 1


# SIGTERM comes during a walk, because the database hangs, or during a pause.
RUNNING = """
import runpy, sys, time, hopproof_operator.table, prometheus_client
prometheus_client.start_http_server = lambda port: None  # somebody else may be at it
def asked(*arguments):
    print("begins", flush=True)
    time.sleep(60)
hopproof_operator.table.Table.now_and_first_expiry = asked
if sys.argv[1] == "rests":
    time.sleep = lambda seconds, sleep=time.sleep: (print("begins", flush=True), sleep(seconds))
runpy.run_module("hopproof_operator.crawler", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize(("doing", "store"), [("walks", "mysql"), ("rests", "memcached")])
def test_a_stop_ends_it_at_once(tmp_path, doing, store):
    (tmp_path / "password").write_text("secret")
    path = f"{ROOT / 'webapp'}:{ROOT / 'webapp/operator'}"
    env = {"PYTHONPATH": path, "DB_PASSWORD_FILE": str(tmp_path / "password"), "STORE": store}
    with subprocess.Popen(
        [sys.executable, "-c", RUNNING, doing], env=os.environ | env, stdout=subprocess.PIPE
    ) as running:
        try:
            assert running.stdout is not None
            assert running.stdout.readline() == b"begins\n"
            running.send_signal(signal.SIGTERM)
            assert running.wait(5) == 0
        finally:
            running.kill()
