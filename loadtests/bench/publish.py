"""Takes reports/bench.json over into the repository: measured.json, docs/bench.svg and a section of DOCUMENT.

loadtests/bench/run publish. A run that left a system out is refused.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.chart import svg
from bench.results import LEAST_ROUNDS, RATIOS
from bench.systems import SYSTEMS, WORKS
from generated import replace_section, section

ROOT = Path(__file__).parents[2]
REPORT = ROOT / "reports" / "bench.json"
# The document that shows it.
DOCUMENT = ROOT / "docs" / "performance.md"
MEASURED = Path(__file__).with_name("measured.json")
CHART = ROOT / "docs" / "bench.svg"
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
    lines.append("| requests/s | " + " | ".join(head) + " | CPU per read | SQL per read / write | lost |")
    lines.append("|---" + "|--:" * (len(head) + 3) + "|")
    for name, found in systems.items():
        cells = [_thousands(found[f"{work}_rps"]) for work in WORKS]
        cpu = found["cpu_ms_per_read"]
        cells.append(f"{cpu:.2f} ms" if cpu is not None else "–")
        cells.append(f"{found['statements_per_read']:.1f} / {found['statements_per_write']:.1f}")
        cells.append(_lost(found))
        version = found["version"] if not SYSTEMS[name].is_ours else ""
        lines.append(f"| {SYSTEMS[name].title} {version}".rstrip() + " | " + " | ".join(cells) + " |")
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
    lines += ["", f"The limits, in requests/s: {limits}."]
    return section(SECTION, lines)


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
    "hopproof_none_through_balancer": "our one server behind the balancer without a session",
    "hopproof_read_through_balancer": "reading",
    "hopproof_write_through_balancer": "writing",
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
    replace_section(DOCUMENT, SECTION, markdown(report))


if __name__ == "__main__":
    publish()
