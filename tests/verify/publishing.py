"""Takes reports/verify.json over into the repository, if nothing is missing and everything held.

tests/verify/run publish: as measured.json beside this file, and as a section
of the document that shows it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from generated import replace_section, section
from verify.deployment import ROOT
from verify.faults import FAULTS, at_hand, budget_counts
from verify.guarantees import GUARANTEES, spoken, without_meaning
from verify.verdict import SYMBOLS, Cell, number

REPORT = ROOT / "reports" / "verify.json"
# The document that shows it.
DOCUMENT = ROOT / "docs" / "verdict.md"
# An optional part: the setting that starts it, whom the faults that need it strike, and its services.
EXTRAS = {
    "memcached": ("CACHE=memcached", "memcached", ["memcached"]),
    "php": ("PROFILES=polyglot", "a PHP server", ["php"]),
    "group": ("DB=group", "a member of the group or the router", ["keeper"]),
    "frameworks": ("PROFILES=frameworks", "a server of another framework", ["flask", "django", "fastapi"]),
}
FIGURES = ("ok", "refused", "unknown", "recovered in", "longest wait", "service lost")
# Where the figures are kept, by section of the document.
MEASURED = {
    "verify": Path(__file__).with_name("measured.json"),
    **{f"verify-{extra}": Path(__file__).with_name(f"measured-{extra}.json") for extra in EXTRAS},
}


def section_of(measured: Mapping[str, Any]) -> str:
    """Return the name of the document's section that these cells belong to."""
    extra = _extra(measured)
    return f"verify-{extra}" if extra else "verify"


def _extra(measured: Mapping[str, Any]) -> str | None:
    needs = {FAULTS[fault].needs for fault in _judged(measured)}
    return next((extra for extra, (_, _, services) in EXTRAS.items() if needs & {*services}), None)


def _judged(measured: Mapping[str, Any]) -> list[str]:
    faults = {cell["fault"] for cell in measured["cells"]}
    return [fault for fault in FAULTS if fault in faults]


def markdown(measured: Mapping[str, Any]) -> str:
    """Return the document's section, markers included."""
    by_fault = {
        fault: [Cell(**c) for c in measured["cells"] if c["fault"] == fault] for fault in _judged(measured)
    }
    # The cell with most visitors counts the operations of the others as well.
    widest = {f: max(cells, key=lambda c: c.ok + c.refused + c.unknown) for f, cells in by_fault.items()}
    operations = sum(cell.ok + cell.refused + cell.unknown for cell in widest.values())
    hops = sum(cell.hops for cell in widest.values())
    seed = measured["seed"]
    said = spoken(GUARANTEES, _services(measured))
    table = [
        f"| | {' | '.join([*said, *FIGURES])} |",
        f"|---{'|:-:' * len(said)}{'|--:' * len(FIGURES)}|",
        *(_markdown_row(said, cells, widest[fault]) for fault, cells in by_fault.items()),
        "",
    ]
    if extra := _extra(measured):
        setting, victim, _ = EXTRAS[extra]
        missed = [FAULTS[fault].title for fault in at_hand(FAULTS, []) if fault not in by_fault]
        but = f" but {', '.join(missed)}" if missed else ""
        more = [f"- **{name}** {GUARANTEES[name].claim}" for name in said if GUARANTEES[name].needs]
        lines = [
            f"## With `{setting}`",
            "",
            f"The same faults{but}, and those that strike {victim}.",
            "",
            *(more and [*more, ""]),
            *table,
            f"Made by `SEED={seed} {setting} make verify`: {operations:,} operations, {hops:,} hops.",
        ]
        return section(section_of(measured), lines)
    pairs = [(name, FAULTS[fault]) for name in said for fault in by_fault]
    why_not = ", ".join(sorted({why for pair in pairs if (why := without_meaning(*pair))}))
    lines = [
        "## The default deployment",
        "",
        *(f"- **{name}** {GUARANTEES[name].claim}" for name in said),
        "",
        *table,
        f"✓ the guarantee held · – does not apply: {why_not}.",
        f"Made by `SEED={seed} make verify`: {operations:,} operations, of which {hops:,} were answered",
        "by another server than the visitor's last.",
    ]
    return section("verify", lines)


def _services(measured: Mapping[str, Any]) -> list[str]:
    extra = _extra(measured)
    return EXTRAS[extra][2] if extra else []


def _markdown_row(said: Iterable[str], cells: Iterable[Cell], widest: Cell) -> str:
    symbols = {cell.guarantee: SYMBOLS[cell.verdict] for cell in cells}
    counts = f"{widest.ok:,} | {widest.refused:,} | {widest.unknown:,}"
    verdicts = " | ".join(symbols[name] for name in said)
    # Runs of before these were measured have neither.
    felt = " | ".join("–" if s is None else f"{s} s" for s in (widest.longest_wait_s, widest.service_lost_s))
    return f"| {FAULTS[widest.fault].title} | {verdicts} | {counts} | {widest.recovery_s} s | {felt} |"


def unfit(measured: Mapping[str, Any]) -> list[str]:
    """Return the reasons against publishing these cells: missing, left over, broken or void."""
    services = _services(measured)
    faults, said = at_hand(FAULTS, services), spoken(GUARANTEES, services)
    wanted = {(g, f): "n/a" if is_without_meaning(g, f, services) else "held" for g in said for f in faults}
    found = {(cell["guarantee"], cell["fault"]): cell["verdict"] for cell in measured["cells"]}
    return [
        f"{guarantee} under {fault}: {found.get((guarantee, fault), 'missing')}, "
        f"expected {wanted.get((guarantee, fault), 'nothing')}"
        for guarantee, fault in wanted.keys() | found.keys()
        if found.get((guarantee, fault)) != wanted.get((guarantee, fault))
    ]


def is_without_meaning(guarantee: str, fault: str, services: Iterable[str]) -> bool:
    """Say whether a cell has to be n/a in a whole run on a stack with these services."""
    is_uncounted = guarantee == "G10" and not budget_counts(FAULTS[fault], services)
    return is_uncounted or without_meaning(guarantee, FAULTS[fault]) is not None


def publish() -> None:
    if not REPORT.exists():
        raise SystemExit(f"verify: there is no {REPORT} to publish\n    run `make verify`")
    measured = json.loads(REPORT.read_text(encoding="utf-8"))
    if reasons := unfit(measured):
        raise SystemExit(
            f"verify: {REPORT} has {number(reasons, 'cell')} that {DOCUMENT.name} cannot show, such as\n"
            f"    {sorted(reasons)[0]}\n    run `make verify` whole, without ONLY and SABOTEUR"
        )
    shutil.copy(REPORT, MEASURED[section_of(measured)])
    replace_section(DOCUMENT, section_of(measured), markdown(measured))


if __name__ == "__main__":
    publish()
