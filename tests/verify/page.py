"""The page of `make verify`: the matrix, and a timeline and the contradictions of each fault."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from textwrap import shorten

from verify.evidence import Violation
from verify.faults import FAULTS, Fault
from verify.felt import felt
from verify.guarantees import GUARANTEES, SABOTEURS
from verify.history import hops, not_as_asked, shifted
from verify.timeline import Timeline
from verify.trial import Trial
from verify.verdict import SYMBOLS, Cell, number
from verify.visitor import served

TEMPLATE = Path(__file__).with_suffix(".html")
# The smallest contradictions show the cause best. verify.json and the histories have all of them.
SHOWN_SUMMARIES = 12
SHOWN_VIOLATIONS = 3
SHOWN_OPERATIONS = 8


def write(
    cells: Sequence[Cell],
    trials: Mapping[str, Trial],
    seed: str,
    folder: Path,
    saboteur: str | None = None,
    target: str | None = None,
) -> None:
    """Write verify.html into the folder. trials: by the names of their faults. target: the file, if any."""
    (folder / "verify.html").write_text(html(cells, trials, seed, saboteur, target), encoding="utf-8")


def html(
    cells: Sequence[Cell],
    trials: Mapping[str, Trial],
    seed: str,
    saboteur: str | None = None,
    target: str | None = None,
) -> str:
    """Return the page: one file, no script, nothing loaded."""
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=headline(cells),
        introduction=_introduction(trials, seed, saboteur, target),
        summaries=_summaries(cells, trials),
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
        return f"Broken: {counts['broken']} of {number(judged, 'pair')}{void}"
    if counts["void"] or not judged:
        return f"Void: {counts['void']} of {number(judged, 'pair')} prove nothing"
    guarantees, faults = {cell.guarantee for cell in judged}, {cell.fault for cell in judged}
    return f"All held: {number(guarantees, 'guarantee')} under {number(faults, 'fault')}"


def _quoted(fault: Fault) -> str:
    return f"“{escape(fault.title)}”"


def _introduction(trials: Mapping[str, Trial], seed: str, saboteur: str | None, target: str | None) -> str:
    histories = [trial.run.history for trial in trials.values()]
    operations = [o for history in histories for o in history if o.role != "auditor"]
    named = {"SEED": seed, "SABOTEUR": saboteur, "TARGET": target}
    again = " ".join(f"{name}={value}" for name, value in named.items() if value)
    said = [
        f"{number(operations, 'operation')}, answered by {number(set(served(operations)), 'server')}; "
        f"{sum(map(hops, histories)):,} times by another one than the visitor’s last. "
        f"<code>{escape(again)} make verify</code> repeats this schedule."
    ]
    if saboteur:
        broken = SABOTEURS[saboteur]
        said.append(
            f"<b>Sabotaged on purpose:</b> {escape(saboteur)} {escape(broken.how)}. "
            f"{broken.breaks} under {_quoted(FAULTS[broken.under])} has to be broken."
        )
    return "\n".join(f"<p>{sentence}</p>" for sentence in said)


def _summaries(cells: Iterable[Cell], trials: Mapping[str, Trial]) -> str:
    """Return a line for each reason why cells of a fault are broken or void, broken ones first."""
    bad = [cell for cell in cells if cell.verdict in ("broken", "void")]
    alike: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in sorted(bad, key=lambda cell: cell.verdict):
        alike.setdefault((cell.verdict, cell.fault, cell.reason or ""), []).append(cell)
    lines = []
    for (verdict, fault, reason), found in list(alike.items())[:SHOWN_SUMMARIES]:
        names = " ".join(cell.guarantee for cell in found)
        link = f'<a href="#{fault}-{found[0].guarantee}">{names} under {_quoted(trials[fault].fault)}</a>'
        why = escape(shorten(reason, 160, placeholder=" …"))
        lines.append(f"<li>{SYMBOLS[verdict]} <b>{verdict}</b>: {link}: {why}</li>")
    if rest := list(alike)[SHOWN_SUMMARIES:]:
        lines.append(f"<li>and {number(rest, 'reason')} more</li>")
    return f'<ul class="summaries">{chr(10).join(lines)}</ul>' if lines else ""


# The matrix


def _matrix(cells: Sequence[Cell], trials: Mapping[str, Trial]) -> str:
    by_pair = {(cell.guarantee, cell.fault): cell for cell in cells}
    faults = "".join(
        f'<th scope="col"><a href="#{name}">{escape(trial.fault.title)}</a></th>'
        for name, trial in trials.items()
    )
    rows = []
    for name, guarantee in GUARANTEES.items():
        found = [by_pair.get((name, fault)) for fault in trials]
        if any(found):
            claim = f'<th scope="row"><b>{name}</b> {escape(guarantee.claim)}</th>'
            rows.append(f"<tr>{claim}{''.join(map(_matrix_cell, found, trials.values()))}</tr>")
    missed = "".join(f"<td>{sum(map(not_as_asked, t.run.history)):,}</td>" for t in trials.values())
    recovered = "".join(f"<td>{_recovered(trial)}</td>" for trial in trials.values())
    costs = [felt(trial.run) for trial in trials.values()]
    waited = "".join(f"<td>{cost.longest_wait_s:.2f} s</td>" for cost in costs)
    lost = "".join(f"<td>{cost.service_lost_s:.1f} s</td>" for cost in costs)
    return f"""<table class="matrix"><thead><tr><td></td>{faults}</tr></thead><tbody>
{chr(10).join(rows)}
</tbody><tfoot><tr><th scope="row">answers not as asked</th>{missed}</tr>
<tr><th scope="row">recovered in</th>{recovered}</tr>
<tr><th scope="row">longest wait</th>{waited}</tr>
<tr><th scope="row">service lost</th>{lost}</tr></tfoot></table>"""


def _matrix_cell(cell: Cell | None, trial: Trial) -> str:
    if cell is None:
        return "<td></td>"
    why = f"{cell.guarantee} under {_quoted(trial.fault)}: {escape(cell.reason or cell.verdict)}"
    link = f'<a href="#{cell.fault}-{cell.guarantee}" title="{why}">{_verdict(cell)}</a>'
    return f'<td class="{_class(cell)}">{link}</td>'


def _verdict(cell: Cell) -> str:
    return f"{SYMBOLS[cell.verdict]} {cell.verdict}"


def _class(cell: Cell) -> str:
    return "none" if cell.verdict == "n/a" else cell.verdict


def _recovered(trial: Trial) -> str:
    return "never" if trial.recovery_s is None else f"{trial.recovery_s:.1f} s"


# The section of a fault


def _section(name: str, trial: Trial, cells: Sequence[Cell]) -> str:
    timeline = Timeline(
        trial, [o for cell in cells for v in _smallest(cell) for o in v.operations[:SHOWN_OPERATIONS]]
    )
    facts = "".join(f"<dt>{fact}</dt><dd>{escape(value)}</dd>" for fact, value in _facts(trial).items())
    rows = "\n".join(_row(cell, timeline) for cell in cells)
    return f"""<section id="{name}"><h2>{escape(trial.fault.title.capitalize())}</h2>
<dl>{facts}</dl>
{timeline.legend()}
<div class="wide">{timeline.svg()}</div>
<div class="wide"><table class="verdicts"><thead><tr><th>verdict</th><th>guarantee</th>
<th>ok</th><th>unknown</th><th>refused</th><th>hops</th><th>servers</th></tr></thead><tbody>
{rows}
</tbody></table></div></section>"""


def _facts(trial: Trial) -> dict[str, str]:
    history = trial.run.history
    theirs = [o for o in history if o.role != "auditor"]
    missed = [o for o in history if not_as_asked(o)]
    ok = sum(o.is_ok for o in history)
    kinds = Counter(str(o.status or "no answer") for o in missed).most_common()
    shown = f" ({', '.join(f'{number:,} × {kind}' for kind, number in kinds)})" if kinds else ""
    cost = felt(trial.run)
    since = "strike" if trial.fault.heals_itself else "heal"
    return {
        "struck": f"✓ {trial.evidence}" if trial.evidence else f"○ {trial.trouble}",
        "recovered": "✗ never" if trial.recovery_s is None else f"{_recovered(trial)} after the {since}",
        "visitors felt": f"a wait of {cost.longest_wait_s:.2f} s at most, "
        f"{cost.service_lost_s:.1f} s of service lost",
        "operations": f"{len(history):,}: {ok:,} ok, {len(missed):,} not as asked{shown}, "
        f"{len(history) - ok - len(missed):,} excused",
        "answered by": f"{number(set(served(theirs)), 'server')}, {hops(history):,} hops",
    }


def _row(cell: Cell, timeline: Timeline) -> str:
    row = (
        f'<tr id="{cell.fault}-{cell.guarantee}"><td class="{_class(cell)}">{_verdict(cell)}</td>'
        f'<th scope="row"><b>{cell.guarantee}</b> {escape(GUARANTEES[cell.guarantee].claim)}</th>'
    )
    if cell.verdict == "n/a":
        return f'{row}<td colspan="5" class="none">{escape(cell.reason or "")}</td></tr>'
    counts = (cell.ok, cell.unknown, cell.refused, cell.hops, cell.servers)
    row += "".join(f'<td class="number">{count:,}</td>' for count in counts) + "</tr>"
    if cell.verdict == "void":
        row += f'<tr class="story open"><td colspan="7">{escape(cell.reason or "")}</td></tr>'
    if cell.verdict == "broken":
        row += f'<tr class="story"><td colspan="7">{_story(cell, timeline)}</td></tr>'
    return row


def _smallest(cell: Cell) -> list[Violation]:
    """Return the violations with the fewest operations."""
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
            told.append(f"<p>and {number(more, 'operation')} more</p>")
    if others := cell.violations[SHOWN_VIOLATIONS:]:
        told.append(f"<p>and {number(others, 'contradiction')} more; verify.json tells the first ten</p>")
    return "".join(told)
