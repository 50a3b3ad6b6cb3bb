"""Three servers behind the balancer: the cost of a request in each part, with kept and with new connections.

And the CPU of the machine while nobody visits.
"""

from __future__ import annotations

import os
import shutil
import time
from functools import partial
from pathlib import Path
from typing import Any

from bench.course import Course
from bench.results import Balancers, Measurement
from bench.systems import HEADLINES, WORKS
from verify.deployment import ROOT

SERVERS = 3
IDLE_S = 60
SETTLES_S = 30
BACKEND = "backend web from servers\n"
# The services of loadtests/bench/compose.yml that differ in one line of haproxy.cfg.
BALANCERS = {"kept": "balancer", "closed": "closed"}


def start_balancers(course: Course) -> None:
    """Return when both balancers use three servers. They have the sessions of the system "hopproof"."""
    closed = course.deployment.folder / "closed"
    shutil.copytree(ROOT / "loadbalancer", closed)
    file = closed / "haproxy.cfg"
    text = file.read_text()
    assert text.count(BACKEND) == 1, f"haproxy.cfg has no line {BACKEND!r}"
    file.write_text(text.replace(BACKEND, f"{BACKEND}    option http-server-close\n"))
    up = ("up", "--detach", "--no-deps", "--force-recreate", "--scale", f"web={SERVERS}")
    course.compose(*up, "web", *BALANCERS.values(), BENCH_CLOSED=str(closed))
    for service in BALANCERS.values():
        course.wait_for_servers(service, SERVERS)


def measure_balancers(course: Course, rounds: int, seconds: int) -> Balancers:
    """Return the rounds behind each balancer, in turns. The first second of each does not count."""
    for balancer in BALANCERS.values():
        _measure(course, balancer, "read", 1)
    found: Balancers = {name: {work: [] for work in HEADLINES} for name in BALANCERS}
    for number in range(rounds):
        turn = list(BALANCERS)[:: -1 if number % 2 else 1]
        for work in HEADLINES:
            for name in turn:
                found[name][work].append(_measure(course, BALANCERS[name], work, seconds))
    return found


def _measure(course: Course, balancer: str, work: str, seconds: int) -> Measurement:
    cookies = ["/tmp/web/spread"] if WORKS[work].sessions else []
    parts = {"server": ("web",), "balancer": (balancer,), "database": ("db",)}
    load = partial(course.load, f"{balancer}:8080", WORKS[work].request, cookies, seconds)
    return course.timed(parts, load)


def measure_idle(course: Course) -> dict[str, Any]:
    """Return the percentage of a core that the deployment uses while nobody visits. Leaves it stopped.

    The machine's busy time over a minute, less that of a minute without the deployment.
    """
    course.stop_all_but("balancer", "web", "db", "janitor")
    busy = _busy_percent()
    course.stop_all_but()
    alone = _busy_percent()
    return {
        "idle_percent_of_core": round(busy - alone, 2),
        "idle": {"seconds": IDLE_S, "with_it": busy, "without_it": alone},
    }


def _busy_percent() -> float:
    time.sleep(SETTLES_S)  # containers that have just started or stopped still work
    before, began = _busy_s(), time.monotonic()
    time.sleep(IDLE_S)
    return round(100 * (_busy_s() - before) / (time.monotonic() - began), 2)


def _busy_s() -> float:
    """Return the CPU seconds of the machine since its start, but for idling and waiting for disks."""
    ticks = [int(number) for number in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")
