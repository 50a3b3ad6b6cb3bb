"""The commands of the operators' tool, one function each."""

from __future__ import annotations

import json
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, cast

from rich.console import Group
from rich.live import Live
from rich.text import Text

from hopproof.handler import SessionConflict
from hopproof.ijson import NotIJson, parse
from hopproof.limits import MAX_LISTED
from hopproof_operator.display import (
    RowLines,
    as_json,
    figures,
    figures_as_json,
    redacted,
    show_line,
    visible,
)
from hopproof_operator.operator import Operator, Refused
from hopproof_operator.table import BrokenRow, Row, share_done
from hopproof_operator.tally import Tally

# Seconds of each refresh of `watch` that are spent on walking the table.
WALKING_S, REFRESH_S = 0.4, 1.0
USED_LAST = 10


def list_rows(operator: Operator, options: Namespace) -> None:
    lines = RowLines(operator.out.width, operator.idle_timeout_s)
    is_first = True
    for row in operator.intact(operator.table.walk(user=options.user)):
        if not _is_asked_for(row, operator, options):
            continue
        if options.json:
            print(json.dumps(as_json(row, operator.idle_timeout_s)))
            continue
        if is_first:
            show_line(operator.out, lines.head())
            is_first = False
        show_line(operator.out, lines.row(row))
    if is_first and not options.json:
        print("no session matches", file=sys.stderr)


def _is_asked_for(row: Row, operator: Operator, options: Namespace) -> bool:
    if options.older is not None and row.age_s <= options.older:
        return False
    is_live = row.state == "live"
    if options.idle is not None and not (is_live and row.idle_s(operator.idle_timeout_s) > options.idle):
        return False
    return options.larger is None or row.json_bytes > options.larger


def show(operator: Operator, options: Namespace) -> None:
    row = _found(operator, options.key, with_data=True)
    if isinstance(row, BrokenRow):
        operator.report(row)
        return
    described = as_json(row, operator.idle_timeout_s)
    data = _data(operator, row)
    if data is not None:
        described["data"] = data if options.values else {name: redacted(data[name]) for name in data}
    text = json.dumps(described, indent=2, ensure_ascii=False)
    if operator.out.is_terminal:
        # JSON escapes the control characters of ASCII that steer a terminal. These are the others.
        operator.out.print_json(
            "".join(c if c.isprintable() or c == "\n" else f"\\u{ord(c):04x}" for c in text)
        )
    else:
        print(text)


def export(operator: Operator, options: Namespace) -> None:
    for row in operator.intact(operator.table.walk(user=options.user, with_data=True)):
        data = _data(operator, row)
        if data is not None or row.state == "ended":
            print(json.dumps(as_json(row, operator.idle_timeout_s) | {"data": data}))


def _data(operator: Operator, row: Row) -> dict[str, Any] | None:
    """Return the data, None of a tombstone. Data that are not I-JSON are reported, and None as well."""
    if row.data is None:
        return None
    try:
        return cast("dict[str, Any]", parse(row.data.encode()))  # an object: the row is intact
    except NotIJson as error:
        operator.report(BrokenRow(row.key, f"its data are not I-JSON: {error}"))
        return None


def _found(operator: Operator, prefix: str, *, with_data: bool = False) -> Row | BrokenRow:
    """Return the one row whose key begins so. Raises Refused."""
    rows = operator.table.find(prefix, with_data=with_data)
    if not rows:
        raise Refused(f"no row has the key {prefix}: unknown, or expired and cleaned", exit_code=1)
    if len(rows) > 1:
        raise Refused(f"several keys begin with {prefix}; add digits", exit_code=1)
    return rows[0]


def end(operator: Operator, options: Namespace) -> None:
    if options.all:
        _end_all(operator, options.yes)
    elif options.user is not None:
        _end_user(operator, options.user, options.yes)
    else:
        _end_one(operator, options.key, options.yes)


def _end_one(operator: Operator, prefix: str, is_sure: bool) -> None:
    row = _found(operator, prefix)
    name = row.key.hex()
    if isinstance(row, BrokenRow):
        whose = f"which is broken: {row.complaint}"
    elif row.state == "live":
        whose = "without a login" if row.user is None else f"of {visible(row.user)}"
    else:
        print(f"{name} is ended already" if row.state == "ended" else f"{name} has expired")
        return
    _ask(operator, f"End the session {name}, {whose}?", is_sure)
    with operator.ending() as handler:
        handler.destroy(row.key)
    print("ended 1 session")


def _end_user(operator: Operator, user: str, is_sure: bool) -> None:
    with operator.ending() as handler:
        count = len(handler.sessions_of_user(user))
    if not count:
        raise Refused(f"{visible(user)} has no live session", exit_code=1)
    more = "at least " if count == MAX_LISTED else ""
    _ask(operator, f"End {more}{_sessions(count)} of {visible(user)}?", is_sure)
    ended = 0
    while True:
        with operator.ending() as handler:
            listed = handler.sessions_of_user(user)
        if not listed:
            break
        for session in listed:
            # One by one, each acknowledged: no number of sessions is too large for the time of one request.
            with operator.ending() as handler:
                ended += handler.end_one_of_user(user, session.key)
    print(f"ended {_sessions(ended)} of {visible(user)}")


def _end_all(operator: Operator, is_sure: bool) -> None:
    count = operator.table.count_unexpired()
    _ask(operator, f"End every session of every user, about {count:,}?", is_sure)
    ended = 0
    for row in operator.with_progress(operator.table.walk(), "ending"):
        if isinstance(row, BrokenRow) or row.state == "live":
            # One by one, each acknowledged: after an interruption the ended ones stay ended.
            with operator.ending() as handler:
                handler.destroy(row.key)
            ended += 1
    print(f"ended {_sessions(ended)}")


def _ask(operator: Operator, question: str, is_sure: bool) -> None:
    """Return if the answer is yes. Raises Refused."""
    if is_sure:
        return
    if not sys.stdin.isatty():
        raise Refused(f"{question} There is no terminal to answer on; if you are sure, add --yes")
    if operator.out.input(f"{question} [y/N] ", markup=False).strip().lower() not in ("y", "yes"):
        raise Refused("nothing was ended", exit_code=1)


def _sessions(count: int) -> str:
    return "1 session" if count == 1 else f"{count:,} sessions"


def stats(operator: Operator, options: Namespace) -> None:
    tally = Tally(operator.idle_timeout_s)
    for row in operator.intact(operator.with_progress(operator.table.walk(), "walking the table")):
        tally.add(row)
    if options.json:
        print(json.dumps(figures_as_json(tally)))
    else:
        operator.out.print(figures(tally))


def clean(operator: Operator, options: Namespace) -> None:
    expired = operator.table.count_expired()
    if options.dry_run:
        print(f"{_rows(expired)} would go")
        return
    try:
        with operator.cleaning() as handler:
            removed = handler.clean()
    except SessionConflict as elsewhere:
        raise Refused(f"{elsewhere}; try again later", exit_code=1) from elsewhere
    print(f"removed {_rows(removed)}")


def _rows(count: int) -> str:
    return "1 expired row" if count == 1 else f"{count:,} expired rows"


def watch(operator: Operator, options: Namespace) -> None:
    if not operator.out.is_terminal:
        raise Refused("watch needs a terminal; for a program: stats --json")
    # Ctrl-C ends it.
    with suppress(KeyboardInterrupt), Live(console=operator.out, auto_refresh=False, screen=True) as live:
        for tally, share in _passes(operator):
            live.update(_watched(operator, tally, share), refresh=True)


def _passes(operator: Operator) -> Iterator[tuple[Tally | None, float]]:
    """Yield, once a second, the tally of the last complete walk, if any, and the share of the next one.

    Each second walks a small table whole and a large one in part, so a large one costs no more.
    """
    whole = None
    while True:
        tally, rows = Tally(operator.idle_timeout_s), operator.table.walk()
        is_walking = True
        while is_walking:
            began = time.monotonic()
            for row in rows:
                if isinstance(row, Row):
                    tally.add(row)
                else:
                    tally.broken += 1
                if time.monotonic() - began > WALKING_S:
                    break
            else:
                is_walking, whole = False, tally
            yield whole, 1.0 if not is_walking else share_done(row.key)
            time.sleep(max(REFRESH_S - (time.monotonic() - began), 0.0))


def _watched(operator: Operator, tally: Tally | None, share: float) -> Group:
    lines = RowLines(operator.out.width, operator.idle_timeout_s)
    title = Text(time.strftime("%H:%M:%S UTC", time.gmtime()), style="dim")
    if share < 1:
        title.append(f"  the {'first' if tally is None else 'next'} walk of the table is at {share:.0%}")
    used = [row for row in operator.table.used_last(USED_LAST) if isinstance(row, Row)]
    parts = ["" if tally is None else figures(tally, with_bars=False), "", Text("used last", style="bold")]
    return Group(title, "", *parts, lines.head(), *map(lines.row, used))
