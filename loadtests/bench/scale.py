"""The cost of a large table: `python -m bench.scale`, see loadtests/bench/scale.

The same visitors, with the same sessions, in a small table and in a large one, in turns: the two change
places by RENAME TABLE between windows, so other load of the machine meets both. Then, in every other
window, an operator or the crawler walks the table, or the janitor cleans expired rows away; and at last the
memory of a web server is watched over many requests.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from docker.errors import APIError
from docker.models.containers import Container

from verify.deployment import ROOT, Deployment, freeze, until
from verify.inside import run_inside
from verify.visitor import Visitor

REPORT = ROOT / "reports" / "bench-scale.json"
SMALL = 10_000
SHARES = {"p50": 0.5, "p99": 0.99}
# Their pages (16 KiB each, as ids are spread over the whole table) fit MySQL's default pool of 128 MiB.
VISITORS = 400
THREADS = 4
PAUSE_S = 0.01
WINDOW_S = 8.0
TURNS = 8
# Seconds for which the janitor is watched without any visitor, at most.
ALONE_S = 60
LONGEST_WALK_S = 1800
CRAWLER_PORT = 9100
# The work in every other window.
ON = {"walking": "`hopproof stats`", "crawling": "the crawler", "cleaning": "the janitor cleans"}
KIND = {"read": Visitor.show, "write": lambda visitor: visitor.add("n")}
# 1 KiB of data, like a large cart.
PAYLOAD = "JSON_OBJECT('cart', REPEAT('x', 1000))"


@dataclass
class Window:
    """Answer times of some seconds, in ms, by kind of request."""

    ms: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in KIND})
    failed: list[str] = field(default_factory=list)

    def percentile(self, kind: str, share: float) -> float:
        return statistics.quantiles(self.ms[kind], n=1000, method="inclusive")[round(share * 1000) - 1]


class LiveTraffic:
    """Visitors with a session each; a few of them click at any time."""

    def __init__(self, deployment: Deployment) -> None:
        self.visitors = [deployment.visitor() for _ in range(VISITORS)]
        for visitor in self.visitors:
            answer = visitor.append("cart", "x" * 1000)
            assert answer.status == 200, answer

    def click(self, seconds: float) -> Window:
        window, lock = Window(), threading.Lock()
        end = time.monotonic() + seconds

        def visit(own: list[Visitor], seed: int) -> None:
            dice = random.Random(seed)
            while time.monotonic() < end:
                kind = dice.choice(list(KIND))
                visitor = dice.choice(own)
                answer = KIND[kind](visitor)
                visitor.history.clear()
                with lock:
                    window.ms[kind].append(answer.seconds * 1000)
                    if answer.status != 200:
                        window.failed.append(f"{kind}: {answer.status} from {answer.server} {answer.body}")
                time.sleep(PAUSE_S)

        with ThreadPoolExecutor(THREADS) as pool:
            for number in range(THREADS):
                pool.submit(visit, self.visitors[number::THREADS], number)
        return window


def fill(deployment: Deployment, table: str, rows: int, expires: str) -> None:
    """Insert sessions in the order of their ids, which are spread evenly over the whole range."""
    batch, step = 100_000, 2**63 // rows
    for first in range(0, rows, batch):
        last = min(first + batch, rows) - 1
        deployment.sql(
            f"SET SESSION cte_max_recursion_depth = {batch}; "
            f"INSERT INTO {table} (id, data, version, user, created_at, expires_at, absolute_at) "
            f"WITH RECURSIVE n (n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM n WHERE n < {last}) "
            f"SELECT CONCAT(UNHEX(LPAD(HEX(FLOOR((n + RAND()) * {step})), 16, '0')), RANDOM_BYTES(24)), "
            f"{PAYLOAD}, 1, IF(n % 10 = 0, CONCAT('user', n), NULL), UNIX_TIMESTAMP() - 3600, {expires}, "
            "UNIX_TIMESTAMP() + 36000 FROM n"
        )
    say(f"  {rows:,} rows in {table}")


def swap(deployment: Deployment) -> None:
    """Let the small and the large table change places under the name that the servers know."""
    deployment.sql("RENAME TABLE sessions TO aside, other_sessions TO sessions, aside TO other_sessions")


def by_size(deployment: Deployment, traffic: LiveTraffic, rows: int) -> dict[str, Any]:
    """Return p50 and p99 of reads and writes in both tables. Leaves the large one in place."""
    deployment.sql("CREATE TABLE other_sessions LIKE sessions")
    deployment.sql("INSERT INTO other_sessions SELECT * FROM sessions")
    soon = "UNIX_TIMESTAMP() + 7200 + FLOOR(RAND() * 7200)"
    fill(deployment, "sessions", SMALL - VISITORS, soon)
    fill(deployment, "other_sessions", rows - VISITORS, soon)
    windows: dict[str, list[Window]] = {"small": [], "large": []}
    tables = ["small", "large"]
    for turn in range(TURNS + 1):
        for table in tables:
            traffic.click(1)  # past the first look at a renamed table
            window = traffic.click(WINDOW_S)
            if turn:  # the first turn only brings the pages into the pool
                windows[table].append(window)
                say(f"  {table}: {line(window)}")
            if table == tables[0]:
                swap(deployment)
        tables.reverse()
    if tables[0] == "small":
        swap(deployment)
    return {table: summary(found) for table, found in windows.items()}


def while_cleaning(deployment: Deployment, traffic: LiveTraffic, rows: int) -> dict[str, Any]:
    """Return p99 with the janitor at work and without, in turns, and the lock waits that it caused."""
    say(f"cleaning {rows:,} expired rows in every other window")
    fill(deployment, "sessions", rows, "UNIX_TIMESTAMP() - 60")
    janitor = deployment.container("janitor")
    before, removed_before = locks(deployment), expired(deployment)

    def begin() -> None:
        janitor.unpause()
        until_less(deployment)

    windows = in_turns(traffic, begin, lambda: freeze(janitor))
    during = {name: count - before[name] for name, count in locks(deployment).items()}
    removed = removed_before - expired(deployment)
    janitor.unpause()
    began, left = time.monotonic(), expired(deployment)
    while expired(deployment) and time.monotonic() < began + ALONE_S:
        time.sleep(1)
    seconds = time.monotonic() - began
    freeze(janitor)
    return {
        "rows": rows,
        "removed_in_windows": removed,
        "rows_per_s_alone": round((left - expired(deployment)) / seconds),
        "locks": during,
        **felt(windows),
    }


def while_walking(deployment: Deployment, traffic: LiveTraffic, walk: Walk) -> dict[str, Any]:
    """Return p99 while a program walks the table and without, in turns, and the duration of a walk."""
    say(f"{walk.words} in every other window")
    before = bites(deployment)
    windows = in_turns(traffic, walk.go_on, walk.pause)
    taken = bites(deployment) - before
    say("  on, until a walk has come to its end")

    def has_ended_beside_visitors() -> bool:
        traffic.click(1)
        return walk.has_ended()

    walk.go_on()
    until(has_ended_beside_visitors, f"the end of {walk.words}", LONGEST_WALK_S, rest_s=0)
    walk.pause()
    say(f"  {taken} bites in turns, a walk beside visitors took {walk.seconds:.0f} s")
    return {"bites_in_turns": taken, "seconds_walking": round(walk.seconds), **felt(windows)}


class Walk(ABC):
    """A program that walks the table, with pauses. seconds: for how long, so far."""

    words: str
    service: str

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.seconds = 0.0
        self._went_on_at = 0.0

    @abstractmethod
    def start(self) -> None:
        """Begin to walk, unless a walk is under way."""

    @abstractmethod
    def has_ended(self) -> bool: ...

    def go_on(self) -> None:
        before = bites(self.deployment)
        for container in self._containers("paused"):
            container.unpause()
        self.start()
        until(lambda: bites(self.deployment) > before or self.has_ended(), f"{self.words} at work", 120)
        self._went_on_at = time.monotonic()

    def pause(self) -> None:
        self.seconds += time.monotonic() - self._went_on_at
        for container in self._containers("running"):
            with suppress(APIError):  # it has just finished
                freeze(container)

    def _containers(self, status: str) -> list[Container]:
        return [found for found in self.deployment.containers(self.service) if found.status == status]


class Stats(Walk):
    """`hopproof stats`, and again when it has finished."""

    words = "hopproof stats"
    service = "operator"
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        if self._process is None or self.has_ended():
            environment = {**os.environ, **self.deployment.variables}
            command = [ROOT / "infra/sessions", "stats", "--json"]
            self._process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)

    def has_ended(self) -> bool:
        assert self._process is not None
        code = self._process.poll()
        assert not code, f"hopproof stats: exit {code}"
        return code is not None


class Crawl(Walk):
    """The crawler, with next to no rest between two walks."""

    words = "the crawler"
    service = "crawler"

    def start(self) -> None:
        if not self.deployment.containers(self.service):
            up = ("up", "--detach", "--no-deps", self.service)
            self.deployment.script("infra/compose", *up, CRAWL_PERIOD_S="1")

    def has_ended(self) -> bool:
        ask = f"print(urlopen('http://127.0.0.1:{CRAWLER_PORT}/metrics').read().decode())"
        command = ["python", "-c", f"from urllib.request import urlopen; {ask}"]
        code, output = run_inside(self.deployment.container(self.service), command)
        # Just after the start there is no answer yet.
        return code == 0 and "hopproof_crawl_walk_duration_seconds " in output


def bites(deployment: Deployment) -> int:
    """Return how many bites of the table the read-only database user has read."""
    return deployment.statements_of("operator_reader").get("sql/select", 0)


def in_turns(
    traffic: LiveTraffic, begin: Callable[[], object], end: Callable[[], object]
) -> dict[str, list[Window]]:
    """Return windows without ("off") and with ("on") the work between begin and end."""
    windows: dict[str, list[Window]] = {"off": [], "on": []}
    for turn in range(TURNS):
        for state in ("off", "on") if turn % 2 else ("on", "off"):
            if state == "on":
                begin()
            windows[state].append(traffic.click(WINDOW_S))
            if state == "on":
                end()
            say(f"  {state}: {line(windows[state][-1])}")
    return windows


def felt(windows: dict[str, list[Window]]) -> dict[str, Any]:
    return {
        **{state: summary(found) for state, found in windows.items()},
        # The difference of two halves of the windows without it. No smaller effect can be seen.
        "off_against_off": {
            kind: round(ratio([w.percentile(kind, 0.99) for w in windows["off"]]), 2) for kind in KIND
        },
    }


def ratio(values: list[float]) -> float:
    """Return the larger of the medians of every other value, divided by the smaller."""
    halves = sorted((statistics.median(values[::2]), statistics.median(values[1::2])))
    return halves[1] / halves[0]


def until_less(deployment: Deployment) -> None:
    """Return when the janitor is at work. It may first have to notice that an answer came too late."""
    before = expired(deployment)
    until(lambda: not before or expired(deployment) != before, "the janitor at work", 20, rest_s=0.2)


def expired(deployment: Deployment) -> int:
    return int(deployment.sql("SELECT COUNT(*) FROM sessions WHERE expires_at <= UNIX_TIMESTAMP()")[0][0])


def locks(deployment: Deployment) -> dict[str, int]:
    rows = deployment.sql(
        "SELECT name, count FROM information_schema.innodb_metrics"
        " WHERE name IN ('lock_deadlocks', 'lock_timeouts')"
        " UNION ALL SELECT LOWER(variable_name), variable_value FROM performance_schema.global_status"
        " WHERE variable_name = 'Innodb_row_lock_waits'"
    )
    return {name: int(count) for name, count in rows}


def memory(deployment: Deployment, traffic: LiveTraffic, requests: int) -> list[dict[str, int]]:
    """Return the private memory of the web server's container, in KiB, after so many requests."""
    server = deployment.container("web")
    seen, done = [], 0
    while True:
        _, output = run_inside(server, ["cat", "/proc/1/task/1/children"])
        workers = [pid for pid in output.split() if pid.isdigit()]
        _, output = run_inside(server, ["cat", *(f"/proc/{pid}/smaps_rollup" for pid in workers)])
        private = sum(int(row.split()[1]) for row in output.splitlines() if row.startswith("Private_"))
        seen.append({"requests": done, "private_kib": private})
        say(f"  after {done:,} requests {private:,} KiB")
        if done >= requests:
            return seen
        done += hammer(traffic, requests // 10)


def hammer(traffic: LiveTraffic, requests: int) -> int:
    """Let all threads click without a pause; return how many requests there were."""

    def visit(own: list[Visitor]) -> int:
        for number in range(requests // THREADS):
            visitor = own[number % len(own)]
            answer = visitor.show() if number % 4 else visitor.add("n")
            # 0: the balancer closed a kept connection for idleness just when it was used again.
            assert answer.status in (200, 0), answer
            visitor.history.clear()
        return requests // THREADS

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(visit, [traffic.visitors[number::THREADS] for number in range(THREADS)]))


def summary(windows: list[Window]) -> dict[str, Any]:
    """Return the medians over the windows, and the least and the most of each."""

    def of(kind: str, share: float) -> dict[str, float]:
        values = [window.percentile(kind, share) for window in windows]
        return {"median": statistics.median(values), "least": min(values), "most": max(values)}

    return {
        "failed": [text for window in windows for text in window.failed],
        "requests": sum(len(ms) for window in windows for ms in window.ms.values()),
        **{f"{kind}_{name}_ms": of(kind, share) for kind in KIND for name, share in SHARES.items()},
    }


def line(window: Window) -> str:
    shown = [[f"{window.percentile(kind, share):.1f}" for share in SHARES.values()] for kind in KIND]
    parts = [f"{kind} {' / '.join(ms)} ms" for kind, ms in zip(KIND, shown, strict=True)]
    return ", ".join(
        [*parts, f"{sum(map(len, window.ms.values()))} requests, {len(window.failed)} failed", *window.failed]
    )


def markdown(measured: dict[str, Any]) -> list[str]:
    """Return the tables as they stand in docs/performance.md."""
    lines = ["| p50 / p99 in ms | read | write |", "|---|--:|--:|"]
    lines += [_row(f"{rows:,} sessions", measured["sizes"][str(rows)]) for rows in measured["rows"]]
    for what, title in ON.items():
        lines += [
            "",
            *lines[:2],
            _row("nobody else", measured[what]["off"]),
            _row(title, measured[what]["on"]),
        ]
    return lines


def _row(title: str, found: dict[str, Any]) -> str:
    cells = [
        f"{found[f'{kind}_p50_ms']['median']:.1f} / {found[f'{kind}_p99_ms']['median']:.1f}" for kind in KIND
    ]
    return f"| {title} | {' | '.join(cells)} |"


def say(text: str) -> None:
    print(text, flush=True)


def main() -> int:
    rows, requests = int(os.environ["SESSIONS"]), int(os.environ["REQUESTS"])
    load, began = os.getloadavg()[0], time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hopproof-scale-") as folder:
        deployment = Deployment(Path(folder), os.environ["HOPPROOF_TEST_RUN"], servers=1)
        # A pass that was interrupted by a pause is followed by the next one soon.
        deployment.variables["JANITOR_PERIOD_S"] = "1"
        with deployment:
            freeze(deployment.container("janitor"))
            say(f"{rows:,} sessions beside {SMALL:,}")
            traffic = LiveTraffic(deployment)
            sizes = by_size(deployment, traffic, rows)
            walking = while_walking(deployment, traffic, Stats(deployment))
            crawling = while_walking(deployment, traffic, Crawl(deployment))
            deployment.container("crawler").remove(force=True)
            cleaning = while_cleaning(deployment, traffic, min(rows, 1_000_000))
            say(f"memory of a web server over {requests:,} requests")
            held = memory(deployment, traffic, requests)
            deployment.container("janitor").unpause()
    measured = {
        "rows": [SMALL, rows],
        "sizes": {str(SMALL): sizes["small"], str(rows): sizes["large"]},
        "walking": walking,
        "crawling": crawling,
        "cleaning": cleaning,
        "memory": held,
        "load_before": round(load, 1),
        "seconds": round(time.monotonic() - began),
        "measured": time.strftime("%Y-%m-%d"),
    }
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(measured, indent=1) + "\n")
    say("\n".join(["", *markdown(measured), "", *comparison(measured)]))
    return 0


def comparison(measured: dict[str, Any]) -> list[str]:
    """Return the ratios that show the effect of size and cleaning."""
    small, large = measured["sizes"].values()

    def times(found: dict[str, Any], other: dict[str, Any]) -> str:
        names = [f"{kind}_{name}_ms" for kind in KIND for name in SHARES]
        by = {name: found[name]["median"] / other[name]["median"] for name in names}
        return ", ".join(f"{name[:-3].replace('_', ' ')} {ratio:.2f}" for name, ratio in by.items())

    held = [sample["private_kib"] for sample in measured["memory"]]
    return [
        f"large / small: {times(large, small)}",
        *(
            line
            for what, title in ON.items()
            for line in (
                f"{title} / nobody else: {times(measured[what]['on'], measured[what]['off'])}",
                f"off / off, p99: {measured[what]['off_against_off']}",
            )
        ),
        f"locks while cleaning: {measured['cleaning']['locks']}; "
        f"{measured['cleaning']['rows_per_s_alone']} rows/s removed",
        f"memory: {held[0]:,} KiB, after the first tenth {held[1]:,}, at the end {held[-1]:,}",
    ]


if __name__ == "__main__":
    sys.exit(main())
