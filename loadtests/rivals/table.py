"""The results of a comparison as a table: in Markdown for a document, as a page for the report.

loadtests/rivals/run publish takes reports/compare.json over into the repository: measured.json and DOCUMENT.
"""

from __future__ import annotations

import json
import shutil
from html import escape
from pathlib import Path
from typing import Any

from generated import replace_section, section
from rivals.stores import STORES

ROOT = Path(__file__).parents[2]
MEASURED = Path(__file__).parent / "measured.json"
REPORT = ROOT / "reports" / "compare.json"
# The document that shows it.
DOCUMENT = ROOT / "docs" / "comparison.md"
SECTION = "compare"

# condition: {check: (the claim, the word for each case that broke it)}
CHECKS: dict[str, dict[str, tuple[str, str]]] = {
    "one request at a time": {
        "hop": ("what one server wrote every other reads", "not seen"),
        "values": ("a value is read as it was written", "changed"),
        "login": ("the id from before a login is dead", "alive"),
        "logout": ("the id from before a logout is dead", "alive"),
        "expired": ("an expired session is dead before anybody has cleaned", "alive"),
        "forged": ("an id that the visitor made up is not adopted", "adopted"),
        "reading": ("reading leaves no row behind", "left a row"),
        "malformed": ("a malformed cookie is anonymous, not an error", "errors"),
    },
    "two tabs at once": {
        "counters": ("two increments of one counter both count", "lost"),
        "lists": ("two items appended to one list are both there", "lost"),
        "keys": ("two tabs that set different keys both keep theirs", "lost"),
        "read_beside_change": ("a tab that only reads undoes no change of the other", "lost"),
    },
    "a change beside a logout": {
        "logout_together": ("sent together: the session stays dead", "revived"),
        "logout_within_20_ms": ("up to 20 ms apart: the session stays dead", "revived"),
    },
    "a change beside a login": {
        "old_id_after_login": ("the old id stays dead", "alive"),
        "logged_in_after_login": ("the visitor stays logged in", "logged out"),
    },
    "the database, or Redis, is killed": {
        "outage_reads": ("a read is an error, never an empty session", "empty"),
        "outage_changes": ("no change is acknowledged", "acknowledged"),
        "after_outage": ("what was there before is there when it is back", "lost"),
    },
}

INTRO = """\
Each store ran behind the same balancer and database ({servers} servers, {database}), asked by the same
visitors, and set up as its documentation says ([`loadtests/rivals/`](../loadtests/rivals/)). `make compare`
measures again. How often a race is lost depends on the machine; whether it can be lost does not."""


def title(store: str, version: str = "") -> str:
    return STORES[store].title.format(version=f" {version}" if version else "")


def cell(check: dict[str, Any], word: str) -> str:
    """Return what a check found, in words: held, 37 of 200 lost, or n/a."""
    if check["held"] is None:
        return "n/a"
    return "held" if check["held"] else f"{check['lost']} of {check['tried']} {word}"


def notes(measured: dict[str, Any]) -> list[str]:
    """Return why a store has no answer to a check, a line for each."""
    return [
        f"n/a, {title(name)}: {check['reason']}"
        for name, store in measured["stores"].items()
        for check in store["checks"].values()
        if "reason" in check
    ]


def markdown(measured: dict[str, Any]) -> str:
    """Return the document's section, markers included."""
    stores = measured["stores"]
    lines = [
        INTRO.format(**measured),
        "",
        "| | " + " | ".join(title(name, store["version"]) for name, store in stores.items()) + " |",
        "|---" * (len(stores) + 1) + "|",
    ]
    for condition, checks in CHECKS.items():
        lines.append(f"| **{condition}** |" + " |" * len(stores))
        for check, (words, word) in checks.items():
            cells = [cell(store["checks"][check], word) for store in stores.values()]
            lines.append(f"| {words} | " + " | ".join(cells) + " |")
    lines += ["", *(f"{note}." for note in notes(measured))]
    lines += ["", "## How each could do better", ""]
    lines += [f"- {title(name)}: {STORES[name].better}" for name in stores if STORES[name].better]
    return section(SECTION, lines)


STYLE = """
:root { color-scheme: light dark;
  --text: #1b1b1b; --paper: #fff; --line: #c9c9c9; --head: #f0f0f0; --none: #666;
  --held: #0b5cad; --held-paper: #e6f0fb; --lost: #8a3c00; --lost-paper: #fdebd8; }
@media screen and (prefers-color-scheme: dark) { :root {
  --text: #e8e8e8; --paper: #16181b; --line: #44484d; --head: #23262a; --none: #9a9a9a;
  --held: #8ec5ff; --held-paper: #12283f; --lost: #ffb67a; --lost-paper: #40240c; } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--text); background: var(--paper); margin: 2rem auto;
  max-width: 78rem; padding: 0 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; min-width: 60rem; table-layout: fixed; }
thead td { width: 22%; }
th, td { border: 1px solid var(--line); padding: .35rem .55rem; text-align: left; vertical-align: top; }
thead th { background: var(--head); }
tbody th { font-weight: normal; }
tr.condition th { font-weight: 600; background: var(--head); }
td.held { color: var(--held); background: var(--held-paper); }
td.lost { color: var(--lost); background: var(--lost-paper); font-weight: 600; }
td.none { color: var(--none); }
.share { display: block; height: .3rem; margin-top: .25rem; background: currentColor; min-width: 2px; }
@media print { body { margin: 0; max-width: none; font-size: 8pt; } tr { break-inside: avoid; }
  tr.condition { break-after: avoid; }
  th, td { padding: .15rem .4rem; } table { min-width: 0; } .share { height: .2rem; margin-top: 0; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  @page { size: A4 landscape; margin: 12mm; } }
"""


def html(measured: dict[str, Any]) -> str:
    """Return the page: one file, no script, nothing loaded."""
    stores = measured["stores"]
    head = "".join(f'<th scope="col">{escape(title(name, s["version"]))}</th>' for name, s in stores.items())
    rows = []
    for condition, checks in CHECKS.items():
        span = len(stores) + 1
        rows.append(
            f'<tr class="condition"><th colspan="{span}" scope="rowgroup">{escape(condition)}</th></tr>'
        )
        for check, (words, word) in checks.items():
            cells = "".join(_td(store["checks"][check], word) for store in stores.values())
            rows.append(f'<tr><th scope="row">{escape(words)}</th>{cells}</tr>')
    better = "".join(
        f"<li><b>{escape(title(name))}</b>: {_code(STORES[name].better)}</li>"
        for name in stores
        if STORES[name].better
    )
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>What other stores lose</title><style>{STYLE}</style></head><body>
<h1>What other stores lose</h1>
<p>The same visitors, balancer and database ({measured["servers"]} servers, {escape(measured["database"])}),
measured {escape(measured["measured"])}. ✓ nothing was lost, of so many tried; ✗ what was, and a bar of its
share. Races are chances: another machine loses other numbers.</p>
<div class="wide"><table><thead><tr><td></td>{head}</tr></thead><tbody>
{chr(10).join(rows)}
</tbody></table></div>
<p>{"<br>".join(map(escape, notes(measured)))}</p>
<h2>How each could do better</h2><ul>{better}</ul>
</body></html>
"""


def _td(check: dict[str, Any], word: str) -> str:
    text = escape(cell(check, word))
    if check["held"] is None:
        return f'<td class="none">– {text}</td>'
    if check["held"]:
        return f'<td class="held">✓ {text} <small>({check["tried"]})</small></td>'
    share = min(100, round(100 * check["lost"] / check["tried"]))
    return f'<td class="lost">✗ {text}<span class="share" style="width:{share}%"></span></td>'


def _code(text: str) -> str:
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))


def publish() -> None:
    if not REPORT.exists():
        raise SystemExit(f"compare: there is no {REPORT} to publish\n    run `make compare`")
    shutil.copy(REPORT, MEASURED)
    replace_section(DOCUMENT, SECTION, markdown(json.loads(MEASURED.read_text())))


if __name__ == "__main__":
    publish()
