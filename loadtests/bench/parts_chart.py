"""The chart of CPU per request: a stacked bar per system, legible without its colours."""

from __future__ import annotations

from typing import Any

from bench.chart import LEFT, PANEL, PANELS, ROW, THICK, heads, opening, row_title
from bench.results import in_parts
from bench.systems import SYSTEMS

TOP, BAR = 84, 190
# In the order of the stack. Each has a lightness of its own, and its number stands beside the bar.
PARTS = {"server": "server", "database": "database", "cache": "cache, or Redis"}

STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1b1b1b; }
.paper { fill: #fff; } .head { font-weight: 600; font-size: 14px; } .ours { font-weight: 700; }
.small { font-size: 11px; fill: #555; }
rect.server { fill: #0b3d73; } rect.database { fill: #6ea8dc; } rect.cache { fill: #d08a2e; }
rect.part { stroke: #fff; stroke-width: 1; }
@media (prefers-color-scheme: dark) {
 text { fill: #e8e8e8; } .paper { fill: #16181b; } .small { fill: #aaa; }
 rect.server { fill: #9cc9f5; } rect.database { fill: #3f77ad; } rect.cache { fill: #b9792a; }
 rect.part { stroke: #16181b; }
}
"""


def svg_of_parts(measured: dict[str, Any]) -> str:
    """Return the chart of one read and one write, a row per system that was measured."""
    names = [name for name in SYSTEMS if name in measured["systems"]]
    height = TOP + ROW * len(names) + 12
    words = "; ".join(f"{SYSTEMS[name].title} {_words(measured, name, 'read')}" for name in names)
    lines = opening(f"CPU of a read, in µs: {words}", STYLE, height)
    for number, (part, title) in enumerate(PARTS.items()):
        x = LEFT + 100 * number
        lines.append(f'<rect class="part {part}" x="{x}" y="8" width="{THICK}" height="{THICK}"/>')
        lines.append(f'<text x="{x + THICK + 6}" y="20">{title}</text>')
    lines += heads(50, "µs of CPU for one request")
    for row, name in enumerate(names):
        middle = TOP + ROW * row + ROW // 2
        lines.append(row_title(name, middle))
        for panel, work in enumerate(PANELS):
            lines += _bar(measured, name, work, LEFT + panel * PANEL, middle)
    return "\n".join([*lines, "</svg>", ""])


def _bar(measured: dict[str, Any], name: str, work: str, x: float, middle: int) -> list[str]:
    most = max(sum(found["us"][panel].values()) for found in measured["systems"].values() for panel in PANELS)
    # Room for the longest bar's text.
    scale = (BAR - 60) / most
    lines = []
    for part in PARTS:
        width = scale * measured["systems"][name]["us"][work].get(part, 0)
        if width:
            lines.append(
                f'<rect class="part {part}" x="{x:.1f}" y="{middle - THICK // 2}" width="{width:.1f}"'
                f' height="{THICK}"/>'
            )
            x += width
    return [
        *lines,
        f'<text class="small" x="{x + 7:.1f}" y="{middle + 4}">{_words(measured, name, work)}</text>',
    ]


def _words(measured: dict[str, Any], name: str, work: str) -> str:
    us = measured["systems"][name]["us"][work]
    return in_parts(us) if us else "answered wrongly"
