"""One window of a real browser on the page, for tests as a visitor would see it."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Locator, Page, Response, sync_playwright

ROOT = Path(__file__).parents[2]
# Only the deployment's address resolves, also for requests that browsers make on their own.
ONLY_HERE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """The machine's own browser, without a window on any screen."""
    found = subprocess.run([ROOT / "infra/bare/browser", "path"], capture_output=True, text=True, check=False)
    assert found.returncode == 0, "there is no Chromium; try: infra/bare/browser ensure"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found.stdout.strip(), args=[ONLY_HERE, "--no-proxy-server"]
        )
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Window:
    """A window with cookies of its own.

    answers: (method, path, status, server) of all, redirects included. complaints: errors on the
    console, and requests without an answer.
    """

    page: Page
    answers: list[tuple[str, str, int, str]] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, browser: Browser, url: str, **settings: Any) -> Window:
        # Without animations, so that no picture or check of contrast comes in the middle of one.
        context = browser.new_context(base_url=url, reduced_motion="reduce", **settings)
        context.set_default_timeout(10_000)  # milliseconds; an answer takes 3,000 at most, also in an outage
        return cls(context.new_page())

    def __post_init__(self) -> None:
        self.page.on("response", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("requestfailed", lambda request: self.complaints.append(f"no answer: {request.url}"))
        self.page.on(
            "console",
            lambda message: self.complaints.append(message.text) if message.type == "error" else None,
        )

    def _note(self, response: Response) -> None:
        server = response.headers.get("x-served-by", "nobody")
        path = urlsplit(response.url).path
        self.answers.append((response.request.method, path, response.status, server))

    def close(self) -> None:
        self.page.context.close()

    # Actions of a visitor

    def visit(self) -> Window:
        """Open the page, by its address; the first time, or once more."""
        self.page.goto("/")
        return self

    def click(self, name: str) -> None:
        """Press the button or follow the link of this name, and wait for the page that comes."""
        control = self.page.get_by_role("button", name=name, exact=True)
        with self.page.expect_navigation():
            control.or_(self.page.get_by_role("link", name=name, exact=True)).click()

    def log_in(self, user: str) -> Window:
        self.visit()
        self.page.get_by_label("Name").fill(user)
        self.click("Log in")
        return self

    # The page as a visitor sees it

    @property
    def server(self) -> str:
        return self.page.locator(".full-name").inner_text()

    @property
    def visits(self) -> int:
        return int(self.page.locator(".visit strong").inner_text())

    @property
    def is_logged_in(self) -> bool:
        return self.page.get_by_role("button", name="Log out", exact=True).count() == 1

    def packets(self, tea: str) -> int:
        return int(self.page.locator(".teas li").filter(has_text=tea).locator(".pieces").inner_text())

    @property
    def sessions(self) -> list[str]:
        """The names in the list of sessions, from the top."""
        return self._sessions.locator("code").all_inner_texts()

    @property
    def this_session(self) -> str:
        return self._sessions.filter(has_text="this browser").locator("code").inner_text()

    @property
    def _sessions(self) -> Locator:
        return self.page.locator(".sessions li")
