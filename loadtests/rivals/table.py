"""The results of a comparison as tables: in Markdown for a document, as a page for the report."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

from generated import section
from rivals.stores import STORES

ROOT = Path(__file__).parents[2]
MEASURED = Path(__file__).parent / "measured.json"
REPORT = ROOT / "reports" / "compare.json"
# The document that shows it.
DOCUMENT = ROOT / "docs" / "comparison.md"
PICTURE = ROOT / "docs" / "comparison.svg"
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
    "a server is killed, or the cache emptied": {
        "server_killed": ("no acknowledged increment is lost with a server", "lost"),
        "cache_emptied": ("what was there before is there when the cache is empty", "lost"),
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


def _waited(store: dict[str, Any]) -> str:
    p95_ms = store["checks"]["counters"].get("p95_ms")
    return "n/a" if p95_ms is None else f"{p95_ms:.0f} ms"


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
        *(f"- **{capital(condition)}:** {sentence(stores, checks)}" for condition, checks in CHECKS.items()),
        "",
        f"![which store loses what, and how much of it]({PICTURE.name})",
        "",
        INTRO.format(**measured),
    ]
    for condition, checks in CHECKS.items():
        claims = [words for words, _ in checks.values()]
        shows_waits = condition == "two tabs at once"
        if shows_waits:
            claims.append("p95 of the later of two increments")
        lines += ["", f"### {capital(condition)}", ""]
        lines.append(f"| | {' | '.join(claims)} |")
        lines.append("|---" * (len(claims) + 1) + "|")
        for name, store in stores.items():
            cells = [cell(store["checks"][check], word) for check, (_, word) in checks.items()]
            if shows_waits:
                cells.append(_waited(store))
            lines.append(f"| {title(name, store['version'])} | {' | '.join(cells)} |")
    if told := notes(measured):
        lines += ["", *(f"- {note}." for note in told)]
    lines += ["", "## How each could do better", ""]
    lines += [f"- {title(name)}: {STORES[name].better}" for name in stores if STORES[name].better]
    return section(SECTION, lines)


def capital(words: str) -> str:
    return words[0].upper() + words[1:]


def sentence(stores: dict[str, Any], checks: dict[str, tuple[str, str]]) -> str:
    """Return how many of the other stores broke a claim of these checks, and how often at most."""
    shares = [worst(store["checks"], checks) for name, store in stores.items() if name != "hopproof"]
    losers = len([share for share in shares if share])
    if not losers:
        return f"none of {len(shares)} other stores broke a claim."
    most = f"in up to {max(shares):.0%} of the tries"
    return f"{losers} of {len(shares)} other stores broke a claim, {most}."


def worst(found: dict[str, Any], checks: Iterable[str]) -> float:
    """Return the largest share that a store lost in one of these checks; 0 if it lost nothing."""
    shares = [found[check]["lost"] / found[check]["tried"] for check in checks if found[check]["tried"]]
    return max(shares, default=0)


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
td.held { color: var(--held); background: var(--held-paper); }
td.lost { color: var(--lost); background: var(--lost-paper); font-weight: 600; }
td.none { color: var(--none); }
.share { display: block; height: .3rem; margin-top: .25rem; background: currentColor; min-width: 2px; }
@media print { body { margin: 0; max-width: none; font-size: 8pt; } tr { break-inside: avoid; }
  th, td { padding: .15rem .4rem; } table { min-width: 0; } .share { height: .2rem; margin-top: 0; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  @page { size: A4 landscape; margin: 12mm; } }
"""


def html(measured: dict[str, Any]) -> str:
    """Return the page: one file, no script, nothing loaded."""
    tables = "\n".join(_table(measured["stores"], name, checks) for name, checks in CHECKS.items())
    better = "".join(
        f"<li><b>{escape(title(name))}</b>: {_code(STORES[name].better)}</li>"
        for name in measured["stores"]
        if STORES[name].better
    )
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>What other stores lose</title><style>{STYLE}</style></head><body>
<h1>What other stores lose</h1>
<p>The same visitors, balancer and database ({measured["servers"]} servers, {escape(measured["database"])}),
measured {escape(measured["measured"])}. ✓ nothing was lost, of so many tried; ✗ what was, and a bar of its
share. Races are chances: another machine loses other numbers.</p>
{tables}
<p>{"<br>".join(map(escape, notes(measured)))}</p>
<h2>How each could do better</h2><ul>{better}</ul>
</body></html>
"""


def _table(stores: dict[str, Any], condition: str, checks: dict[str, tuple[str, str]]) -> str:
    head = "".join(f'<th scope="col">{escape(words)}</th>' for words, _ in checks.values())
    rows = []
    for name, store in stores.items():
        cells = "".join(_td(store["checks"][check], word) for check, (_, word) in checks.items())
        rows.append(f'<tr><th scope="row">{escape(title(name, store["version"]))}</th>{cells}</tr>')
    return f"""<h2>{escape(capital(condition))}</h2>
<div class="wide"><table><thead><tr><td></td>{head}</tr></thead><tbody>
{chr(10).join(rows)}
</tbody></table></div>"""


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
