"""Measures every system in interleaved rounds: `python -m bench [SYSTEM...]`, see loadtests/bench/run.

Writes reports/bench.json and shows it as a table. It ends with an error when a measurement of Hopproof is
invalid. A peer that cannot be measured is listed as missing, with the reason.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from typing import Any

from bench import parts
from bench.course import CONNECTIONS, Course, Missing, Timed, open_course
from bench.results import LEAST_ROUNDS, Balancers, Measurement, assembled, measurement, table
from bench.systems import SYSTEMS, WORKS
from rivals.versions import node_version, python_version
from verify.deployment import ROOT

REPORT = ROOT / "reports" / "bench.json"
# Of one measurement.
SECONDS = 1
PACKAGES = {
    "flask-session": "flask-session",
    "flask-session-redis": "flask-session",
    "django-db": "django",
    "django-redis": "django",
    "beaker": "beaker",
}
EXPRESS = ("express-mysql-session", "connect-session-knex", "connect-redis")


def chosen(arguments: list[str]) -> argparse.Namespace:
    """Return the systems and rounds asked for. Exits with 2, and a list of all systems, if one is unknown."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("systems", nargs="*", metavar="SYSTEM")
    parser.add_argument("--check", action="store_true", help="only say whether the names are known")
    asked = parser.parse_args(arguments)
    asked.systems = asked.systems or os.environ.get("SYSTEMS", "").replace(",", " ").split() or list(SYSTEMS)
    for name in asked.systems:
        if name not in SYSTEMS:
            parser.error(f"there is no system {name!r}; expected some of: {' '.join(SYSTEMS)}")
    rounds = os.environ.get("ROUNDS") or str(LEAST_ROUNDS)
    if not (rounds.isascii() and rounds.isdigit() and 1 <= int(rounds) <= 100):
        parser.error(f"ROUNDS={rounds!r} is not a whole number from 1 to 100; try ROUNDS={LEAST_ROUNDS}")
    asked.rounds = int(rounds)
    return asked


def main(names: list[str], rounds: int) -> int:
    began, load_before = time.monotonic(), os.getloadavg()[0]
    say(f"starting {len(names)} systems on one database (about {20 + 4 * len(names)} s)")
    with open_course() as course:
        timed, missing = start(course, names)
        asked = {
            name: {work: course.statements(SYSTEMS[name], work) for work in ("read", "write")}
            for name in timed
        }
        of_what = versions(course, list(timed))
        limits = measure(course, timed, rounds)
        behind, idle = three_servers(course, timed, rounds)
    measured = {name: one.works for name, one in timed.items()}
    report = assembled(measured, limits, behind, asked, of_what)
    report |= idle
    report |= {
        "missing": missing,
        "versions": of_what,
        "measured": time.strftime("%Y-%m-%d"),
        "rounds": rounds,
        "seconds": SECONDS,
        "connections": CONNECTIONS,
        "cores": os.cpu_count(),
        "load_average": [round(load_before, 2), round(os.getloadavg()[0], 2)],
    }
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(report, indent=1) + "\n")
    print("\n" + table(report) + "\n", flush=True)
    say(f"{REPORT.relative_to(ROOT)} after {time.monotonic() - began:.0f} s")
    wrong = [
        name for name, found in report["systems"].items() if SYSTEMS[name].is_ours and "invalid" in found
    ]
    if wrong:
        say(f"measurements of {' and '.join(wrong)} are invalid; the table says why")
    return 1 if wrong else 0


def start(course: Course, names: list[str]) -> tuple[dict[str, Timed], dict[str, str]]:
    """Return the systems that run now, and the reason for each missing one."""
    timed, missing = {}, {}
    for name in names:
        try:
            course.start(SYSTEMS[name])
            timed[name] = Timed(course, SYSTEMS[name])
        except Missing as reason:
            missing[name] = str(reason)
            say(f"{name} is missing: {reason}")
    return timed, missing


def measure(course: Course, timed: dict[str, Timed], rounds: int) -> dict[str, list[Measurement]]:
    """Measure everything once per round; return the limits, and leave the rest in `timed`."""
    limits: dict[str, list[Measurement]] = {}
    round_s = len(timed) * (len(WORKS) * (SECONDS + 0.5) + 2.5) + 5 * (SECONDS + 0.5)
    say(f"{rounds} rounds of about {round_s:.0f} s")
    for number in range(rounds):
        # Another order each time, so that the place in the row does not decide.
        shift = number % len(timed) if timed else 0
        turn = {name: timed[name] for name in [*timed][shift:] + [*timed][:shift]}
        for one in turn.values():
            one.begin_round()
        # The reads of all, then the writes of all: so compared figures lie seconds apart, not minutes.
        for work in WORKS:
            speeds = [f"{name} {one.measure(work, SECONDS)}" for name, one in turn.items()]
            say(f"round {number + 1}/{rounds} {work:9} {'  '.join(speeds)}")
        for one in turn.values():
            one.end_round()
        for limit, found in measure_limits(course).items():
            limits.setdefault(limit, []).append(found)
    return limits


def measure_limits(course: Course) -> dict[str, Measurement]:
    """Return the limits here: the database with a bare driver, the balancer without servers."""
    limits = {
        f"driver_{verb.lower()}_{connections}_connections": course.bare_driver(verb, connections, SECONDS)
        for verb in ("SELECT", "UPDATE")
        for connections in (1, CONNECTIONS)
    }
    alone = course.load("limit:8080", "GET /", [], SECONDS)
    limits["balancer_alone"] = measurement(alone, CONNECTIONS)
    return limits


def three_servers(course: Course, timed: dict[str, Timed], rounds: int) -> tuple[Balancers, dict[str, Any]]:
    """Return the rounds behind each balancer, and the idle figures: both empty without our own server."""
    if "hopproof" not in timed:
        return {}, {}
    course.stop_all_but("web", "balancer", "db", "janitor", "load")
    say(f"{parts.SERVERS} servers behind the balancer, with kept and with new connections: {rounds} rounds")
    parts.start_balancers(course)
    behind = parts.measure_balancers(course, rounds, SECONDS)
    say(f"nobody visits, and nothing runs: {parts.IDLE_S} s each")
    return behind, parts.measure_idle(course)


def versions(course: Course, names: list[str]) -> dict[str, str]:
    """Return the versions of each system, and of the software that they run on."""
    found = {
        "database": "MySQL " + course.deployment.sql("SELECT VERSION()")[0][0].partition("-")[0],
        "python": platform_python(course),
        "load": "wrk " + course.version("wrk --version 2>&1 | cut -d' ' -f2 | head -n1", "load"),
    }
    for name in names:
        if package := PACKAGES.get(name):
            found[name] = python_version(package)
    for name in filter(lambda name: SYSTEMS[name].is_ours, names):
        found[name] = commit()
    if "php-classic" in names:
        found["php-classic"] = course.version("php -r 'echo PHP_VERSION;'", "php-classic")
    for name in set(EXPRESS) & set(names):
        found[name] = node_version(name)
        found["express"] = node_version("express")
        found["node"] = course.version("node --version", name)
    if any(SYSTEMS[name].in_memory for name in names):
        found["valkey"] = course.version("valkey-server --version | grep -o 'v=[0-9.]*' | cut -c3-", "valkey")
    return found


def platform_python(course: Course) -> str:
    return course.version("python --version", "load").removeprefix("Python ")


def commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def say(words: str) -> None:
    print(f"bench: {words}", flush=True)


if __name__ == "__main__":
    asked = chosen(sys.argv[1:])
    if asked.check:
        sys.exit(0)
    try:
        sys.exit(main(asked.systems, asked.rounds))
    except KeyboardInterrupt:
        sys.exit(130)
