"""The reference app on a handler in memory, for tests that need no network and no database."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from recorded import RecordedHandler, Visit
from wsgi_client import Browser

import events
from app import build_app
from hopproof.bottle import SessionPlugin
from metrics import Metrics
from problem import ProblemError


@dataclass
class Site:
    """The reference app on a recorded handler; its browsers start without a cookie."""

    # Statements of a request, by what it does.
    budget: ClassVar[dict[str, int]] = {
        "untouched": 0,
        **dict.fromkeys(["read", "set", "remove", "add", "append", "login", "logout"], 1),
    }

    visit: Visit = field(default_factory=Visit)
    has_started: bool = True
    is_draining: bool = False

    def __post_init__(self) -> None:
        metrics = Metrics()
        self.app = build_app(
            SessionPlugin(
                lambda: self.handler,
                on_error=metrics.count_error,
                answer_problem=ProblemError,
                on_unknown=events.unknown_ids(metrics.count_unknown),
            ),
            server="web-test",
            has_started=lambda: self.has_started,
            is_draining=lambda: self.is_draining,
            store_answers=lambda: not self.handler.is_down,
            metrics=metrics,
        )

    @property
    def handler(self) -> RecordedHandler:
        return self.visit.handler

    def browser(self, cookie: str | None = None) -> Browser:
        return Browser(self.app, cookie)

    def visitor(self, user: str | None = None, **data: Any) -> Browser:
        """Return a browser that already has a session."""
        browser = self.browser()
        for key, value in (data or {"visited": True}).items():
            assert browser.ask("PUT", f"/api/session/data/{key}", value).status == 204
        if user:
            assert browser.ask("POST", "/api/login", {"user": user}).status == 200
        return browser

    def data(self, browser: Browser) -> Any:
        return browser.ask("GET", "/api/session").json["data"]
