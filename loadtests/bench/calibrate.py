"""Tries the workers of each system: `loadtests/bench/run calibrate [SYSTEM...]`. systems.py gets the best.

Best is the highest product of read and write speed, so a loss in one needs a larger gain in the other.
"""

from __future__ import annotations

import sys
from math import sqrt

from bench.__main__ import chosen, say
from bench.course import Course, Missing, open_course
from bench.results import Measurement, middle
from bench.systems import SYSTEMS

LAPS = 3
SECONDS = 2


def main(names: list[str]) -> int:
    with open_course() as course:
        for name in names:
            try:
                calibrate(course, name)
            except Missing as reason:
                say(f"{name} is missing: {reason}")
    return 0


def calibrate(course: Course, name: str) -> None:
    system = SYSTEMS[name]
    candidates = dict.fromkeys((system.tuned, *system.others))
    found: dict[str, dict[str, list[Measurement]]] = {
        tuned: {"read": [], "write": []} for tuned in candidates
    }
    for _ in range(LAPS):
        for tuned in candidates:
            course.start(system, tuned)
            course.ask(system, "write", 1)
            for work, measurements in found[tuned].items():
                measurements.append(course.measure(system, work, SECONDS))
    speeds = {
        tuned: (middle(works["read"]) or 0.0, middle(works["write"]) or 0.0) for tuned, works in found.items()
    }
    best = max(speeds, key=lambda tuned: speeds[tuned][0] * speeds[tuned][1])
    for tuned, (read, write) in speeds.items():
        mark = "best" if tuned == best else ""
        say(f"{name:22} {tuned:46} read {read:7,.0f}  write {write:7,.0f}  {sqrt(read * write):7,.0f} {mark}")
    course.stop(system)


if __name__ == "__main__":
    asked = chosen(sys.argv[1:])
    if asked.check:
        sys.exit(0)
    try:
        sys.exit(main(asked.systems))
    except KeyboardInterrupt:
        sys.exit(130)
