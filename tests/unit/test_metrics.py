"""GET /metrics: the counts, and that no request of a visitor can make more series."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

import janitor
from hopproof.handler import SessionConflict, SessionStoreUnavailable
from hopproof.memory import MemoryHandler

WEBAPP = Path(__file__).parents[2] / "webapp"


def samples(text, name):
    """Return the values of a metric by the values of its labels, sorted by label name."""
    return {
        tuple(value for _, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }


def scraped(site, name):
    return samples(site.browser().ask("GET", "/metrics").body.decode(), name)


def test_a_request_is_counted_by_route_method_and_status(site):
    browser = site.browser()
    browser.ask("GET", "/api/stateless")
    browser.ask("GET", "/api/stateless")
    browser.ask("POST", "/api/logout-everywhere")

    counted = scraped(site, "hopproof_requests_total")
    assert counted["GET", "/api/stateless", "200"] == 2
    assert counted["POST", "/api/logout-everywhere", "401"] == 1


def test_the_keys_of_visitors_make_no_series(site):
    browser = site.browser()
    for key in ("a", "b", "c%2Fd"):
        browser.ask("PUT", f"/api/session/data/{key}", 1)

    puts = {key: count for key, count in scraped(site, "hopproof_requests_total").items() if key[0] == "PUT"}
    assert puts == {("PUT", "/api/session/data/<key>", "204"): 3}


@pytest.mark.filterwarnings("ignore:Unknown REQUEST_METHOD")
def test_paths_and_methods_that_visitors_make_up_make_one_series(site):
    for number in range(5):
        site.browser().ask("GET", f"/nothing/{number}")
        site.browser().ask(f"FORGED{number}", "/api/session")

    unknown = {key: count for key, count in scraped(site, "hopproof_requests_total").items() if "none" in key}
    assert unknown == {("GET", "none", "404"): 5, ("other", "none", "405"): 5}


def test_a_duration_is_in_the_bucket_of_its_route(site):
    site.browser().ask("GET", "/api/stateless")

    buckets = scraped(site, "hopproof_request_duration_seconds_bucket")
    assert buckets["+Inf", "GET", "/api/stateless"] == 1
    assert scraped(site, "hopproof_request_duration_seconds_sum")["GET", "/api/stateless"] > 0


def test_an_outage_of_the_store_is_counted_and_shown(site):
    assert scraped(site, "hopproof_store_answers") == {(): 1}
    site.handler.is_down = True
    site.browser().ask("PUT", "/api/session/data/a", 1)

    assert scraped(site, "hopproof_store_answers") == {(): 0}
    assert scraped(site, "hopproof_session_errors_total")["unavailable",] == 1


def test_each_kind_of_session_error_is_counted_as_itself(site):
    visitor = site.visitor(a="text")
    tab = visitor.other_tab()
    visitor.ask("POST", "/api/session/counters/a")
    visitor.ask("POST", "/api/logout")
    tab.ask("PUT", "/api/session/data/a", 1)

    errors = scraped(site, "hopproof_session_errors_total")
    assert errors == {("unavailable",): 0, ("gone",): 1, ("conflict",): 0, ("refused",): 1, ("broken",): 0}


@pytest.mark.parametrize("path", ["/%6detrics", "/metrics%ff", "/metrics?", "//metrics", "/metrics/"])
def test_no_other_spelling_passes_the_balancer_and_is_answered(site, path):
    assert site.browser().ask("GET", path).status == 404


# Several processes

COUNTING = """
import os, signal, sys
from pathlib import Path
from metrics import Metrics
from hopproof.handler import SessionStoreUnavailable
metrics = Metrics(Path(sys.argv[1]))
for _ in range(int(sys.argv[2])):
    metrics.count_request({"REQUEST_METHOD": "GET"}, "200 OK", 0.01)
    metrics.count_error(SessionStoreUnavailable())
print("counted", flush=True)
sys.stdin.readline()
sys.stdout.buffer.write(metrics.exposition(True))
"""


def counting(folder, times):
    process = subprocess.Popen(
        [sys.executable, "-c", COUNTING, str(folder), str(times)],
        env={**os.environ, "PYTHONPATH": str(WEBAPP)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "counted\n"
    return process


def test_whichever_process_answers_tells_the_sum_of_all_also_of_those_that_were_killed(tmp_path):
    folder = tmp_path / "metrics"
    with counting(folder, 3) as first, counting(folder, 4) as second:
        first.send_signal(signal.SIGKILL)
        first.wait(10)
        files = len(list(folder.iterdir()))
        with counting(folder, 5) as third:
            for process in (second, third):
                text, _ = process.communicate("\n", timeout=10)
                assert samples(text, "hopproof_requests_total") == {("GET", "none", "200"): 12}
                assert samples(text, "hopproof_session_errors_total")["unavailable",] == 12
                assert samples(text, "hopproof_request_duration_seconds_count")["GET", "none"] == 12
    assert len(list(folder.iterdir())) == files


# The janitor


class Broom(MemoryHandler):
    """Cleans nothing, or fails: answer is a number of rows or an error."""

    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def clean(self):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def told():
    text = generate_latest().decode()
    passes = samples(text, "hopproof_janitor_passes_total")
    (removed,) = samples(text, "hopproof_janitor_removed_rows_total").values()
    (ended_at,) = samples(text, "hopproof_janitor_last_pass_timestamp_seconds").values()
    return [passes[outcome,] for outcome in ("done", "skipped", "failed")], removed, ended_at


def test_a_pass_of_the_janitor_is_counted_with_its_rows_and_its_end():
    (done, *others), removed, _ = told()
    janitor.clean_once(Broom(42))

    passes, removed_now, ended_at = told()
    assert (passes, removed_now) == ([done + 1, *others], removed + 42)
    assert ended_at == pytest.approx(time.time(), abs=15)


@pytest.mark.parametrize(
    ("error", "outcome"), [(SessionConflict("at work"), 1), (SessionStoreUnavailable("no answer"), 2)]
)
def test_a_pass_that_did_not_clean_is_counted_and_moves_no_end(error, outcome):
    before, _, ended_at = told()
    janitor.clean_once(Broom(error))

    before[outcome] += 1
    assert (told()[0], told()[2]) == (before, ended_at)
