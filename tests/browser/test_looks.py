"""The page and its errors are accessible in light and dark, and fit a telephone and a wide screen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page
from window import Window

from verify.deployment import Deployment, freeze

LONGEST_NAME = "W" * 64
TRAIL_LENGTH = 12


def stranger(window: Window, deployment: Deployment) -> None:
    window.visit()


def member(window: Window, deployment: Deployment) -> None:
    """Everything on one page: a name as long as names get, a full trail, tea, a list of sessions."""
    for _ in range(3):
        deployment.visitor().login(LONGEST_NAME)
    window.log_in(LONGEST_NAME)
    window.click("Add one Earl Grey")
    for _ in range(TRAIL_LENGTH):
        window.page.request.get("/")
    window.visit()


def nowhere(window: Window, deployment: Deployment) -> None:
    window.page.goto("/nowhere")


def ended(window: Window, deployment: Deployment) -> None:
    window.log_in("ended")
    other = deployment.visitor()
    other.login("ended")
    other.logout_everywhere()
    window.click("Add one Assam")


def outage(window: Window, deployment: Deployment) -> None:
    window.log_in("outage")
    freeze(deployment.container("db"))
    window.visit()


PAGES = {
    stranger: "This page came from",
    member: "This page came from",
    nowhere: "There is nothing here",
    ended: "This session has ended",
    outage: "The session table does not answer",
}


@pytest.fixture(scope="module", params=PAGES, ids=lambda go_to: go_to.__name__)
def page(request: pytest.FixtureRequest, browser: Browser, deployment: Deployment) -> Iterator[Page]:
    """Each page in turn, opened once for all tests of it."""
    window = Window.of(browser, deployment.url)
    request.param(window, deployment)
    assert window.page.get_by_role("heading", level=1).inner_text().startswith(PAGES[request.param])
    yield window.page
    window.close()
    if request.param is outage:
        deployment.make_whole()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_keeps_anybody_out_in_light_or_dark(page: Page, scheme: Literal["light", "dark"]) -> None:
    page.emulate_media(color_scheme=scheme)
    found = Axe().run(page).response

    severe = [v for v in found["violations"] if v["impact"] in ("serious", "critical")]
    assert severe == [], [f"{v['help']}: {node['html']}" for v in severe for node in v["nodes"]]
    assert found["passes"], "axe has looked at nothing"


@pytest.mark.parametrize("width", [360, 1920])
def test_no_page_scrolls_sideways_on_a_telephone_or_a_wide_screen(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 740})
    needed = page.evaluate("document.documentElement.scrollWidth")

    assert needed <= width
