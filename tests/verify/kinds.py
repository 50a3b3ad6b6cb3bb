"""The kinds of visitors, each with the function for one visit and the number of them.

A visit draws its operations from its dice, so the same seed repeats the same schedule. README.md has a
paragraph for each kind.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from verify.history import Operation, digest
from verify.scene import Scene
from verify.subject import Subject
from verify.tab import Tab

# Operations of one shopper in one session: few enough for 64 KiB, and for the search for an order.
VISIT_LENGTH = 40
TABS = 3
OPERATIONS_PER_TAB = 10
ARRIVALS_PER_S = 10
# All that come while a frozen server holds an answer back.
MOST_ARRIVALS = 200


def shop(scene: Scene, tab: Tab, dice: random.Random) -> None:
    """One tab in one session: reads, sets, counts, appends."""
    visit = tab.visit
    tab.do("add", "n")
    for number in range(VISIT_LENGTH):
        if not scene.goes_on(dice):
            break
        _anything(tab, dice, "last", f"{visit}|{number}")
    scene.end_visit(tab)


def open_tabs(scene: Scene, tab: Tab, dice: random.Random) -> None:
    """Several tabs at once on one session."""
    visit = tab.visit
    tab.do("add", "n")
    if tab.visitor.session_id is None:
        scene.wait(0.2)  # no session was created, so there is nothing to share
        return
    scripts = [random.Random(dice.random()) for _ in range(TABS)]
    start = threading.Barrier(TABS)

    def click(number: int) -> None:
        mine, my_dice = tab.another(number), scripts[number]
        start.wait()
        for i in range(OPERATIONS_PER_TAB):
            register = my_dice.choice(["last", f"own-{number}"])
            _anything(mine, my_dice, register, f"{visit}|{number}.{i}")
            scene.goes_on(my_dice)
        mine.visitor.leave()

    _at_once(*(lambda n=n: click(n) for n in range(TABS)))
    scene.end_visit(tab)


def leave(scene: Scene, tab: Tab, dice: random.Random) -> None:
    """Log in and out while slower tabs still hold the old id."""
    visit = tab.visit
    tab.do("add", "n")
    before_login = tab.another(1)
    if not tab.do("login", value=visit).is_ok:
        scene.wait(0.2)
        return  # then both outcomes are correct, and the rest proves nothing
    scene.bury(tab, before_login.visitor.session_id)
    before_login.do("add", "n", dares=True)
    before_login.do("read")
    tab.do("set", "last", f"{visit}|1")
    tab.do("read")
    scene.goes_on(dice)

    late, later = tab.another(2), tab.another(3)
    session_id = tab.visitor.session_id
    delays = [dice.uniform(0, 0.01) for _ in range(3)]

    def after(delay_s: float, act: Callable[[], object]) -> Callable[[], object]:
        return lambda: (time.sleep(delay_s), act())

    _at_once(
        after(delays[0], lambda: tab.do("logout")),
        after(delays[1], lambda: late.do("add", "n", dares=True)),
        after(delays[2], lambda: later.do("set", "last", f"{visit}|2", dares=True)),
    )
    scene.bury(tab, session_id)
    for number in range(2):
        tab.with_id(session_id).do("read")
        _append(tab.with_id(session_id, 10 + number), f"{visit}|{number}", dares=True)
    for _ in range(5):
        scene.goes_on(dice)


def leave_everywhere(scene: Scene, tab: Tab, dice: random.Random) -> None:
    """Log in on two devices, and end both from one."""
    visit = tab.visit
    other = tab.with_id(None, 1)
    tab.do("login", value=visit)
    other.do("login", value=visit)
    ids = [tab.visitor.session_id, other.visitor.session_id]
    ended = tab.do("logout-everywhere", dares=True)
    for number, session_id in enumerate(ids):
        if session_id is not None and ended.is_ok:
            if session_id != ids[0]:
                # The same answer acknowledged the end of the other device's session.
                other.note(ended, tab=1, sent_id=digest(session_id))
            scene.bury(tab, session_id)
            tab.with_id(session_id).do("read")
            tab.with_id(session_id, 10 + number).do("add", "n", dares=True)
    for _ in range(10):
        scene.goes_on(dice)


def expire(scene: Scene, tab: Tab, dice: random.Random) -> None:
    """Come back after the session has expired."""
    visit = tab.visit
    first = _append(tab, f"{visit}|0")
    session_id = tab.visitor.session_id
    if session_id is not None and scene.subject.expire(session_id, scene.wait):
        aged_ns = time.monotonic_ns()
        tab.note(first, act="expire", sent_id=digest(session_id), invoked=aged_ns, completed=aged_ns)
        scene.bury(tab, session_id)
        tab.do("read")
        _append(tab.with_id(session_id, 10), f"{visit}|1", dares=True)
    scene.wait(1)


def make_up_ids(scene: Scene, tab: Tab, dice: random.Random) -> None:
    """Come without an id, or with one that no visitor was given."""
    real = tab.with_id(None, role="lender")
    real.do("add", "n")
    forged = secrets.token_urlsafe(32)
    lent = real.visitor.session_id or forged
    swapped = lent[:-1].swapcase() + lent[-1]  # the last character has only 16 spellings
    scene.forged_ids += [forged, swapped]
    for session_id in (None, forged, swapped, "short", "x" * 5000, "../../etc/passwd", forged[:-1] + "é"):
        tab.with_id(session_id).do("read")
    tab.with_id(forged).do("add", "n")
    tab.with_id(swapped).do("add", "n")
    for _ in range(5):
        scene.goes_on(dice)


def abort(scene: Scene, tab: Tab, dice: random.Random) -> None:
    """Ask and leave before the answer: the rest of an answer must not reach another visitor."""
    asks = tab.visitor.probe.requests["read"]
    tab.do("set", "last", f"{tab.visit}|0")
    for _ in range(10):
        with (
            contextlib.suppress(OSError),
            tab.visitor.connect() as raw,
        ):
            cookie = f"{tab.visitor.cookie}={tab.visitor.session_id}"
            request = f"{asks.method} {asks.path} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n"
            raw.sendall(request.encode())
            if dice.random() < 0.5:
                raw.recv(20)
        tab.do("read")
        scene.goes_on(dice)


def pass_by(scene: Scene, tab: Tab, dice: random.Random) -> None:
    """Use a route that needs no session."""
    for _ in range(VISIT_LENGTH):
        tab.do("stateless")
        if not scene.goes_on(dice):
            return


def come_on_a_clock(scene: Scene, tab: Tab, dice: random.Random) -> None:
    """Come whether or not others still wait, a new visitor each time (an open model of arrivals)."""

    def come(number: int) -> None:
        mine = tab.with_id(None, visit=f"{tab.visit}-{number}")
        mine.do("add", "n")
        mine.do("read")
        mine.visitor.leave()

    with ThreadPoolExecutor(MOST_ARRIVALS) as threads:
        come_in = [threads.submit(come, number) for number in _until_over(scene)]
        for arrival in come_in:
            arrival.result()


def _until_over(scene: Scene) -> Iterator[int]:
    for number in itertools.count():
        if scene.wait(1 / ARRIVALS_PER_S):
            return
        yield number


# How often a visitor does each, beside the others.
OFTEN = {"read": 5, "set": 3, "remove": 1, "add": 3, "append": 3}


def _anything(tab: Tab, dice: random.Random, register: str, value: str) -> None:
    """Do one of the operations on a session."""
    offered = {act: often for act, often in OFTEN.items() if act in tab.visitor.probe.acts}
    act = dice.choices(list(offered), list(offered.values()))[0]
    match act:
        case "read":
            tab.do("read")
        case "set":
            tab.do("set", register, value)
        case "remove":
            tab.do("remove", register)
        case "add":
            tab.do("add", "n")
        case "append":
            tab.do("append", "items", value)


def _append(tab: Tab, value: str, *, dares: bool = False) -> Operation:
    """Append to a list; count, where there are none."""
    if "append" in tab.visitor.probe.acts:
        return tab.do("append", "items", value, dares=dares)
    return tab.do("add", "n", dares=dares)


def _at_once(*acts: Callable[[], object]) -> None:
    with ThreadPoolExecutor(len(acts)) as threads:
        for done in [threads.submit(act) for act in acts]:
            done.result()


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of visitor. visit: one visit, repeated until the end. number: visitors at once.

    needs: the acts without which it has nothing to do, besides reading and counting.
    """

    visit: Callable[[Scene, Tab, random.Random], None]
    number: int
    needs: frozenset[str] = frozenset()


# By role, the name in the histories.
KINDS = {
    "shopper": Kind(shop, 4),
    "tabs": Kind(open_tabs, 2),
    "leaver": Kind(leave, 2, frozenset({"login", "logout", "set"})),
    "everywhere": Kind(leave_everywhere, 1, frozenset({"login", "logout-everywhere"})),
    "expirer": Kind(expire, 1, frozenset({"expire"})),
    "stranger": Kind(make_up_ids, 1),
    "aborter": Kind(abort, 1, frozenset({"set"})),
    "passer-by": Kind(pass_by, 1, frozenset({"stateless"})),
    "arrival": Kind(come_on_a_clock, 1),
}


def kinds_for(subject: Subject) -> dict[str, Kind]:
    """Return the kinds of visitors that can come."""
    return {
        role: kind
        for role, kind in KINDS.items()
        if kind.needs <= subject.acts and (subject.takes_arrivals or role != "arrival")
    }
