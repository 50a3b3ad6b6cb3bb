from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser
from window import Window, chromium

from verify.deployment import Deployment


# Per file, not per run: its event loop must not be there while other tests run.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def new_window(browser: Browser, deployment: Deployment) -> Iterator[Callable[..., Window]]:
    """Return a function that opens a window with its own cookies; arguments as for new_context."""
    opened: list[Window] = []

    def new_window(**settings: Any) -> Window:
        opened.append(Window.of(browser, deployment.url, **settings))
        return opened[-1]

    yield new_window
    for window in opened:
        window.close()


@pytest.fixture
def window(new_window: Callable[..., Window]) -> Window:
    return new_window()
