"""From measurements to the report: medians, spreads, ratios. Pure functions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from bench.systems import HEADLINES, SYSTEMS, WORKS

Measurement = dict[str, Any]
Rounds = list[Measurement]  # of one system and one work, in order
# {"kept": {"read": rounds, ...}, "closed": ...}: three servers behind each balancer.
Balancers = dict[str, dict[str, Rounds]]
LEAST_ROUNDS = 5  # so that one or two bad rounds do not move the median


@dataclass(frozen=True, slots=True)
class Ratio:
    """One of our figures, divided by the best of some peers, or by our own of another work."""

    words: str
    work: str
    goal: float
    ours: str = "hopproof"
    over: str = "none"  # a work of ours, or the language of the peers, or "any"

    def below(self, systems: Iterable[str]) -> list[tuple[str, str]]:
        """Return the (system, work) pairs, the best of which is the divisor."""
        if self.over == "none":
            return [(self.ours, "none")]
        peers = [name for name in systems if not (SYSTEMS[name].is_ours or SYSTEMS[name].in_memory)]
        return [(name, self.work) for name in peers if self.over in ("any", SYSTEMS[name].language)]


RATIOS = {
    "read_vs_best_python_peer": Ratio("read, over the best Python peer", "read", 3.0, over="Python"),
    "write_vs_best_python_peer": Ratio("write, over the best Python peer", "write", 3.0, over="Python"),
    "read_vs_best_peer": Ratio("read, over the best peer", "read", 1.5, over="any"),
    "write_vs_best_peer": Ratio("write, over the best peer", "write", 1.3, over="any"),
    "read_vs_none": Ratio("read, over no session", "read", 0.5),
    "read_memcached_vs_none": Ratio(
        "read with memcached in front, over no session", "read", 0.75, ours="hopproof+memcached"
    ),
}


COSTS = {
    "kept_over_closed": "servers and balancer, connections kept over new",
    "added_over_bare": "what a session adds, over the bare statement",
}
# At most: the CPU of servers and balancer with kept connections, over that with new ones.
KEPT_GOALS = {"none": 0.65, "read": 0.8, "write": 0.85}
# At most: what a session adds, over the bare driver's statement.
BARE = {"read": ("driver_select_8_connections", 1.5), "write": ("driver_update_8_connections", 1.6)}


def measurement(said: str, connections: int, cpu_s: Mapping[str, float] | None = None) -> Measurement:
    """Return the measurement from wrk's last line (see load.lua) and the CPU seconds of each part, if known.

    It has "invalid", a reason, when any answer was not the expected one: then its speed means nothing.
    """
    line = json.loads(said.strip().splitlines()[-1])
    requests, seconds = line["requests"], line["seconds"]
    found: Measurement = {
        "rps": round(requests / seconds, 1),
        "requests": requests,
        "p50_ms": line["p50_ms"],
        "p99_ms": line["p99_ms"],
    }
    if cpu_s is not None:
        # wrk stops while each connection waits for one more answer, which the servers work for as well.
        found["us"] = {part: round(1e6 * used / (requests + connections), 1) for part, used in cpu_s.items()}
    reasons = [
        f"{line[name]} {words}"
        for name, words in (
            ("wrong", "answers with another status"),
            ("broken", "broken connections"),
            ("timeouts", "answers after more than 2 s"),
        )
        if line[name]
    ]
    if not requests:
        reasons.append("no answer at all")
    if reasons:
        found["invalid"] = ", ".join(reasons)
    return found


def lost(acknowledged: int, before: int, after: int) -> int:
    """Return how many acknowledged increments the counters do not show, at least.

    At least, because up to one per connection that was not acknowledged may stand in for a lost one.
    """
    return max(0, acknowledged - (after - before))


def valid(rounds: Rounds) -> Rounds:
    return [one for one in rounds if "invalid" not in one]


def middle(rounds: Rounds) -> float | None:
    """Return the median of the valid rounds, None when there is none."""
    figures = [one["rps"] for one in valid(rounds)]
    return float(f"{median(figures):.4g}") if figures else None


def summary(works: dict[str, Rounds]) -> dict[str, Any]:
    """Return the figures of one system: medians, and the least and the most beside them."""
    found: dict[str, Any] = {}
    for work, rounds in works.items():
        found[f"{work}_rps"] = middle(rounds)
    for work, rounds in works.items():
        if speeds := [one["rps"] for one in valid(rounds)]:
            found.setdefault("spread", {})[work] = [min(speeds), max(speeds)]
        if invalid := [one["invalid"] for one in rounds if "invalid" in one]:
            found.setdefault("invalid", {})[work] = invalid
        acknowledged = sum(one["requests"] for one in rounds if "lost" in one)
        if acknowledged:
            found.setdefault("lost", {})[work] = [sum(one.get("lost", 0) for one in rounds), acknowledged]
    found["us"] = {work: parts(works.get(work, [])) for work in HEADLINES}
    return found


def parts(rounds: Rounds) -> dict[str, float]:
    """Return the CPU of each part, in µs per request: medians of the valid rounds."""
    known = [one["us"] for one in valid(rounds) if "us" in one]
    return {part: round(median(us[part] for us in known), 1) for part in (known[0] if known else ())}


def assembled(
    measured: dict[str, dict[str, Rounds]],
    limits: dict[str, Rounds],
    behind: Balancers,
    asked: dict[str, dict[str, dict[str, float]]],
    versions: dict[str, str],
) -> dict[str, Any]:
    """Return the figures of a report, the raw rounds behind them included."""
    systems = {}
    for name, works in measured.items():
        counted = {f"statements_per_{work}": sql_statements(events) for work, events in asked[name].items()}
        systems[name] = {
            "version": versions.get(name, ""),
            **summary(works),
            **counted,
            "asked_of_mysql": asked[name],
            "workers": SYSTEMS[name].tuned,
        }
    return {
        "systems": systems,
        "ratios": ratios(measured),
        "limits": {name: _limit(rounds) for name, rounds in limits.items()},
        "through_balancer": {name: summary(works) for name, works in behind.items()},
        "kept_over_closed": kept_over_closed(behind),
        "added_over_bare": added_over_bare(measured.get("hopproof", {}), limits),
        "raw": {"systems": measured, "limits": limits, "through_balancer": behind},
    }


def kept_over_closed(behind: Balancers) -> dict[str, dict[str, Any]]:
    """Return the CPU of servers and balancer with kept connections over that with new ones, for each work."""

    def both_us(one: Measurement) -> float:
        return float(one["us"]["server"] + one["us"]["balancer"])

    found = {}
    for work, goal in KEPT_GOALS.items():
        pairs = zip(*(behind.get(name, {}).get(work, []) for name in ("kept", "closed")), strict=True)
        each = [both_us(kept) / both_us(closed) for kept, closed in pairs if len(valid([kept, closed])) == 2]
        if each:
            found[work] = _ratio(each, goal)
    return found


def added_over_bare(ours: dict[str, Rounds], limits: dict[str, Rounds]) -> dict[str, dict[str, Any]]:
    """Return what a session adds to a request, over the bare statement by id, for reading and writing.

    Added: the CPU of server and database with a session, less that without. Bare: of client and database.
    """
    found = {}
    for work, (limit, goal) in BARE.items():
        rounds = (ours.get("none", []), ours.get(work, []), limits.get(limit, []))
        each = [
            (_sum_us(with_it) - _sum_us(without)) / _sum_us(bare)
            for without, with_it, bare in zip(*rounds, strict=False)
            if len(valid([without, with_it])) == 2
        ]
        if each:
            found[work] = _ratio(each, goal)
    return found


def _sum_us(one: Measurement) -> float:
    return float(sum(one["us"].values()))


def _ratio(each: list[float], goal: float) -> dict[str, Any]:
    return {
        "ratio": round(median(each), 2),
        "spread": [round(min(each), 2), round(max(each), 2)],
        "goal": goal,
    }


def _limit(rounds: Rounds) -> dict[str, Any]:
    speeds = [one["rps"] for one in valid(rounds)]
    found = {"rps": middle(rounds), "spread": [min(speeds), max(speeds)] if speeds else []}
    if us := parts(rounds):
        found["us"] = us
    return found


def sql_statements(asked: dict[str, float]) -> float:
    """Return the number of SQL statements in it; pings and the like ("com/…") are none."""
    return round(sum(number for event, number in asked.items() if event.startswith("sql/")), 2)


def ratios(measured: dict[str, dict[str, Rounds]]) -> dict[str, dict[str, Any]]:
    """Return the median, the least and the most of each ratio, made of one round at a time.

    Both figures of a round were measured seconds apart, so a slow minute of the machine hits both.
    The best peer is the one with the highest median of all rounds. A ratio that needs a system that is
    missing, or has no valid round, is left out.
    """
    found = {}
    for name, ratio in RATIOS.items():
        others = {
            other: speed
            for other, work in ratio.below(measured)
            if (speed := middle(measured.get(other, {}).get(work, [])))
        }
        if not others:
            continue
        best = max(others, key=others.__getitem__)
        below = measured[best][dict(ratio.below(measured))[best]]
        above = measured.get(ratio.ours, {}).get(ratio.work, [])
        each = [
            ours["rps"] / theirs["rps"]
            for ours, theirs in zip(above, below, strict=False)
            if len(valid([ours, theirs])) == 2
        ]
        if each:
            found[name] = _ratio(each, ratio.goal) | {"over": best}
    return found


def table(report: dict[str, Any]) -> str:
    """Return the report as lines for a terminal."""
    lines = [f"{'CPU in µs, server + database':32}" + "".join(f"{work:>20}" for work in HEADLINES)]
    for name, found in report["systems"].items():
        lines.append(f"{name:32}" + "".join(f"{in_parts(found['us'][work]):>20}" for work in HEADLINES))
    if report["through_balancer"]:
        lines += ["", f"{'server + balancer + database':32}" + "".join(f"{work:>20}" for work in HEADLINES)]
    for name, found in report["through_balancer"].items():
        line = "".join(f"{in_parts(found['us'][work]):>20}" for work in HEADLINES)
        lines.append(f"{'connections ' + name:32}{line}")
    for name, words in COSTS.items():
        lines += [
            f"{words + ': ' + work:54} {found['ratio']:5.2f}  "
            f"(rounds {found['spread'][0]} to {found['spread'][1]}; "
            f"goal {found['goal']}: {'reached' if found['ratio'] <= found['goal'] else 'missed'})"
            for work, found in report[name].items()
        ]
    if "idle_percent_of_core" in report:
        lines.append(f"nobody visits: {report['idle_percent_of_core']} % of one core")
    lines += ["", f"{'requests/s':24}" + "".join(f"{work:>13}" for work in WORKS)]
    lines[-1] += f"{'SQL/read':>10}{'SQL/write':>10}{'lost':>8}"
    for name, found in report["systems"].items():
        line = f"{name:24}" + "".join(f"{_cell(found, work):>13}" for work in WORKS)
        line += f"{_number(found.get('statements_per_read'), 1):>10}"
        line += f"{_number(found.get('statements_per_write'), 1):>10}"
        line += f"{sum(count for count, _ in found.get('lost', {}).values()):>8,}"
        lines.append(line)
    lines += [f"{name:24} missing: {reason}" for name, reason in report["missing"].items()]
    lines.append("")
    lines += [
        f"{RATIOS[name].words:46} {found['ratio']:5.2f}  ({found['over']}; "
        f"rounds {found['spread'][0]} to {found['spread'][1]}; "
        f"goal {found['goal']}: {'reached' if found['ratio'] >= found['goal'] else 'missed'})"
        for name, found in report["ratios"].items()
    ]
    lines.append("")
    lines += [f"limit: {name:28} {_number(found['rps']):>9}" for name, found in report["limits"].items()]
    for name, found in report["systems"].items():
        for work, reasons in found.get("invalid", {}).items():
            lines.append(f"invalid: {name} {work}, {len(reasons)} rounds, such as: {reasons[0]}")
    return "\n".join(lines)


def _cell(found: dict[str, Any], work: str) -> str:
    speed = found.get(f"{work}_rps")
    if speed is None:
        return "invalid" if work in found.get("invalid", {}) else "–"
    least, most = found["spread"][work]
    return f"{speed:,.0f} ±{100 * (most - least) / 2 / speed:.0f}%"


def in_parts(us: dict[str, float]) -> str:
    """Return the CPU of each part as a sum in words, in µs."""
    return " + ".join(f"{used:,.0f}" for used in us.values()) or "–"


def _number(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"
