"""A trial as a picture: the operations of each visitor, the servers that answered, and the fault.

Visitors are rows, and each row has a lane per server: a server is recognised by its lane as well as its
colour. A hop is a change of lane, and a dead server an empty lane. One path per visitor and server
keeps thousands of operations small.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from html import escape

from verify.felt import WINDOW_NS, felt
from verify.history import Operation, grouped, not_as_asked
from verify.trial import Trial
from verify.visitor import served

WIDTH = 1200
LEFT = 116  # the names end here, the clock starts here
BARS_TOP, TOP = 28, 70  # answers per second lie between them, the rows below
COLOURS = 9  # in page.html; a tenth server gets the first one again, and a lane of its own


class Timeline:
    """flagged: operations to point at."""

    def __init__(self, trial: Trial, flagged: Iterable[Operation] = ()) -> None:
        history = trial.run.history
        self._trial = trial
        self._flagged = grouped(flagged, lambda o: o.visitor)
        self._servers = list(dict.fromkeys(served(o for o in history if o.role != "auditor")))
        self._lane = 5 if len(self._servers) <= 4 else 4 if len(self._servers) <= 6 else 3
        self._pitch = self._lane * len(self._servers) + 5
        self.start = min((o.invoked for o in history), default=0)
        self._end = max((o.completed for o in history), default=self.start + 1)
        # The visitors of the end, after all others have gone, are shown below them.
        by_visitor = grouped(history, lambda o: o.visitor)
        rows = sorted(by_visitor.items(), key=lambda row: (row[1][0].invoked > trial.run.struck, row[0]))
        self._rows = dict(rows)
        self._bottom = TOP + self._pitch * len(self._rows)

    def svg(self) -> str:
        """Return the picture. Its classes are in page.html."""
        box, name = (
            f"0 0 {WIDTH} {self._bottom + 60}",
            f"{self._trial.fault.title}: which server served which visitor, and when",
        )
        return "\n".join(
            [
                f'<svg class="timeline" viewBox="{box}" role="img" aria-label="{escape(name)}">',
                *(self._shade(number) for number in range(0, len(self._rows), 2)),
                *self._clock(),
                *self._answers_per_second(),
                *(self._row(number, visitor) for number, visitor in enumerate(self._rows)),
                *self._felt(),
                "</svg>",
            ]
        )

    def legend(self) -> str:
        tall = self._lane * len(self._servers) + 2
        entries = [
            f'<svg width="22" height="{tall}"><rect class="shade" width="22" height="{tall}"/>'
            f'<path class="{self.colour(server)}" stroke-width="{self._lane - 1}" '
            f'd="M2 {1 + (lane + 0.5) * self._lane}h18"/></svg>{escape(server)}'
            for lane, server in enumerate(self._servers)
        ]
        entries += [
            f'<svg width="12" height="12"><path class="mark {outcome}" d="{mark(6, 6)}"/></svg>'
            f"not as asked, {outcome}"
            for outcome, mark in MARKS.items()
        ]
        if self._flagged:
            entries.append(
                f'<svg width="12" height="12"><path class="flag" d="{_flag(6, 11)}"/></svg>told below'
            )
        return f'<ul class="legend">{"".join(f"<li>{entry}</li>" for entry in entries)}</ul>'

    def close_up(self, operation: Operation, among: Iterable[Operation]) -> str:
        """Return a bar that shows the time of an operation among those of the others."""
        among = list(among)
        start, end = min(o.invoked for o in among), max(o.completed for o in among)
        per_ns = 120 / max(1, end - start)
        x, wide = (operation.invoked - start) * per_ns, (operation.completed - operation.invoked) * per_ns
        return (
            '<svg width="124" height="12"><rect class="shade" width="124" height="12"/>'
            f'<path class="{self.colour(operation.server)}" stroke-width="8" '
            f'd="M{min(x, 118) + 2:.1f} 6h{max(2, wide):.1f}"/></svg>'
        )

    def colour(self, server: str) -> str:
        """Return the CSS class of a server, "nobody" for the balancer or no answer."""
        return f"s{self._servers.index(server) % COLOURS}" if server in self._servers else "nobody"

    def _x(self, ns: int) -> float:
        return round(LEFT + (WIDTH - LEFT - 12) * (ns - self.start) / (self._end - self.start), 1)

    def _y(self, o: Operation) -> float:
        """The height of an operation in its row: its server's lane, or the middle if no server answered."""
        lane = self._servers.index(o.server) + 0.5 if o.server in self._servers else len(self._servers) / 2
        return 2.5 + lane * self._lane

    def _shade(self, number: int) -> str:
        y = TOP + number * self._pitch
        return f'<rect class="shade" x="{LEFT}" y="{y}" width="{WIDTH - LEFT}" height="{self._pitch}"/>'

    def _clock(self) -> Iterator[str]:
        """The axis of seconds, with the times at which the fault struck and healed."""
        run, recovery_s = self._trial.run, self._trial.recovery_s
        seconds = (self._end - self.start) // 10**9
        for second in range(0, seconds + 1, 5 if seconds <= 60 else 10):
            x = self._x(self.start + second * 10**9)
            yield f'<path class="tick" d="M{x} {BARS_TOP}V{self._bottom}"/>'
            yield f'<text x="{x}" y="{self._bottom + 14}">{second} s</text>'
        struck, healed = self._x(run.struck), self._x(run.healed)
        yield (
            f'<rect class="window" x="{struck}" y="{BARS_TOP}" width="{max(1, healed - struck):.1f}" '
            f'height="{self._bottom - BARS_TOP}"/>'
            f'<path class="edge" d="M{struck} 2V{self._bottom}M{healed} 2V{self._bottom}"/>'
            f'<text class="before" x="{struck - 4}" y="11">struck</text>'
            f'<text x="{healed + 4}" y="11">healed</text>'
        )
        if recovery_s:
            since = run.struck if self._trial.fault.heals_itself else run.healed
            x = self._x(since + round(recovery_s * 1e9))
            yield f'<path class="edge late" d="M{x} 15V{self._bottom}"/>'
            yield f'<text x="{x + 4}" y="24">recovered</text>'

    def _felt(self) -> Iterator[str]:
        """Below the clock: a bar per second of missing service, and the longest wait."""
        run, cost = self._trial.run, felt(self._trial.run)
        top, high = self._bottom + 22, 16
        yield f'<text class="before" x="{LEFT - 6}" y="{top + 12}">service lost</text>'
        for number, share in enumerate(cost.missing):
            x, end = (self._x(run.struck + second * WINDOW_NS) for second in (number, number + 1))
            y, title = top + high * (1 - share), f"<title>{share:.0%} of the answers are missing</title>"
            if share:
                yield (
                    f'<rect class="lost" x="{x}" y="{y:.1f}" width="{end - x:.1f}" '
                    f'height="{high * share:.1f}">{title}</rect>'
                )
        yield f'<path class="tick" d="M{LEFT} {top + high}H{WIDTH - 12}"/>'
        yield f'<text class="before" x="{LEFT - 6}" y="{top + high + 16}">longest wait</text>'
        if cost.longest is not None:
            x, end = self._x(cost.longest.invoked), self._x(cost.longest.completed)
            y = top + high + 12
            yield (
                f'<path class="longest" d="M{x} {y}H{max(x + 2, end)}"/>'
                f'<text x="{max(x + 2, end) + 4}" y="{y + 4}">{cost.longest_wait_s:.2f} s</text>'
            )

    def _answers_per_second(self) -> Iterator[str]:
        """Bars of half a second, of more in a long run, stacked by server."""
        bar_ns = max(500_000_000, (self._end - self.start) // 120)
        bars = [Counter[str]() for _ in range((self._end - self.start) // bar_ns + 1)]
        for o in self._trial.run.history:
            if o.server in self._servers and not not_as_asked(o):
                bars[(o.completed - self.start) // bar_ns][o.server] += 1
        most = max((bar.total() for bar in bars), default=0) or 1
        middle = (BARS_TOP + TOP) / 2
        yield f'<text class="before" x="{LEFT - 6}" y="{middle - 2}">answers as asked</text>'
        per_s = f"up to {most * 10**9 / bar_ns:.0f} a second"
        yield f'<text class="before" x="{LEFT - 6}" y="{middle + 11}">{per_s}</text>'
        wide = self._x(self.start + bar_ns) - LEFT
        tops = [TOP - 3.0] * len(bars)
        for server in self._servers:
            path = ""
            for number, bar in enumerate(bars):
                if tall := round(bar[server] / most * (TOP - BARS_TOP - 4), 1):
                    path += f"M{LEFT + (number + 0.5) * wide:.1f} {tops[number]:.1f}v-{tall}"
                    tops[number] -= tall
            yield f'<path class="{self.colour(server)}" stroke-width="{wide - 1:.1f}" d="{path}"/>'

    def _row(self, number: int, visitor: str) -> str:
        missed = [o for o in self._rows[visitor] if not_as_asked(o)]
        answers = grouped((o for o in self._rows[visitor] if not not_as_asked(o)), lambda o: o.server)
        name = escape(visitor)
        parts = [
            f'<g transform="translate(0 {TOP + number * self._pitch})">'
            f'<text class="before" x="{LEFT - 6}" y="{self._pitch / 2 + 4}">{name}</text>'
        ]
        for server, theirs in answers.items():
            style = f'class="{self.colour(server)}" stroke-width="{self._lane - 1}"'
            parts.append(
                f'<path {style} d="{self._dashes(theirs)}">'
                f"<title>{name}: {len(theirs):,} × {escape(server)}</title></path>"
            )
        if missed:
            parts.append(f'<path class="wait" d="{self._dashes(missed)}"/>')
        for outcome, theirs in grouped(missed, lambda o: o.outcome).items():
            marks = "".join(MARKS[outcome](self._x(o.completed), self._y(o)) for o in theirs)
            title = f"{name}: {len(theirs):,} not as asked, {outcome}"
            parts.append(f'<path class="mark {outcome}" d="{marks}"><title>{title}</title></path>')
        for o in self._flagged.get(visitor, []):
            flag = _flag(self._x(o.invoked), self._y(o))
            parts.append(f'<path class="flag" d="{flag}"><title>{escape(str(o))}</title></path>')
        return "\n".join([*parts, "</g>"])

    def _dashes(self, operations: Iterable[Operation]) -> str:
        """Return a path with a dash per operation, wide enough to be seen."""
        dashes = []
        for o in operations:
            x = self._x(o.invoked)
            dashes.append(f"M{x:g} {self._y(o):g}h{max(1.2, self._x(o.completed) - x):.1f}")
        return "".join(dashes)


def _cross(x: float, y: float) -> str:
    return f"M{x - 2.5:.1f} {y - 2.5:g}l5 5m-5 0l5-5"


def _ring(x: float, y: float) -> str:
    return f"M{x - 2.5:.1f} {y:g}a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0-5 0"


def _flag(x: float, y: float) -> str:
    return f"M{x:.1f} {y:g}l-4.5-9h9z"


MARKS = {"refused": _cross, "unknown": _ring}
