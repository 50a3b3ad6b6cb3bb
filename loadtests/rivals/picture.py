"""The picture of a comparison: a row per store, a column per condition.

Each cell says its result as text; its colour and its bar repeat that.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from textwrap import wrap
from typing import Any

from rivals.table import CHECKS, title, worst

ROW, TOP, LEFT, COLUMN = 26, 64, 390, 132
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1b1b1b; }
.paper { fill: #fff; } .head { font-size: 12px; } .ours { font-weight: 700; }
rect.lost { fill: #d9822b; } rect.held { fill: #cfe3f7; } rect.none { fill: #eee; }
@media (prefers-color-scheme: dark) {
 text { fill: #e8e8e8; } .paper { fill: #16181b; }
 rect.lost { fill: #a35c12; } rect.held { fill: #17365a; } rect.none { fill: #26292d; }
}
"""


def svg(measured: dict[str, Any]) -> str:
    """Return the picture: which store loses something under which condition; a bar shows the worst share."""
    stores = measured["stores"]
    width, height = LEFT + COLUMN * len(CHECKS) + 10, TOP + ROW * len(stores) + 10
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        "<title>Which store loses what</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{width}" height="{height}"/>',
    ]
    for column, condition in enumerate(CHECKS):
        x = LEFT + COLUMN * column
        for number, words in enumerate(wrap(condition, 19)[:3]):
            lines.append(f'<text class="head" x="{x}" y="{18 + 14 * number}">{escape(words)}</text>')
    for row, (name, store) in enumerate(stores.items()):
        y = TOP + ROW * row
        ours = ' class="ours"' if name == "hopproof" else ""
        lines.append(f'<text{ours} x="8" y="{y + 15}">{escape(title(name, store["version"]))}</text>')
        for column, checks in enumerate(CHECKS.values()):
            lines += _picture_cell(store["checks"], checks, LEFT + COLUMN * column, y)
    return "\n".join([*lines, "</svg>", ""])


def _picture_cell(found: dict[str, Any], checks: Iterable[str], x: int, y: int) -> list[str]:
    judged = [check for check in checks if found[check]["held"] is not None]
    lost = [check for check in judged if not found[check]["held"]]
    room = COLUMN - 8
    if lost:
        share = worst(found, lost)
        kind, words, bar = "lost", f"✗ {len(lost)} of {len(judged)}, {share:.0%}", max(3, room * share)
    else:
        kind, words, bar = ("held", "✓ held", room) if judged else ("none", "n/a", room)
    return [
        f'<rect class="{kind}" x="{x}" y="{y}" width="{bar:.0f}" height="{ROW - 4}" rx="2"/>',
        f'<text x="{x + 6}" y="{y + 15}">{words}</text>',
    ]
