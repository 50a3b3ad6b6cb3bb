"""Visitors that come at a rate, whether or not others still wait (an open model): SHAPE=search.

The rate rises until one request in a hundred takes longer than P99_MS, counted from the moment at which it
was due. A closed model hides that: slow answers keep its visitors from asking. `loadtests/run` starts this.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import time
from pathlib import Path

import gevent
from gevent.pool import Pool
from locust import User, task

import locustfile
from gates import MAX_FAILED_SHARE
from search import Trial, highest, next_rate
from sightings import seen

TRIAL_S = 10
# Of the highest rate: a load at which a deployment has some room.
CALM_SHARE = 0.7
MAX_WAITING = 400  # requests; more means that the rate is too high, and the trial ends
READS = 0.75  # of all requests; the others count


class Arrival(locustfile.Reader):
    """One of those who come, with a cart. Asks when told to, and not in a loop of its own."""

    abstract = True
    failed = False

    def ask(self, *arguments, **options):
        outcome = super().ask(*arguments, **options)
        self.failed = self.failed or outcome != "ok"
        return outcome

    def come(self) -> None:
        self.failed = False
        (self.look if random.random() < READS else self.count)()


class Arrivals(User):
    """The clock that lets visitors come. Locust starts one of it."""

    fixed_count = 1

    def on_start(self) -> None:
        self.limit_ms = float(os.environ["P99_MS"])
        Arrival.host = self.environment.host
        self.visitors = [self.visitor() for _ in range(64)]

    def visitor(self) -> Arrival:
        visitor = Arrival(self.environment)
        visitor.on_start()
        return visitor

    @task
    def search(self) -> None:
        trials: list[Trial] = []
        self.trial(20, 3)  # connections are opened, and it does not count
        while (rate := next_rate(trials)) is not None:
            trials.append(self.trial(rate, TRIAL_S))
        most = highest(trials)
        calm = self.trial(CALM_SHARE * most, int(os.environ["DURATION"])) if most else None
        report = {
            "limit_ms": self.limit_ms,
            "highest_rate": round(most, 1),
            "calm": calm and {"rate": round(calm.rate, 1), "p50_ms": calm.p50_ms, "p99_ms": calm.p99_ms},
        }
        print(f"loadtest: p99 stays under {self.limit_ms:.0f} ms up to {most:.0f} requests/s", flush=True)
        Path(os.environ["REPORT"]).write_text(json.dumps(report) + "\n")
        self.environment.runner.quit()

    def trial(self, rate: float, seconds: float) -> Trial:
        """Let visitors come at this rate for so long, wait for the last one, and print the result."""
        took_ms: list[float] = []
        failed = 0
        waiting = Pool()

        def serve(due: float) -> None:
            nonlocal failed
            visitor = self.visitors.pop() if self.visitors else self.visitor()
            visitor.come()
            took_ms.append((time.monotonic() - due) * 1000)
            failed += visitor.failed
            self.visitors.append(visitor)

        due = time.monotonic()
        ends = due + seconds
        while due < ends and len(waiting) < MAX_WAITING:
            gevent.sleep(max(0.0, due - time.monotonic()))
            waiting.spawn(serve, due)
            due += random.expovariate(rate)
        gave_up = due < ends
        waiting.join()
        p50_ms, p99_ms = (round(statistics.quantiles(took_ms, n=100)[at], 1) for at in (49, 98))
        in_time = p99_ms <= self.limit_ms and not gave_up and failed <= MAX_FAILED_SHARE * len(took_ms)
        print(
            f"{rate:6.0f} requests/s  p50 {p50_ms:5.1f} ms  p99 {p99_ms:6.1f} ms  {failed} failed  "
            f"{seen.findings['lost']} lost  {'in time' if in_time else 'TOO SLOW'}",
            flush=True,
        )
        return Trial(rate, p50_ms, p99_ms, in_time)
