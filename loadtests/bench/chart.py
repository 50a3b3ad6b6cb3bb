"""The bar chart of the benchmark: one SVG, no script, legible on light and dark, and without its colours."""

from __future__ import annotations

from html import escape
from typing import Any

from bench.systems import SYSTEMS, WORKS

PANELS = ("read", "write")
WIDTH, LEFT, PANEL, BAR = 900, 284, 304, 168
TOP, ROW, THICK = 62, 30, 15

STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1b1b1b; }
.paper { fill: #fff; } .head { font-weight: 600; font-size: 14px; } .ours { font-weight: 700; }
.small { font-size: 11px; fill: #555; }
rect.ours { fill: #0b5cad; } rect.peer { fill: #d08a2e; } .spread { stroke: #1b1b1b; stroke-width: 1.5; }
.halo { stroke: #fff; stroke-width: 5; }
@media (prefers-color-scheme: dark) {
 text { fill: #e8e8e8; } .paper { fill: #16181b; } .small { fill: #aaa; }
 rect.ours { fill: #6db3ff; } rect.peer { fill: #b9792a; } .spread { stroke: #e8e8e8; }
 .halo { stroke: #16181b; }
}
"""


def svg(measured: dict[str, Any]) -> str:
    """Return the chart of reading and writing over 64 sessions, one row per system."""
    systems = measured["systems"]
    names = [name for name in SYSTEMS if name in systems or name in measured["missing"]]
    height = TOP + ROW * len(names) + 30
    lines = opening(_in_words(measured), STYLE, height)
    lines += heads(24, "requests/s, and times Hopproof’s")
    for row, name in enumerate(names):
        middle = TOP + ROW * row + ROW // 2
        kind = kind_of(name)
        lines.append(row_title(name, middle))
        for panel, work in enumerate(PANELS):
            lines += _bar(measured, name, work, LEFT + panel * PANEL, middle, kind)
    lines.append(
        f'<text class="small" x="{LEFT}" y="{height - 10}">bar: median of {measured["rounds"]} rounds; '
        "thin line: slowest to fastest round; over 64 sessions, 8 connections</text>"
    )
    return "\n".join([*lines, "</svg>", ""])


def kind_of(name: str) -> str:
    return "ours" if SYSTEMS[name].is_ours else "peer"


def row_title(name: str, middle: int) -> str:
    """Return the title of a system, left of its row."""
    title = escape(SYSTEMS[name].title)
    return f'<text class="{kind_of(name)}" x="{LEFT - 12}" y="{middle + 4}" text-anchor="end">{title}</text>'


def opening(words: str, style: str, height: int) -> list[str]:
    """Return the beginning of a chart, with its text for those who do not see it."""
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-labelledby="title"><title id="title">{escape(words)}</title>',
        f"<style>{style}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{height}"/>',
    ]


def heads(y: int, unit: str) -> list[str]:
    """Return the heads of the panels, with the unit below."""
    return [
        line
        for panel, work in enumerate(PANELS)
        for line in (
            f'<text class="head" x="{LEFT + panel * PANEL}" y="{y}">{WORKS[work].words}</text>',
            f'<text class="small" x="{LEFT + panel * PANEL}" y="{y + 18}">{unit}</text>',
        )
    ]


def _bar(measured: dict[str, Any], name: str, work: str, x: int, middle: int, kind: str) -> list[str]:
    found = measured["systems"].get(name, {})
    speed = found.get(f"{work}_rps")
    if speed is None:
        words = "answered wrongly" if found else "not measured"
        return [f'<text class="small" x="{x}" y="{middle + 4}">{words}</text>']
    scale = BAR / max(one["spread"][work][1] for one in measured["systems"].values() if work in one["spread"])
    least, most = (x + scale * end for end in found["spread"][work])
    ours = measured["systems"].get("hopproof", {}).get(f"{work}_rps")
    words = f"{speed:,.0f}" + (f" · {speed / ours:.2f}×" if ours and name != "hopproof" else "")
    return [
        f'<rect class="{kind}" x="{x}" y="{middle - THICK // 2}" width="{max(1.0, scale * speed):.1f}"'
        f' height="{THICK}"/>',
        *(
            f'<line class="{line}" x1="{least:.1f}" x2="{most:.1f}" y1="{middle}" y2="{middle}"/>'
            for line in ("halo", "spread")
        ),
        f'<text class="{kind}" x="{most + 7:.1f}" y="{middle + 4}">{words}</text>',
    ]


def _in_words(measured: dict[str, Any]) -> str:
    speeds = [
        f"{SYSTEMS[name].title} {found['read_rps'] or 0:,.0f} and {found['write_rps'] or 0:,.0f}"
        for name, found in measured["systems"].items()
    ]
    return "Requests/s, reading and writing: " + "; ".join(speeds)
