"""The verdict of `make verify`, as a page of the report and as a table for the README.

`python -m harness.report` takes reports/verify.json over into the repository, if nothing is missing and
everything held: as measured.json beside this file, and as the README's section.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from textwrap import shorten
from typing import Any

from guarantees import GUARANTEES, NOT_APPLICABLE, SABOTEURS
from harness.checkers import Violation
from harness.deployment import ROOT
from harness.faults import FAULTS, at_hand
from harness.history import hops, shifted
from harness.timeline import Timeline
from harness.trial import Trial, not_as_asked
from harness.verdict import Cell
from harness.visitor import served
from readme import replace_section, section

PAGE = Path(__file__).with_suffix(".html")
SYMBOLS = {"held": "✓", "broken": "✗", "void": "○", "n/a": "–"}
# Who looks for the cause wants the smallest contradictions; verify.json and the histories have all.
SHOWN_SUMMARIES = 12
SHOWN_VIOLATIONS = 3
SHOWN_OPERATIONS = 8


def write(
    cells: Sequence[Cell],
    trials: Mapping[str, Trial],
    seed: str,
    folder: Path,
    saboteur: str | None = None,
) -> None:
    """Write verify.html into the folder. trials: by the names of their faults."""
    (folder / "verify.html").write_text(html(cells, trials, seed, saboteur), encoding="utf-8")


def html(cells: Sequence[Cell], trials: Mapping[str, Trial], seed: str, saboteur: str | None = None) -> str:
    """Return the page: one file, no script, nothing loaded."""
    return Template(PAGE.read_text(encoding="utf-8")).substitute(
        title=headline(cells),
        introduction=_introduction(trials, seed, saboteur),
        summaries=_summaries(cells),
        matrix=_matrix(cells, trials),
        sections="\n".join(
            _section(name, trial, [cell for cell in cells if cell.fault == name])
            for name, trial in trials.items()
        ),
    )


def headline(cells: Iterable[Cell]) -> str:
    """Return the verdict on all cells in one line."""
    judged = [cell for cell in cells if cell.verdict != "n/a"]
    counts = Counter(cell.verdict for cell in judged)
    if counts["broken"]:
        void = f", {counts['void']} more are void" if counts["void"] else ""
        return f"Broken: {counts['broken']} of {_number(judged, 'pair')}{void}"
    if counts["void"] or not judged:
        return f"Void: {counts['void']} of {_number(judged, 'pair')} prove nothing"
    guarantees, faults = {cell.guarantee for cell in judged}, {cell.fault for cell in judged}
    return f"All held: {_number(guarantees, 'guarantee')} under {_number(faults, 'fault')}"


def _number(things: Collection[object], noun: str) -> str:
    return f"{len(things):,} {noun}{'' if len(things) == 1 else 's'}"


def _quoted(fault: str) -> str:
    return f"“{escape(FAULTS[fault].title)}”"


def _introduction(trials: Mapping[str, Trial], seed: str, saboteur: str | None) -> str:
    histories = [trial.run.history for trial in trials.values()]
    operations = [o for history in histories for o in history if o.role != "auditor"]
    again = f"SEED={seed} SABOTEUR={saboteur}" if saboteur else f"SEED={seed}"
    said = [
        f"{_number(operations, 'operation')}, answered by {_number(set(served(operations)), 'server')}; "
        f"{sum(map(hops, histories)):,} times by another one than the visitor’s last. "
        f"<code>{escape(again)} make verify</code> repeats this schedule."
    ]
    if saboteur:
        broken = SABOTEURS[saboteur]
        said.append(
            f"<b>Sabotaged on purpose:</b> {escape(saboteur)} {escape(broken.how)}. "
            f"{broken.breaks} under {_quoted(broken.under)} has to be broken."
        )
    return "\n".join(f"<p>{sentence}</p>" for sentence in said)


def _summaries(cells: Iterable[Cell]) -> str:
    """Return a line for each reason why cells of a fault are broken or void, broken ones first."""
    bad = [cell for cell in cells if cell.verdict in ("broken", "void")]
    alike: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in sorted(bad, key=lambda cell: cell.verdict):
        alike.setdefault((cell.verdict, cell.fault, cell.reason or ""), []).append(cell)
    lines = []
    for (verdict, fault, reason), found in list(alike.items())[:SHOWN_SUMMARIES]:
        names = " ".join(cell.guarantee for cell in found)
        link = f'<a href="#{fault}-{found[0].guarantee}">{names} under {_quoted(fault)}</a>'
        why = escape(shorten(reason, 160, placeholder=" …"))
        lines.append(f"<li>{SYMBOLS[verdict]} <b>{verdict}</b>: {link}: {why}</li>")
    if rest := list(alike)[SHOWN_SUMMARIES:]:
        lines.append(f"<li>and {_number(rest, 'reason')} more</li>")
    return f'<ul class="summaries">{chr(10).join(lines)}</ul>' if lines else ""


# The matrix


def _matrix(cells: Sequence[Cell], trials: Mapping[str, Trial]) -> str:
    by_pair = {(cell.guarantee, cell.fault): cell for cell in cells}
    faults = "".join(
        f'<th scope="col"><a href="#{name}">{escape(FAULTS[name].title)}</a></th>' for name in trials
    )
    rows = []
    for name, guarantee in GUARANTEES.items():
        found = [by_pair.get((name, fault)) for fault in trials]
        if any(found):
            claim = f'<th scope="row"><b>{name}</b> {escape(guarantee.claim)}</th>'
            rows.append(f"<tr>{claim}{''.join(map(_matrix_cell, found))}</tr>")
    missed = "".join(f"<td>{sum(map(not_as_asked, t.run.history)):,}</td>" for t in trials.values())
    recovered = "".join(f"<td>{_recovered(trial)}</td>" for trial in trials.values())
    return f"""<table class="matrix"><thead><tr><td></td>{faults}</tr></thead><tbody>
{chr(10).join(rows)}
</tbody><tfoot><tr><th scope="row">answers not as asked</th>{missed}</tr>
<tr><th scope="row">recovered in</th>{recovered}</tr></tfoot></table>"""


def _matrix_cell(cell: Cell | None) -> str:
    if cell is None:
        return "<td></td>"
    why = f"{cell.guarantee} under “{FAULTS[cell.fault].title}”: {cell.reason or cell.verdict}"
    link = f'<a href="#{cell.fault}-{cell.guarantee}" title="{escape(why)}">{_verdict(cell)}</a>'
    return f'<td class="{_class(cell)}">{link}</td>'


def _verdict(cell: Cell) -> str:
    return f"{SYMBOLS[cell.verdict]} {cell.verdict}"


def _class(cell: Cell) -> str:
    return "none" if cell.verdict == "n/a" else cell.verdict


def _recovered(trial: Trial) -> str:
    return "never" if trial.recovery_s is None else f"{trial.recovery_s:.1f} s"


# The section of a fault


def _section(name: str, trial: Trial, cells: Sequence[Cell]) -> str:
    fault = FAULTS[name]
    timeline = Timeline(
        fault, trial, [o for cell in cells for v in _smallest(cell) for o in v.operations[:SHOWN_OPERATIONS]]
    )
    facts = "".join(f"<dt>{fact}</dt><dd>{escape(value)}</dd>" for fact, value in _facts(name, trial).items())
    rows = "\n".join(_row(cell, timeline) for cell in cells)
    return f"""<section id="{name}"><h2>{escape(fault.title.capitalize())}</h2>
<dl>{facts}</dl>
{timeline.legend()}
<div class="wide">{timeline.svg()}</div>
<div class="wide"><table class="verdicts"><thead><tr><th>verdict</th><th>guarantee</th>
<th>ok</th><th>unknown</th><th>failed</th><th>hops</th><th>servers</th></tr></thead><tbody>
{rows}
</tbody></table></div></section>"""


def _facts(name: str, trial: Trial) -> dict[str, str]:
    history = trial.run.history
    missed = [o for o in history if not_as_asked(o)]
    ok = sum(o.is_ok for o in history)
    kinds = Counter(str(o.status or "no answer") for o in missed).most_common()
    shown = f" ({', '.join(f'{number:,} × {kind}' for kind, number in kinds)})" if kinds else ""
    slowest_s = max((o.completed - o.invoked for o in history), default=0) / 1e9
    since = "strike" if FAULTS[name].heals_itself else "heal"
    return {
        "struck": f"✓ {trial.evidence}" if trial.evidence else f"○ {trial.trouble}",
        "recovered": "✗ never" if trial.recovery_s is None else f"{_recovered(trial)} after the {since}",
        "operations": f"{len(history):,}: {ok:,} ok, {len(missed):,} not as asked{shown}, "
        f"{len(history) - ok - len(missed):,} excused",
        "answered by": f"{_number(set(served(history)), 'server')}, {hops(history):,} hops, "
        f"the slowest answer after {slowest_s:.1f} s",
    }


def _row(cell: Cell, timeline: Timeline) -> str:
    row = (
        f'<tr id="{cell.fault}-{cell.guarantee}"><td class="{_class(cell)}">{_verdict(cell)}</td>'
        f'<th scope="row"><b>{cell.guarantee}</b> {escape(GUARANTEES[cell.guarantee].claim)}</th>'
    )
    if cell.verdict == "n/a":
        return f'{row}<td colspan="5" class="none">{escape(cell.reason or "")}</td></tr>'
    counts = (cell.ok, cell.unknown, cell.failed, cell.hops, cell.servers)
    row += "".join(f'<td class="number">{count:,}</td>' for count in counts) + "</tr>"
    if cell.verdict == "void":
        row += f'<tr class="story open"><td colspan="7">{escape(cell.reason or "")}</td></tr>'
    if cell.verdict == "broken":
        row += f'<tr class="story"><td colspan="7">{_story(cell, timeline)}</td></tr>'
    return row


def _smallest(cell: Cell) -> list[Violation]:
    """Return the violations that take the fewest operations to tell."""
    return sorted(cell.violations, key=lambda violation: len(violation.operations))[:SHOWN_VIOLATIONS]


def _story(cell: Cell, timeline: Timeline) -> str:
    """Return the smallest offending histories in words, on the clock of the timeline."""
    told = []
    for violation in _smallest(cell):
        operations = shifted(violation.operations[:SHOWN_OPERATIONS], -timeline.start)
        told.append(f"<p><b>{escape(violation.what)}</b></p>")
        told += [
            f'<div class="operation">{timeline.close_up(o, operations)}<code>{escape(str(o))}</code></div>'
            for o in operations
        ]
        if more := violation.operations[SHOWN_OPERATIONS:]:
            told.append(f"<p>and {_number(more, 'operation')} more</p>")
    if others := cell.violations[SHOWN_VIOLATIONS:]:
        told.append(f"<p>and {_number(others, 'contradiction')} more; verify.json tells the first ten</p>")
    return "".join(told)


# The README

REPORT = ROOT / "reports" / "verify.json"
# What some stacks have, and suffer from, that others have not: the setting that brings it, and what it is.
EXTRAS = {
    "memcached": ("CACHE=memcached", "memcached"),
    "php": ("PROFILES=polyglot", "a server in another language"),
}
# Where the figures are kept, by section of the README.
MEASURED = {
    "verify": Path(__file__).with_name("measured.json"),
    **{f"verify-{extra}": Path(__file__).with_name(f"measured-{extra}.json") for extra in EXTRAS},
}


def section_of(measured: Mapping[str, Any]) -> str:
    """Return the name of the README's section that these cells belong to."""
    extra = _extra(measured)
    return f"verify-{extra}" if extra else "verify"


def _extra(measured: Mapping[str, Any]) -> str | None:
    needs = {FAULTS[fault].needs for fault in _judged(measured)}
    return next((extra for extra in EXTRAS if extra in needs), None)


def _judged(measured: Mapping[str, Any]) -> list[str]:
    faults = {cell["fault"] for cell in measured["cells"]}
    return [fault for fault in FAULTS if fault in faults]


def markdown(measured: Mapping[str, Any]) -> str:
    """Return the README's section between its two markers, markers included."""
    by_fault = {
        fault: [Cell(**c) for c in measured["cells"] if c["fault"] == fault] for fault in _judged(measured)
    }
    # The cell of the most visitors has counted what all others have.
    widest = {f: max(cells, key=lambda c: c.ok + c.failed + c.unknown) for f, cells in by_fault.items()}
    operations = sum(cell.ok + cell.failed + cell.unknown for cell in widest.values())
    hops = sum(cell.hops for cell in widest.values())
    seed = measured["seed"]
    table = [
        f"| | {' | '.join(GUARANTEES)} | ok | refused | unknown | recovered in |",
        f"|---{'|:-:' * len(GUARANTEES)}|--:|--:|--:|--:|",
        *(_markdown_row(cells, widest[fault]) for fault, cells in by_fault.items()),
        "",
    ]
    if extra := _extra(measured):
        setting, what = EXTRAS[extra]
        lines = [
            f"The same with `{setting}`, where {what} suffers, too:",
            "",
            *table,
            f"Made by `SEED={seed} {setting} make verify`: {operations:,} operations, {hops:,} hops.",
        ]
        return section(section_of(measured), lines)
    why_not = ", ".join(sorted(set(NOT_APPLICABLE.values())))
    lines = [
        "### Under every fault",
        "",
        "`make verify` lets a crowd of visitors in, has one fault after the other strike, and judges",
        "what every visitor saw, operation by operation:",
        "",
        *(f"- **{name}** {guarantee.claim}" for name, guarantee in GUARANTEES.items()),
        "",
        *table,
        f"✓ held · – does not apply: {why_not} · refused: certainly not done, mostly 409 to the holder",
        "of an ended session · unknown: an error, perhaps done. `reports/verify.html` draws each run.",
        f"Made by `SEED={seed} make verify`: {operations:,} operations, of which {hops:,} were answered",
        "by another server than the visitor's last.",
    ]
    return section("verify", lines)


def _markdown_row(cells: Iterable[Cell], widest: Cell) -> str:
    symbols = {cell.guarantee: SYMBOLS[cell.verdict] for cell in cells}
    counts = f"{widest.ok:,} | {widest.failed:,} | {widest.unknown:,}"
    verdicts = " | ".join(symbols[name] for name in GUARANTEES)
    return f"| {FAULTS[widest.fault].title} | {verdicts} | {counts} | {widest.recovery_s} s |"


def unfit(measured: Mapping[str, Any]) -> list[str]:
    """Return why these cells are not to be shown to everybody: missing, left over, broken or void."""
    extra = _extra(measured)
    faults = at_hand(FAULTS, [extra] if extra else [])
    wanted = {(g, f): "n/a" if (g, f) in NOT_APPLICABLE else "held" for g in GUARANTEES for f in faults}
    found = {(cell["guarantee"], cell["fault"]): cell["verdict"] for cell in measured["cells"]}
    return [
        f"{guarantee} under {fault}: {found.get((guarantee, fault), 'missing')}, "
        f"expected {wanted.get((guarantee, fault), 'nothing')}"
        for guarantee, fault in wanted.keys() | found.keys()
        if found.get((guarantee, fault)) != wanted.get((guarantee, fault))
    ]


def publish() -> None:
    if not REPORT.exists():
        raise SystemExit(f"report: there is no {REPORT} to publish\n    run `make verify`")
    measured = json.loads(REPORT.read_text(encoding="utf-8"))
    if reasons := unfit(measured):
        raise SystemExit(
            f"report: {REPORT} has {_number(reasons, 'cell')} that the README cannot show, such as\n"
            f"    {sorted(reasons)[0]}\n    run `make verify` whole, without ONLY and SABOTEUR"
        )
    shutil.copy(REPORT, MEASURED[section_of(measured)])
    replace_section(section_of(measured), markdown(measured))


if __name__ == "__main__":
    publish()
