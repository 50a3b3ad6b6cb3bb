"""How rows and figures look: on a terminal, in a pipe, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.bar import Bar
from rich.cells import cell_len, set_cell_size
from rich.console import Console, Group, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from hopproof_operator.table import Row
from hopproof_operator.tally import DAY, HOUR, KIB, MINUTE, Histogram, Tally

# Hexadecimal digits of a key that a line shows: of a million keys, two share them once in 500 tables.
SHORT_KEY = 12
# Name and width of each column. The user's gets the remaining width.
BEFORE = (("KEY", SHORT_KEY),)
BEHIND = (("STATE", -7), ("AGE", 6), ("IDLE", 7), ("EXPIRES", 7), ("SIZE", 8), ("VERSION", 7))
GAP = "  "
LEAST_USER, MOST_USER = 8, 40
STYLES = {"live": "", "expired": "dim", "ended": "dim"}
BAR_NAMES, BAR_WIDTH = 20, 18


def duration(seconds: int) -> str:
    """Return the seconds in at most six characters: 45s, 12m30s, 3h05m, 2d04h, 120d."""
    if seconds < 0:
        return f"-{duration(-seconds)}"
    units = ((DAY, "d", HOUR, "h"), (HOUR, "h", MINUTE, "m"), (MINUTE, "m", 1, "s"))
    for unit, name, part, part_name in units:
        if seconds >= unit:
            whole = f"{seconds // unit}{name}"
            return whole if seconds >= 100 * unit else f"{whole}{seconds % unit // part:02}{part_name}"
    return f"{seconds}s"


def size(count: int) -> str:
    for unit, name in ((KIB**3, "GiB"), (KIB**2, "MiB"), (KIB, "KiB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}" if count < 10 * unit else f"{count // unit} {name}"
    return f"{count} B"


def visible(text: str) -> str:
    """Return the text with control characters spelled out, because visitors choose their names."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def iso(seconds: int) -> str | None:
    """Return the time in ISO 8601, None for a number that is no date."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return None


def as_json(row: Row, idle_timeout_s: int) -> dict[str, Any]:
    return {
        "key": row.key.hex(),
        "user": row.user,
        "state": row.state,
        "version": row.version,
        "bytes": row.json_bytes,
        "age_s": row.age_s,
        "idle_s": row.idle_s(idle_timeout_s),
        "created": iso(row.created_at),
        "created_at": row.created_at,
        "expires": iso(row.expires_at),
        "expires_at": row.expires_at,
        "absolute": iso(row.absolute_at),
        "absolute_at": row.absolute_at,
    }


def redacted(value: Any) -> str:
    """Return the type and size of a JSON value, and nothing of its content."""
    spelled = len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
    match value:
        case dict() | list():
            kind = "object" if isinstance(value, dict) else "array"
            return f"{kind} of {len(value)}, {size(spelled)}"
        case str():
            return f"string, {size(spelled - 2)}"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case _:
            return "null"


class RowLines:
    """Lines for rows, one by one, so that a table of any length takes no memory."""

    def __init__(self, width: int, idle_timeout_s: int) -> None:
        taken = sum(abs(columns) + len(GAP) for _, columns in BEFORE + BEHIND)
        self._user_width = min(max(width - taken, LEAST_USER), MOST_USER)
        self._idle_timeout_s = idle_timeout_s

    def head(self) -> Text:
        names = [name for name, _ in BEHIND]
        return Text(self._line("KEY", "USER", names), style="bold")

    def row(self, row: Row) -> Text:
        is_live = row.state == "live"
        cells = [
            row.state,
            duration(row.age_s),
            duration(row.idle_s(self._idle_timeout_s)) if is_live else "",
            duration(row.expires_at - row.read_at) if is_live else "",
            size(row.json_bytes) if row.state != "ended" else "",
            str(row.version),
        ]
        user = visible(row.user) if row.user is not None else "-"
        return Text(self._line(row.key.hex()[:SHORT_KEY], user, cells), style=STYLES[row.state])

    def _line(self, key: str, user: str, cells: Sequence[str]) -> str:
        if cell_len(user) > self._user_width:
            user = set_cell_size(user, self._user_width - 1) + "…"
        shown = [key.ljust(SHORT_KEY), set_cell_size(user, self._user_width)]
        for cell, (_, width) in zip(cells, BEHIND, strict=True):
            shown.append(cell.ljust(-width) if width < 0 else cell.rjust(width))
        return GAP.join(shown).rstrip()


def figures(tally: Tally, *, with_bars: bool = True) -> RenderableType:
    """Return the counts of a walk; with_bars: also the top users, ages, idle times and sizes."""
    counts = Grid.grid(padding=(0, 2))
    counts.add_column(justify="right", style="bold")
    for number, what in (
        (tally.live, f"live, {size(tally.live_bytes)} of JSON"),
        (tally.logged_in, f"of them logged in, of {len(tally.users):,} users"),
        (tally.expired, "expired, not cleaned yet"),
        (tally.ended, "ended, remembered for a moment"),
    ):
        counts.add_row(f"{number:,}", what)
    if tally.broken:
        counts.add_row(f"{tally.broken:,}", "break the row contract")
    if not with_bars:
        return counts
    parts: list[RenderableType] = [counts]
    if users := tally.top_users():
        names = [(visible(user), count) for user, count in users]
        least = f" (each perhaps {tally.users_missed:,} more)" if tally.users_missed else ""
        parts += ["", _bars({f"live sessions{least}": names})]
    if tally.live:
        parts += [
            "",
            _bars({"age": tally.age.named(), "idle at most": tally.idle.named()}),
            "",
            _bars({"size": tally.size.named()}),
        ]
    return Group(*parts)


def figures_as_json(tally: Tally) -> dict[str, Any]:
    def bars(histogram: Histogram) -> dict[str, int]:
        return dict(histogram.named())

    return {
        "live": tally.live,
        "logged_in": tally.logged_in,
        "users": len(tally.users),
        "expired": tally.expired,
        "ended": tally.ended,
        "live_bytes": tally.live_bytes,
        "top_users": dict(tally.top_users()),
        "top_users_may_miss": tally.users_missed,
        "age": bars(tally.age),
        "idle": bars(tally.idle),
        "size": bars(tally.size),
    }


def _bars(columns: Mapping[str, Sequence[tuple[str, int]]]) -> RenderableType:
    """Return bars side by side: one column of bars per title, all with the same names."""
    grid = Grid.grid(padding=(0, 2))
    grid.add_column(width=BAR_NAMES, no_wrap=True, overflow="ellipsis")
    titles: list[RenderableType] = [""]
    for title in columns:
        grid.add_column(justify="right", min_width=7)
        grid.add_column(width=BAR_WIDTH)
        titles += ["", Text(title, style="bold")]
    grid.add_row(*titles)
    most = [max(1, *(count for _, count in bars)) for bars in columns.values()]
    for row in zip(*columns.values(), strict=True):
        cells: list[RenderableType] = [Text(row[0][0])]
        for (_, count), longest in zip(row, most, strict=True):
            cells += [f"{count:,}", Bar(longest, 0, count, width=BAR_WIDTH, color="cyan")]
        grid.add_row(*cells)
    return grid


def show_line(console: Console, line: Text) -> None:
    if console.is_terminal:
        console.print(line, soft_wrap=True)
    else:
        print(line.plain)  # a pipe may want a million of them, and Rich takes 100 µs for each
