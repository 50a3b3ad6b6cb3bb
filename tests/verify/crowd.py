"""The visitors of a run: what each kind does, over and over, until the run is over.

Everything they do is drawn from the seed, so the same seed repeats the same schedule of operations;
which server answers, and when, is the world's.
"""

from __future__ import annotations

import contextlib
import random
import secrets
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from verify import table
from verify.deployment import Stack
from verify.history import Operation, Recorder, digest, operation_of
from verify.visitor import Answer, Visitor

# Operations of one shopper in one session; 64 KiB and the search for an order both like it short.
VISIT_LENGTH = 40
TABS = 3
OPERATIONS_PER_TAB = 10
# Seconds between two operations of one tab. On average: a session table is not measured here, it is judged,
# and servers that are busy to the brim fail their checks by themselves.
PACE_S = 0.04

ASK: dict[str, Callable[[Visitor, Any, Any], Answer]] = {
    "read": lambda visitor, key, value: visitor.show(),
    "set": lambda visitor, key, value: visitor.put(key, value),
    "remove": lambda visitor, key, value: visitor.remove(key),
    "add": lambda visitor, key, value: visitor.add(key),
    "append": lambda visitor, key, value: visitor.append(key, value),
    "login": lambda visitor, key, value: visitor.login(value),
    "logout": lambda visitor, key, value: visitor.logout(),
    "logout-everywhere": lambda visitor, key, value: visitor.logout_everywhere(),
    "stateless": lambda visitor, key, value: visitor.stateless(),
}


class Tab:
    """One tab of a visitor: asks, and has the answer recorded."""

    def __init__(self, recorder: Recorder, visitor: Visitor, /, **who: Any) -> None:
        self.visitor = visitor
        self.visit: str = who["visit"]
        self._recorder = recorder
        self._who = who

    def do(self, act: str, key: str | None = None, value: Any = None, *, dares: bool = False) -> Operation:
        sent_id = self.visitor.session_id
        answer = ASK[act](self.visitor, key, value)
        operation = operation_of(answer, sent_id, act=act, key=key, value=value, dares=dares, **self._who)
        self._recorder.add(operation)
        return operation

    def note(self, operation: Operation, **differs: Any) -> None:
        """Record what an operation was for another id, or what was done behind the visitor's back."""
        self._recorder.add(replace(operation, **differs))

    def another(self, number: int) -> Tab:
        """Return another tab of the visitor with the same cookie as now."""
        return Tab(self._recorder, self.visitor.another_tab(), **self._who | {"tab": number})

    def with_id(self, session_id: str | None, number: int = 9, **differs: Any) -> Tab:
        """Return a tab that comes with an id of its own, a dead or a forged one, say."""
        visitor = Visitor(self.visitor.url, session_id)
        return Tab(self._recorder, visitor, **self._who | {"tab": number} | differs)


class Crowd:
    """Visitors in threads of their own, from entering the context to leaving it."""

    def __init__(self, stack: Stack, recorder: Recorder, seed: str) -> None:
        self.stack = stack
        self.recorder = recorder
        self.dead_ids: list[tuple[str, str]] = []  # (visit, id)
        self.forged_ids: list[str] = []
        self.ended_visits: list[Tab] = []  # whose sessions are to hold all that was acknowledged
        self._seed = seed
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._died: list[BaseException] = []

    def __enter__(self) -> Crowd:
        kinds = {
            "shopper": (self._shop, 4),
            "tabs": (self._open_tabs, 2),
            "leaver": (self._leave, 2),
            "everywhere": (self._leave_everywhere, 1),
            "expirer": (self._expire, 1),
            "stranger": (self._make_up_ids, 1),
            "aborter": (self._abort, 1),
            "passer-by": (self._pass_by, 1),
        }
        for role, (visit, number) in kinds.items():
            for i in range(number):
                thread = threading.Thread(target=self._live, args=(role, f"{role}-{i}", visit))
                self._threads.append(thread)
                thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if self._died:
            raise self._died[0]

    def _live(self, role: str, name: str, visit: Callable[[Tab, random.Random], None]) -> None:
        dice = random.Random(f"{self._seed} {name}")
        try:
            for number in range(100_000):
                if self._stop.is_set():
                    return
                who = {"role": role, "visitor": name, "visit": f"{name}.{number}", "tab": 0}
                tab = Tab(self.recorder, self.stack.visitor(), **who)
                visit(tab, dice)
                tab.visitor.leave()
        except BaseException as error:  # a visitor who dies in silence is a run that proves less than it says
            self._died.append(error)

    def _go_on(self, dice: random.Random) -> bool:
        """Rest between two operations. False: the run is over."""
        return not self._stop.wait(dice.uniform(0, 2 * PACE_S))

    # The kinds

    def _shop(self, tab: Tab, dice: random.Random) -> None:
        """One tab in one session: reads, sets, counts, appends."""
        visit = tab.visit
        tab.do("add", "n")
        for number in range(VISIT_LENGTH):
            if not self._go_on(dice):
                break
            _anything(tab, dice, "last", f"{visit}|{number}")
        self._end_visit(tab)

    def _open_tabs(self, tab: Tab, dice: random.Random) -> None:
        """Several tabs at once on one session."""
        visit = tab.visit
        tab.do("add", "n")
        if tab.visitor.session_id is None:
            self._stop.wait(0.2)  # no session could be had, so there is nothing to share
            return
        scripts = [random.Random(dice.random()) for _ in range(TABS)]
        start = threading.Barrier(TABS)

        def click(number: int) -> None:
            mine, my_dice = tab.another(number), scripts[number]
            start.wait()
            for i in range(OPERATIONS_PER_TAB):
                register = my_dice.choice(["last", f"own-{number}"])
                _anything(mine, my_dice, register, f"{visit}|{number}.{i}")
                self._go_on(my_dice)
            mine.visitor.leave()

        _at_once(*(lambda n=n: click(n) for n in range(TABS)))
        self._end_visit(tab)

    def _end_visit(self, tab: Tab) -> None:
        tab.visitor.leave()
        if tab.visitor.session_id is not None:
            self.ended_visits.append(tab)

    def _leave(self, tab: Tab, dice: random.Random) -> None:
        """Log in and out while slower tabs still hold the old id."""
        visit = tab.visit
        tab.do("add", "n")
        before_login = tab.another(1)
        if not tab.do("login", value=visit).is_ok:
            self._stop.wait(0.2)
            return  # then both outcomes are legal, and there is nothing more to learn
        self._bury(tab, before_login.visitor.session_id)
        before_login.do("add", "n", dares=True)
        before_login.do("read")
        tab.do("set", "last", f"{visit}|1")
        tab.do("read")
        self._go_on(dice)

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
        self._bury(tab, session_id)
        for number in range(2):
            tab.with_id(session_id).do("read")
            tab.with_id(session_id, 10 + number).do("append", "items", f"{visit}|{number}", dares=True)
        for _ in range(5):
            self._go_on(dice)

    def _leave_everywhere(self, tab: Tab, dice: random.Random) -> None:
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
                    # The other device's end was acknowledged with the same answer.
                    other.note(ended, tab=1, sent_id=digest(session_id))
                self._bury(tab, session_id)
                tab.with_id(session_id).do("read")
                tab.with_id(session_id, 10 + number).do("add", "n", dares=True)
        for _ in range(10):
            self._go_on(dice)

    def _expire(self, tab: Tab, dice: random.Random) -> None:
        """Come back after the session has expired: its row is aged, on the clock that counts."""
        visit = tab.visit
        first = tab.do("append", "items", f"{visit}|0")
        session_id = tab.visitor.session_id
        if session_id is not None and table.expire(self.stack, session_id):
            aged_ns = time.monotonic_ns()
            tab.note(first, act="expire", sent_id=digest(session_id), invoked=aged_ns, completed=aged_ns)
            self._bury(tab, session_id)
            tab.do("read")
            tab.with_id(session_id, 10).do("append", "items", f"{visit}|1", dares=True)
        self._stop.wait(1)

    def _bury(self, tab: Tab, session_id: str | None) -> None:
        if session_id is not None:
            self.dead_ids.append((tab.visit, session_id))

    def _make_up_ids(self, tab: Tab, dice: random.Random) -> None:
        """Come without an id, or with one that nobody was given."""
        real = tab.with_id(None, role="lender")
        real.do("add", "n")
        forged = secrets.token_urlsafe(32)
        lent = real.visitor.session_id or forged
        swapped = lent[:-1].swapcase() + lent[-1]  # the last one has but 16 spellings
        self.forged_ids += [forged, swapped]
        for session_id in (None, forged, swapped, "short", "x" * 5000, "../../etc/passwd", forged[:-1] + "é"):
            tab.with_id(session_id).do("read")
        tab.with_id(forged).do("add", "n")
        tab.with_id(swapped).do("add", "n")
        for _ in range(5):
            self._go_on(dice)

    def _abort(self, tab: Tab, dice: random.Random) -> None:
        """Ask and go away before the answer: what is left on a connection must reach nobody else."""
        tab.do("set", "last", f"{tab.visit}|0")
        for _ in range(10):
            address = urlsplit(tab.visitor.url)
            with (
                contextlib.suppress(OSError),
                socket.create_connection((address.hostname, address.port), 5) as raw,
            ):
                cookie = f"session={tab.visitor.session_id}"
                raw.sendall(f"GET /api/session HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\n\r\n".encode())
                if dice.random() < 0.5:
                    raw.recv(20)
            tab.do("read")
            self._go_on(dice)

    def _pass_by(self, tab: Tab, dice: random.Random) -> None:
        """Use a route that needs no session."""
        for _ in range(VISIT_LENGTH):
            tab.do("stateless")
            if not self._go_on(dice):
                return

    # When all have stopped

    def read_finals(self, deadline_s: float = 30) -> None:
        """Read every session once more: what it holds now is what was kept."""
        end = time.monotonic() + deadline_s
        for tab in self.ended_visits:
            while not tab.do("read", value="final").is_ok and time.monotonic() < end:
                time.sleep(0.2)
            tab.visitor.leave()

    def replay_dead_ids(self) -> None:
        """Try every dead id once more, until every server has been asked."""
        wanted = self.stack.server_names()
        for visit, session_id in self.dead_ids:
            visitor = Visitor(self.stack.url, session_id)
            role = visit.rpartition("-")[0]
            tab = Tab(self.recorder, visitor, role=role, visitor=f"{role}-replay", visit=visit, tab=20)
            asked: set[str] = set()
            for _ in range(5 * len(wanted)):
                asked.add(tab.do("read").server)
                if wanted <= asked:
                    break
            visitor.leave()


def _anything(tab: Tab, dice: random.Random, register: str, value: str) -> None:
    """Do one of the things that one can do with a session."""
    act = dice.choices(["read", "set", "remove", "add", "append"], [5, 3, 1, 3, 3])[0]
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


def _at_once(*acts: Callable[[], object]) -> None:
    with ThreadPoolExecutor(len(acts)) as threads:
        for done in [threads.submit(act) for act in acts]:
            done.result()
