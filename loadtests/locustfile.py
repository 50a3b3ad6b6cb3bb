"""Visitors that carry a counter, a cart and a login from server to server, and notice lost writes.

`loadtests/run` starts this. It speaks the probe API only, so it runs against any deployment with that API.
The settings and their defaults are in loadtests/run.
"""

from __future__ import annotations

import os
import random
import secrets
import ssl
from collections.abc import Callable
from typing import Any

from locust import FastHttpUser, LoadTestShape, between, task

from promises import Finding, Promises, empty
from shapes import visitors_at
from sightings import seen
from verify.outcome import Outcome, outcome_of

Judge = Callable[[Any], Finding | None]

# A session holds 64 KiB; a visitor with so many items leaves and comes back as a new one.
FULL_CART = 40


def trusting() -> ssl.SSLContext:
    """Return the check of certificates: by the authority in TARGET_CA, or by those of this machine."""
    return ssl.create_default_context(cafile=os.environ.get("TARGET_CA") or None)


class LoadVisitor(FastHttpUser):
    """One browser with one tab: a cookie jar, and the promises that its owner was given."""

    abstract = True
    wait_time = between(0.05, 0.35)  # s
    # Seconds. Above the balancer's longest time-out: a later answer counts as lost.
    network_timeout = 20.0
    connection_timeout = 5.0
    # Locust's default skips the check of certificates.
    insecure = False
    ssl_context_factory = staticmethod(trusting)

    def on_start(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Become a new visitor: no cookie, no promises."""
        self.client.cookiejar.clear()
        self.promises = Promises(f"visitor-{secrets.token_hex(6)}")
        self.last_server: str | None = None

    def ask(
        self,
        method: str,
        route: str,
        judge: Judge | None = None,
        *,
        body: Any = None,
        cookie: str | None = None,
    ) -> Outcome:
        """Send one request, have an ok answer judged, and return the outcome."""
        headers = {} if cookie is None else {"Cookie": cookie}
        with self.client.request(method, route, json=body, headers=headers, catch_response=True) as answer:
            server = (answer.headers or {}).get("X-Served-By", "nobody")
            outcome = outcome_of(answer.status_code, server)
            if outcome != "ok":
                answer.failure(f"{answer.status_code} from {server}: {outcome}")
                return outcome
            seen.answered(server, self.last_server)
            self.last_server = server
            if finding := judge(answer.json()) if judge else None:
                seen.note(finding, f"{self.promises.owner} at {server}, {method} {route}")
                answer.failure(finding.text)
            else:
                answer.success()
        return outcome

    def count(self) -> None:
        counter = self.promises.counter
        route = "/api/session/counters/counter"
        counter.raised(self.ask("POST", route, lambda body: counter.raised("ok", body["value"])))

    def fill_cart(self) -> None:
        cart = self.promises.cart
        item = f"{self.promises.owner}#{cart.high}"
        route = "/api/session/lists/cart"
        cart.raised(self.ask("POST", route, lambda body: cart.raised("ok", body["length"]), body=item))

    def look(self) -> None:
        self.ask("GET", "/api/session", self.promises.shown)

    def log_in(self) -> None:
        name = self.promises.owner
        if self.ask("POST", "/api/login", body={"user": name}) == "ok":
            self.promises.user = name
        else:
            self.begin()  # it may be logged in, under an id that got lost with the answer

    def log_out(self) -> None:
        cookie = "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.client.cookiejar)
        if self.ask("POST", "/api/logout") == "ok":
            self.ask("GET", "/api/session", lambda body: empty(body, "an ended session"), cookie=cookie)
        self.begin()


class Stranger(LoadVisitor):
    """Has no session, and gets none by looking."""

    weight = 2

    @task(2)
    def ask_for_nothing(self) -> None:
        self.ask("GET", "/api/stateless")

    @task
    def look_at_nothing(self) -> None:
        self.ask("GET", "/api/session", self.nothing)

    def nothing(self, session: Any) -> Finding | None:
        if len(self.client.cookiejar):
            return Finding("wrong", "reading set a cookie")
        return empty(session, "a visitor without a cookie")


class Reader(LoadVisitor):
    """Puts something into the cart once, and only looks at it from then on."""

    weight = 4

    def begin(self) -> None:
        super().begin()
        for _ in range(3):
            self.fill_cart()

    @task
    def read(self) -> None:
        self.look()


class Shopper(LoadVisitor):
    """Counts, fills the cart, and looks."""

    weight = 3

    @task
    def shop(self) -> None:
        random.choice([self.count, self.count, self.fill_cart, self.look])()
        if self.promises.cart.high >= FULL_CART:
            self.begin()


class Member(LoadVisitor):
    """Comes with something in the cart, logs in, shops, logs out; the old id must be dead then."""

    weight = 1

    @task
    def visit(self) -> None:
        shopping = [self.fill_cart, self.count, self.look, self.count, self.look]
        for step in [self.fill_cart, self.log_in, *shopping, self.log_out]:
            step()
            self.wait()


if "SHAPE" in os.environ:  # not with Locust's own page, where a person chooses the shape

    class Shape(LoadTestShape):
        def tick(self) -> tuple[int, float] | None:
            users, duration_s = int(os.environ["USERS"]), int(os.environ["DURATION"])
            visitors = visitors_at(os.environ["SHAPE"], self.get_run_time(), users, duration_s)
            # All of them within 5 s: a start is a rush, but not of one instant.
            return None if visitors is None else (visitors, max(1.0, users / 5))
