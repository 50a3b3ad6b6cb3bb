"""The highest load that a system answers in time, and its latency at 70 % of that.

loadtests/bench/run latency. Visitors come at a rate (loadtests/arrivals.py). Writes reports/latency.json.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from bench.__main__ import chosen, say, start
from bench.course import Course, open_course
from bench.systems import SYSTEMS
from verify.deployment import ROOT

REPORT = ROOT / "reports" / "latency.json"


def main(names: list[str], rounds: int) -> int:
    """Search with every system in turns, and print a line for each search."""
    with open_course() as course:
        timed, missing = start(course, names)
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in timed}
        for number in range(rounds):
            for name in timed:
                found[name].append(search(course, name))
                say(f"round {number + 1}/{rounds} {name}: {json.dumps(found[name][-1])}")
    report = {"systems": found, "missing": missing, "cores": os.cpu_count()}
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(report, indent=1) + "\n")
    say(f"{REPORT.relative_to(ROOT)} is written")
    return 0


def search(course: Course, name: str) -> dict[str, Any]:
    """Return the report of one search, which takes two to four minutes."""
    run = ("run", "--rm", "--no-deps", "-T", "visitors", "--host", f"http://{SYSTEMS[name].host}")
    # Beyond the 240 s that a script of the deployment may take.
    done = subprocess.run(
        [ROOT / "infra/compose", *run],
        env={**os.environ, **course.deployment.variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    reports = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not reports:
        raise RuntimeError(f"the search with {name} ended without a report:\n{done.stdout}{done.stderr}")
    report: dict[str, Any] = json.loads(reports[-1])
    return report


if __name__ == "__main__":
    asked = chosen(sys.argv[1:])
    if not asked.check:
        sys.exit(main(asked.systems, asked.rounds))
