from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bottle import Bottle
from recorded import Visit
from reference_site import Site
from wsgi_client import Browser

from hopproof.bottle import SessionPlugin
from hopproof.web import Cookie


@pytest.fixture
def visit() -> Visit:
    return Visit()


@pytest.fixture
def site() -> Site:
    """The site that is tried; test_adapters.py has others in its place."""
    return Site()


@pytest.fixture
def reference() -> Site:
    """The reference app, for what only that has: the page."""
    return Site()


@pytest.fixture
def serve(visit: Visit) -> Callable[..., Browser]:
    """Return a browser of an app whose only route, POST /, is the given function."""

    def serve(route: Callable[..., Any], cookie: Cookie = Cookie()) -> Browser:  # noqa: B008
        app = Bottle()
        app.install(SessionPlugin(lambda: visit.handler, cookie))
        app.post("/")(route)
        return Browser(app)

    return serve
