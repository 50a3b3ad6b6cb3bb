"""The sightings of a run, from all processes; progress while it runs, a table and the verdict at its end."""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from typing import Any

import gevent
from locust import events
from locust.env import Environment
from locust.runners import WorkerRunner
from locust.stats import StatsEntry

from gates import Seen, reasons_to_fail
from promises import Finding

PROGRESS_S = 5
MAX_EXAMPLES = 5


class Sightings(Seen):
    def answered(self, server: str, last: str | None) -> None:
        self.servers[server] += 1
        self.hops += last is not None and server != last

    def note(self, finding: Finding, where: str) -> None:
        self.findings[finding.kind] += 1
        if len(self.examples) < MAX_EXAMPLES:
            self.examples.append(f"{where}: {finding.text}")

    def absorb(self, told: dict[str, Any]) -> None:
        """Add what a worker process has seen since it last told."""
        self.servers.update(told["servers"])
        self.hops += told["hops"]
        self.findings.update(told["findings"])
        self.examples = [*self.examples, *told["examples"]][:MAX_EXAMPLES]

    def tell(self) -> dict[str, Any]:
        """Return what was seen since the last time, and forget it."""
        told = {
            "servers": dict(self.servers),
            "hops": self.hops,
            "findings": dict(self.findings),
            "examples": self.examples,
        }
        self.servers, self.hops, self.findings, self.examples = Counter(), 0, Counter(), []
        return told


# One per process; the master's adds up those of the workers.
seen = Sightings()


@events.report_to_master.add_listener
def tell_master(client_id: str, data: dict[str, Any]) -> None:
    data["hopproof"] = seen.tell()


@events.worker_report.add_listener
def hear_worker(client_id: str, data: dict[str, Any]) -> None:
    seen.absorb(data["hopproof"])


@events.init.add_listener
def watch(environment: Environment, **_: Any) -> None:
    if environment.web_ui is None and not isinstance(environment.runner, WorkerRunner):
        # Locust's own tables are wide, and know nothing of servers and promises.
        logging.getLogger("locust.stats_logger").disabled = True
        if os.environ.get("SHAPE") == "search":
            return  # which shows each of its trials
        progress = gevent.spawn(_show_progress, environment)
        events.quitting.add_listener(lambda **_: progress.kill())


def _show_progress(environment: Environment) -> None:
    began = time.monotonic()
    while True:
        gevent.sleep(PROGRESS_S)
        total = environment.stats.total
        p95_ms = total.get_current_response_time_percentile(0.95)
        print(
            f"{time.monotonic() - began:4.0f} s  {environment.runner.user_count:4} visitors  "
            f"{total.current_rps:6.0f} requests/s  p95 {p95_ms or 0:5.0f} ms  {total.num_failures} failed  "
            f"{seen.findings['lost']} lost  {seen.findings['wrong']} wrong",
            flush=True,
        )


@events.quitting.add_listener
def judge(environment: Environment, **_: Any) -> None:
    """Print the table, and decide on the exit status: Locust's own is 0 also without any request."""
    if isinstance(environment.runner, WorkerRunner) or environment.process_exit_code is not None:
        return  # not ours to judge, or judged before: a signal in the last moments lets Locust quit twice
    total = environment.stats.total
    seen.requests, seen.failed = total.num_requests, total.num_failures
    seen.p95_ms = total.get_response_time_percentile(0.95) if total.num_requests else None
    print("\n".join(table(environment)))
    reasons = reasons_to_fail(seen, int(os.environ["SERVERS"]), float(os.environ["P95_MS"]))
    for reason in reasons or ["passed: nothing lost, nothing wrong"]:
        print(f"loadtest: {reason}", flush=True)
    environment.process_exit_code = 1 if reasons else 0


def table(environment: Environment) -> list[str]:
    """Return the lines: each route, all of them, each server's share, lost and wrong."""
    lines = ["", f"{'':44} {'requests':>8} {'failed':>7} {'p50 ms':>7} {'p95 ms':>7} {'p99 ms':>7}"]
    entries = sorted(environment.stats.entries.values(), key=lambda entry: (entry.name, entry.method))
    for entry in [*entries, environment.stats.total]:
        counts = f"{entry.num_requests:8} {entry.num_failures:7}"
        lines.append(f"{_route(entry):44} {counts} {_percentiles(entry)}")
    answers = seen.servers.total()
    lines.append("")
    for server, count in sorted(seen.servers.items()):
        lines.append(f"{server:44} {count:8} {count / answers:7.1%}")
    lines += ["", f"hops {seen.hops}, lost {seen.findings['lost']}, wrong {seen.findings['wrong']}"]
    for error in environment.stats.errors.values():
        lines.append(f"{error.occurrences} times {error.method} {error.name}: {error.error}")
    return lines


def _route(entry: StatsEntry) -> str:
    return f"{entry.method} {entry.name}" if entry.method else "all"


def _percentiles(entry: StatsEntry) -> str:
    if not entry.num_requests:
        return ""
    return " ".join(f"{entry.get_response_time_percentile(share):7.0f}" for share in (0.5, 0.95, 0.99))
