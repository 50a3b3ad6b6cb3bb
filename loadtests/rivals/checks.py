"""The checks: each tries something on a store and counts what was lost. Their words are in table.py.

Only acknowledged operations count as tried: a refusal or an error is an honest answer.
"""

from __future__ import annotations

import http.client
import json
import random
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from rivals.stores import Store
from verify.deployment import Deployment, ask_every_server, until
from verify.inside import run_inside
from verify.visitor import Answer, Visitor

SERVERS = 3
PAIRS = 100

VALUES: list[Any] = [
    *(None, True, False, 0, -1, 1, 1.0, -0.5, 1e300, 2**53 - 1, -(2**53) + 1, "", "1"),
    *("Grüße 🍵 \u200f日本", "\u0000\n\\\"'%s", [], {}, [[], {}, [None]], {"": 0, "ü.$[0]": {"n": 1.0}}),
]

MALFORMED = [
    *(
        "session=",
        "session",
        "session=;session=",
        'session="quoted"',
        "=;;=",
        "a/b=1; session=x",
        "session=%00%ff",
    ),
    *(
        "session=" + "A" * 12000,
        "session=../../etc/passwd",
        "session='; DROP TABLE sessions; --",
        "session=\xff",
    ),
]


@dataclass(frozen=True)
class Found:
    """The result of a check. reason: why a store cannot have it. p95_ms: of the later answer of each pair."""

    tried: int
    lost: int
    reason: str = ""
    p95_ms: float | None = None

    def as_json(self) -> dict[str, Any]:
        if self.reason:
            return {"held": None, "tried": 0, "lost": 0, "reason": self.reason}
        found: dict[str, Any] = {"held": self.lost == 0, "tried": self.tried, "lost": self.lost}
        return found if self.p95_ms is None else found | {"p95_ms": self.p95_ms}


class Checks:
    """Each method is one check of table.py: it tries, and counts what was lost."""

    def __init__(self, deployment: Deployment, store: Store) -> None:
        self.deployment = deployment
        self.store = store

    # One request at a time

    def hop(self) -> Found:
        visitor = self._visitor()
        lost = 0
        for number in range(20):
            visitor.put("x", number)
            lost += sum(shown.body["data"].get("x") != number for shown in self._everywhere(visitor))
        return Found(20 * SERVERS, lost)

    def values(self) -> Found:
        visitor = self._visitor()
        tried = lost = 0
        for value in VALUES:
            if visitor.put("x", value).status == 204:
                tried += 1
                lost += _as_text(visitor.show().body["data"].get("x")) != _as_text(value)
        return Found(tried, lost)

    def login(self) -> Found:
        return self._old_id_after(lambda visitor: visitor.login("ada"))

    def logout(self) -> Found:
        return self._old_id_after(lambda visitor: visitor.logout())

    def _old_id_after(self, end: Callable[[Visitor], Answer]) -> Found:
        lost = 0
        for _ in range(10):
            visitor = self._visitor()
            old = visitor.another_tab()
            end(visitor)
            lost += any(map(_is_alive, self._everywhere(old)))
        return Found(10, lost)

    def expired(self) -> Found:
        if self.store.never_ages:
            return Found(0, 0, self.store.never_ages)
        lost = 0
        for _ in range(10):
            visitor = self._visitor()
            self._age()
            lost += any(map(_is_alive, self._everywhere(visitor)))
        return Found(10, lost)

    def forged(self) -> Found:
        lost = 0
        for _ in range(10):
            for forged in (secrets.token_urlsafe(32), secrets.token_hex(16), secrets.token_hex(13)):
                visitor = self.deployment.visitor_with(forged)
                visitor.add("n")
                lost += bool(self.deployment.visitor_with(forged).show().body["data"])
        return Found(30, lost)

    def reading(self) -> Found:
        self._empty()  # a difference would miss what a store cleans away meanwhile
        for _ in range(20):
            self.deployment.visitor().show()
            self.deployment.visitor_with(secrets.token_hex(16)).show()
        return Found(40, self._rows())

    def _age(self) -> None:
        for statement in self.store.age:
            self.deployment.sql(statement)
        if not self.store.tables:
            expire = "for _, key in ipairs(redis.call('KEYS', '*')) do redis.call('EXPIRE', key, 0) end"
            self._valkey("EVAL", expire, "0")

    def _empty(self) -> None:
        for table in self.store.tables:
            self.deployment.sql(f"DELETE FROM {table}")
        if not self.store.tables:
            self._valkey("FLUSHALL")

    def _valkey(self, *command: str) -> str:
        code, said = run_inside(self.deployment.container("valkey"), ["valkey-cli", *command])
        assert code == 0, said
        return said

    def _rows(self) -> int:
        if not self.store.tables:
            return int(self._valkey("DBSIZE"))
        return sum(
            int(self.deployment.sql(f"SELECT COUNT(*) FROM {table}")[0][0]) for table in self.store.tables
        )

    def malformed(self) -> Found:
        lost = 0
        for cookie in MALFORMED:
            for method, path in (("GET", "/api/session"), ("POST", "/api/session/counters/n")):
                connection = http.client.HTTPConnection(
                    self.deployment.url.removeprefix("http://"), timeout=20
                )
                connection.putrequest(method, path)
                connection.putheader("Cookie", cookie.encode("latin-1"))
                connection.putheader("Content-Length", "0")
                connection.endheaders()
                lost += connection.getresponse().status != 200
                connection.close()
        return Found(2 * len(MALFORMED), lost)

    # Two tabs at once

    def counters(self) -> Found:
        visitor, answers = self._pairs(lambda tab, name, number: tab.add("n"))
        # Where one tab waits for the other, the later answer of a pair tells for how long.
        waits = sorted(max(answer.seconds for answer in pair) for pair in self._in_pairs)
        found = _missing(len(answers), visitor.show().body["data"].get("n", 0))
        return replace(found, p95_ms=round(1000 * waits[int(0.95 * len(waits))], 1))

    def lists(self) -> Found:
        visitor, answers = self._pairs(lambda tab, name, number: tab.append("items", [name, number]))
        items = visitor.show().body["data"].get("items", [])
        return _missing(len(answers), len({tuple(item) for item in items}))

    def keys(self) -> Found:
        visitor, answers = self._pairs(lambda tab, name, number: tab.put(f"{name}{number}", number))
        return _missing(len(answers), len(visitor.show().body["data"].keys() - {"n", "items"}))

    def read_beside_change(self) -> Found:
        visitor, answers = self._pairs(
            lambda tab, name, number: tab.put(f"{name}{number}", number) if name == "a" else tab.show()
        )
        changes = [answer for answer in answers if answer.method == "PUT"]
        return _missing(len(changes), len(visitor.show().body["data"].keys() - {"n"}))

    def _pairs(self, act: Callable[[Visitor, str, int], Answer]) -> tuple[Visitor, list[Answer]]:
        """Return a visitor whose two tabs acted at once, again and again, and the acknowledged answers."""
        visitor = self._visitor(count=0)
        tabs = {"a": visitor.another_tab(), "b": visitor.another_tab()}
        self._in_pairs = [
            at_once(
                *(
                    lambda tab=tab, name=name, number=number: act(tab, name, number)
                    for name, tab in tabs.items()
                )
            )
            for number in range(PAIRS)
        ]
        history = [answer for tab in tabs.values() for answer in tab.history]
        assert len({answer.server for answer in history}) > 1, "no visitor hopped"
        return visitor, [answer for answer in history if answer.status in (200, 204)]

    # A change beside a logout or a login

    def logout_together(self) -> Found:
        return self._logout_beside_change(apart_ms=0)

    def logout_within_20_ms(self) -> Found:
        return self._logout_beside_change(apart_ms=20)

    def _logout_beside_change(self, apart_ms: float) -> Found:
        tried = lost = 0
        for number in range(PAIRS):
            visitor = self._visitor(count=0)
            old, slow = visitor.another_tab(), visitor.another_tab()
            _, logout = at_once(
                lambda slow=slow: slow.put("x", 1), visitor.logout, waits_s=waits_s(number, apart_ms)
            )
            if logout.status == 204:
                tried += 1
                lost += _is_alive(old.show())
        return Found(tried, lost)

    def old_id_after_login(self) -> Found:
        self._login_beside_change()
        return self._old_ids

    def logged_in_after_login(self) -> Found:
        return self._logged_in

    def _login_beside_change(self) -> None:
        """One run for two checks: the session under the old id, and the user of the browser afterwards."""
        tried = alive = logged_out = 0
        for number in range(PAIRS):
            visitor = self._visitor(user=None)
            tabs = [visitor.another_tab(), visitor.another_tab()]
            change, login = at_once(
                lambda tab=tabs[0]: tab.put("x", 1),
                lambda tab=tabs[1]: tab.login("ada"),
                waits_s=waits_s(number, apart_ms=10),
            )
            if login.status != 200:
                continue
            tried += 1
            alive += _is_alive(visitor.show())
            # A browser has one jar for all tabs: the cookie of the answer that came last is the one it keeps.
            # A login that left the id as it was sets none.
            cookies = [(0, visitor.session_id)] + [
                (answer.completed_ns, tab.session_id)
                for answer, tab in zip((change, login), tabs, strict=True)
                if answer.set_cookie
            ]
            _, session_id = max(cookies, key=lambda cookie: cookie[0])
            browser = self.deployment.visitor_with(session_id) if session_id else self.deployment.visitor()
            logged_out += browser.show().body["user"] != "ada"
        self._old_ids = Found(tried, alive)
        self._logged_in = Found(tried, logged_out)

    # Something fails

    def server_killed(self) -> Found:
        """Each visitor counts with one tab, so no write is under way beside another of the same session."""
        visitors = [self._visitor(user=None) for _ in range(20)]
        victim = self.deployment.containers("web")[0]
        over = time.monotonic() + 6

        def count_on(visitor: Visitor) -> None:
            while time.monotonic() < over:
                visitor.add("n")
                time.sleep(0.02)

        with ThreadPoolExecutor(len(visitors)) as pool:
            counting = [pool.submit(count_on, visitor) for visitor in visitors]
            time.sleep(2)
            victim.kill()
            for one in counting:
                one.result()
        victim.start()
        self.deployment.wait_for_servers(SERVERS)
        acknowledged = [sum(answer.status == 200 for answer in visitor.history) for visitor in visitors]
        found = [visitor.show().body["data"].get("n", 0) for visitor in visitors]
        lost = sum(max(0, told - there) for told, there in zip(acknowledged, found, strict=True))
        return Found(sum(acknowledged), lost)

    def cache_emptied(self) -> Found:
        if not self.store.empties_cache:
            return Found(0, 0, "no cache stands before its store")
        visitors = [self._visitor() for _ in range(20)]
        for statement in self.store.empties_cache:
            self.deployment.sql(statement)
        shown = [visitor.show() for visitor in visitors]
        return Found(len(shown), sum(answer.status != 200 or not _is_alive(answer) for answer in shown))

    # The database, or Valkey, is killed

    def outage_reads(self) -> Found:
        self._outage()
        return self._reads

    def outage_changes(self) -> Found:
        return self._changes

    def after_outage(self) -> Found:
        return self._after

    def _outage(self) -> None:
        visitors = [self._visitor() for _ in range(20)]
        database = self.deployment.container(self.store.service)
        with ThreadPoolExecutor(len(visitors)) as pool:
            database.kill()
            try:
                reads = list(pool.map(lambda visitor: visitor.show(), visitors))
                changes = list(pool.map(lambda visitor: visitor.add("n"), visitors))
            finally:
                database.start()

        # By a new visitor, because the check itself asks for the old sessions.
        def keeps_a_new_session() -> bool:
            newcomer = self.deployment.visitor()
            newcomer.login("newcomer")
            return newcomer.add("n").status == 200 and _is_alive(newcomer.show())

        until(keeps_a_new_session, "the database is back", 90, rest_s=0.02)
        shown = [visitor.show() for visitor in visitors]
        self._reads = Found(len(reads), sum(read.status == 200 and not _is_alive(read) for read in reads))
        self._changes = Found(len(changes), sum(change.status == 200 for change in changes))
        self._after = Found(
            len(shown), sum(answer.status != 200 or answer.body["data"].get("n", 0) < 1 for answer in shown)
        )

    def _visitor(self, user: str | None = "ada", count: int = 1) -> Visitor:
        """A visitor with a session: logged in, and counted once, unless said otherwise."""
        visitor = self.deployment.visitor()
        if count:
            assert visitor.add("n").status == 200, visitor.history
        if user:
            assert visitor.login(user).status == 200, visitor.history
        return visitor

    def _everywhere(self, visitor: Visitor) -> list[Answer]:
        """Return what each server shows to this cookie now."""
        return list(ask_every_server(self.deployment, visitor.another_tab().show, deadline_s=20).values())


def _as_text(value: Any) -> str:
    """Return text that differs for 1 and true, which are equal in Python, and not for 1 and 1.0."""
    return json.dumps(json.loads(json.dumps(value), parse_int=float), sort_keys=True)


def _is_alive(shown: Answer) -> bool:
    """Whether something of the session is there. An error is not: it leaves that unknown."""
    return shown.status == 200 and bool(shown.body["user"] or "n" in shown.body["data"])


def _missing(acknowledged: int, found: int) -> Found:
    return Found(acknowledged, max(0, acknowledged - found))


def waits_s(number: int, apart_ms: float) -> list[float]:
    """Return how long two acts wait, up to so much apart; one and the other leave first in turn."""
    waits = [0, random.uniform(0, apart_ms) / 1000]
    return waits[::-1] if number % 2 else waits


def at_once(*acts: Callable[[], Answer], waits_s: list[float] | None = None) -> list[Answer]:
    """Return the answers of acts that set off together, each after its wait."""
    barrier = threading.Barrier(len(acts))

    def run(act: Callable[[], Answer], wait_s: float) -> Answer:
        barrier.wait()
        time.sleep(wait_s)
        return act()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts, waits_s or [0.0] * len(acts)))
