"""Takes reports/bench.json over into the repository: measured.json, two charts and a section of DOCUMENT.

loadtests/bench/run publish. A run that left a system out is refused.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.chart import svg
from bench.parts_chart import svg_of_parts
from bench.results import COSTS, LEAST_ROUNDS, RATIOS, in_parts
from bench.systems import HEADLINES, SYSTEMS, WORKS
from generated import replace_section, section

ROOT = Path(__file__).parents[2]
REPORT = ROOT / "reports" / "bench.json"
# The document that shows it.
DOCUMENT = ROOT / "docs" / "performance.md"
MEASURED = Path(__file__).with_name("measured.json")
CHART = ROOT / "docs" / "bench.svg"
PARTS_CHART = ROOT / "docs" / "bench-parts.svg"
SECTION = "bench"

HOW_TO_READ = """\
Medians of {rounds} rounds that take turns, on one machine ({cores} cores, load average {load}). It is shared
and noisy: another hour gives other requests/s, and a bar's thin line shows how far apart the rounds were. So
compare: a ratio is made of one round at a time, of measurements that lie seconds apart. The database is the
same for all, with every acknowledged write on its disk (`innodb_flush_log_at_trx_commit=1`, no binary log, on
a volume). Every server is asked directly, by {connections} connections, and has the workers that were
measured to serve it best. Load, server and database share the cores. The peers lose updates, as
[the comparison](comparison.md) shows; here they are only timed. `make bench` measures again."""


def markdown(measured: dict[str, Any]) -> str:
    """Return the document's section, markers included."""
    systems = measured["systems"]
    words = {"load": " to ".join(f"{load:.1f}" for load in measured["load_average"])}
    lines = [
        "## Side by side with other stores",
        "",
        f"![requests/s of each store, reading and writing]({CHART.relative_to(DOCUMENT.parent)})",
        "",
        "| ratio, in one run | | median | rounds |",
        "|---|---|--:|:-:|",
    ]
    for name, found in measured["ratios"].items():
        rounds = " – ".join(f"{end:.2f}" for end in found["spread"])
        over = SYSTEMS[found["over"]].title if RATIOS[name].over != "none" else ""
        cells = [RATIOS[name].words, over, f"{found['ratio']:.2f}", rounds]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", _goals(measured["ratios"]), "", HOW_TO_READ.format(**measured | words), ""]
    head = [f"{work.words}" for work in WORKS.values()]
    lines.append("| requests/s | " + " | ".join(head) + " | SQL per read / write | lost |")
    lines.append("|---" + "|--:" * (len(head) + 2) + "|")
    for name, found in systems.items():
        cells = [_thousands(found[f"{work}_rps"]) for work in WORKS]
        cells.append(f"{found['statements_per_read']:.1f} / {found['statements_per_write']:.1f}")
        cells.append(_lost(found))
        lines.append(f"| {_title(measured, name)} | {' | '.join(cells)} |")
    lines += [
        "",
        "Lost: increments that were acknowledged and are not in the counter.",
    ]
    lines += [f"{SYSTEMS[name].title}: not measured, {why}." for name, why in measured["missing"].items()]
    limits = ", ".join(
        f"{words} {_thousands(measured['limits'][name]['rps'])}"
        for name, words in LIMITS.items()
        if name in measured["limits"]
    )
    lines += ["", f"The limits, in requests/s: {limits}.", "", *_cost(measured)]
    return section(SECTION, lines)


def _title(measured: dict[str, Any], name: str) -> str:
    version = measured["systems"][name]["version"] if not SYSTEMS[name].is_ours else ""
    return f"{SYSTEMS[name].title} {version}".rstrip()


def _cost(measured: dict[str, Any]) -> list[str]:
    """Return the lines on CPU: of each system, behind the balancer, over the bare driver, and of nobody."""
    heads = " | ".join(WORKS[work].words for work in HEADLINES)
    lines = [
        "## What a request costs, part by part",
        "",
        f"![CPU of each store in µs, reading and writing]({PARTS_CHART.relative_to(DOCUMENT.parent)})",
        "",
        "CPU time by the containers' own accounting, in the same rounds. It moves less than requests/s do.",
        "",
        f"| µs: server + database (+ cache) | {heads} |",
        "|---|--:|--:|--:|",
    ]
    for name, found in measured["systems"].items():
        cells = [in_parts(found["us"][work]) for work in HEADLINES]
        lines.append(f"| {_title(measured, name)} | {' | '.join(cells)} |")
    lines += [
        "",
        "Three of our servers behind the balancer, which keeps connections to them; and the same with a new",
        "connection for each request (`option http-server-close`), in turns:",
        "",
        f"| µs: servers + balancer + database | {heads} |",
        "|---|--:|--:|--:|",
    ]
    for name, words in (("kept", "connections kept"), ("closed", "a new one for each request")):
        found = measured["through_balancer"][name]
        cells = [f"{in_parts(found['us'][w])} ({found[f'{w}_rps']:,.0f}/s)" for w in HEADLINES]
        lines.append(f"| {words} | {' | '.join(cells)} |")
    lines += [
        "",
        "| ratio of CPU, in one round | work | median | rounds | goal, at most |",
        "|---|---|--:|:-:|--:|",
    ]
    lines += [
        f"| {words} | {WORKS[work].words} | {found['ratio']:.2f} | {found['spread'][0]:.2f} – "
        f"{found['spread'][1]:.2f} | {found['goal']:g} |"
        for name, words in COSTS.items()
        for work, found in measured[name].items()
    ]
    bare = ", ".join(
        f"{verb} {in_parts(measured['limits'][f'driver_{verb.lower()}_8_connections']['us'])} µs"
        for verb in ("SELECT", "UPDATE")
    )
    idle = measured["idle"]
    return [
        *lines,
        "",
        f"The bare driver's statement by id, client + database: {bare}.",
        "",
        f"A deployment that nobody visits uses {measured['idle_percent_of_core']:.1f} % of one core:"
        f" the machine was busy for {idle['with_it']:.1f} % of {idle['seconds']} s with it,"
        f" {idle['without_it']:.1f} % without.",
    ]


def _goals(ratios: dict[str, Any]) -> str:
    """Return in one sentence how many of our own goals for these ratios the run met."""
    met = [found["ratio"] >= found["goal"] for found in ratios.values()]
    goals = ", ".join(f"{found['goal']:g}" for found in ratios.values())
    number = sum(met) or "none"
    return f"Of our own goals for these ratios ({goals}, in the order of the table) this run met {number}."


LIMITS = {
    "driver_select_1_connections": "the bare driver's SELECT on one connection",
    "driver_select_8_connections": "on eight in one process",
    "driver_update_1_connections": "its UPDATE",
    "driver_update_8_connections": "on eight",
    "balancer_alone": "the balancer answering by itself",
}


def _thousands(number: float | None) -> str:
    return "–" if number is None else f"{number:,.0f}"


def _lost(found: dict[str, Any]) -> str:
    lost = sum(count for count, _ in found.get("lost", {}).values())
    acknowledged = sum(of for _, of in found.get("lost", {}).values())
    return f"{lost:,} of {acknowledged:,}"


def unfit(report: dict[str, Any]) -> list[str]:
    """Return the reasons against publishing a report."""
    reasons = [
        f"{name} was left out"
        for name in SYSTEMS
        if name not in report["systems"] and name not in report["missing"]
    ]
    if report["rounds"] < LEAST_ROUNDS:
        reasons.append(f"it has {report['rounds']} rounds, expected at least {LEAST_ROUNDS}")
    reasons += [
        f"{name} answered wrongly"
        for name, found in report["systems"].items()
        if SYSTEMS[name].is_ours and found.get("invalid")
    ]
    return reasons


def publish() -> None:
    if not REPORT.exists():
        raise SystemExit(f"bench: there is no {REPORT} to publish\n    run `make bench`")
    report = json.loads(REPORT.read_text(encoding="utf-8"))
    if reasons := unfit(report):
        raise SystemExit(
            f"bench: {REPORT} is not for {DOCUMENT.name}: {'; '.join(reasons)}\n    run `make bench` whole"
        )
    del report["raw"]  # thousands of lines; the spreads stay
    MEASURED.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    CHART.parent.mkdir(exist_ok=True)
    CHART.write_text(svg(report), encoding="utf-8")
    PARTS_CHART.write_text(svg_of_parts(report), encoding="utf-8")
    replace_section(DOCUMENT, SECTION, markdown(report))


if __name__ == "__main__":
    publish()
