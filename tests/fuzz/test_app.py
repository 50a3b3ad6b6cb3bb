"""Any request to the app: no 500, errors are problems or pages, nothing is stored without being asked for."""

from __future__ import annotations

from hypothesis import given
from reference_site import Site
from wsgi_client import Browser

from fuzz.drawn import Request, cookies, requests, tried


def stored(site: Site) -> dict[bytes, object]:
    """Return user and data of each session; not the times, which a read may move on."""
    return {key: (row.user, row.texts and dict(row.texts)) for key, row in site.visit.store._rows.items()}


def visitor_of(site: Site) -> Browser:
    """Return a visitor who is logged in, with a little of everything stored."""
    return site.visitor("ada", n=1, list=[1], text="a", cart={"Assam": 1})


@given(requests, cookies)
def test_any_request_gets_a_decided_answer_and_stores_what_it_asked_for(
    request: Request, cookie: str | None
) -> None:
    tried["requests to the app"] += 1
    site = Site()
    visitor = visitor_of(site)
    own = str(visitor.cookie)
    before = stored(site)
    browser = Browser(site.app, None if cookie is None else cookie.replace("{}", own))
    answer = browser.ask(request.method, request.path, request.body, **request.headers)

    assert answer.status < 500
    assert answer.header("X-Served-By") == "web-test"
    if answer.status >= 400 and request.method != "HEAD":
        if "text/html" in str(answer.header("Content-Type")):
            assert b'<main class="problem">' in answer.body
        else:
            assert answer.problem[0] == answer.status
    if answer.status >= 400 or request.is_safe:
        assert stored(site) == before
        assert answer.header("Set-Cookie") is None
    elif stored(site).keys() - before.keys():
        assert answer.header("Set-Cookie") is not None, "a session that nobody has the id of"


@given(requests, requests)
def test_one_visitor_never_changes_the_session_of_another(first: Request, second: Request) -> None:
    tried["pairs of requests"] += 1
    site = Site()
    lender, other = visitor_of(site), site.visitor("bob", n=5)
    before = {key: row for key, row in stored(site).items() if row[0] == "ada"}  # type: ignore[index]
    for request in (first, second):
        other.ask(request.method, request.path, request.body, **request.headers)
    assert {key: stored(site)[key] for key in before} == before
    assert lender.ask("GET", "/api/session").json["user"] == "ada"
