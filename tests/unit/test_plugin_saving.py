import pytest
from bottle import HTTPResponse, abort, redirect, response

from hopproof.web import key_of


def stored(browser, visit):
    return visit.data(key_of(browser.cookie.removeprefix("session="))) if browser.cookie else None


def returns(session):
    session["a"] = 1


def redirects(session):
    session["a"] = 1
    redirect("/elsewhere", 303)


def aborts(session):
    session["a"] = 1
    abort(404, "no")


def returns_an_error(session):
    session["a"] = 1
    return HTTPResponse(status=499)


def sets_the_status(session):
    session["a"] = 1
    response.status = 404
    return "not here"


@pytest.mark.parametrize("route", [returns, redirects, aborts, returns_an_error, sets_the_status])
def test_a_route_that_ends_below_500_saves(serve, visit, route):
    browser = serve(route)
    browser.ask("POST", "/")

    assert stored(browser, visit) == {"a": 1}


def fails(session):
    session["a"] = 1
    raise ZeroDivisionError


def aborts_with_500(session):
    session["a"] = 1
    abort(500, "no")


def returns_503(session):
    session["a"] = 1
    return HTTPResponse(status=503)


def sets_502(session):
    session["a"] = 1
    response.status = 502
    return "no"


@pytest.mark.parametrize("route", [fails, aborts_with_500, returns_503, sets_502])
def test_a_route_that_ends_with_500_or_above_saves_nothing(serve, visit, route):
    browser = serve(route)

    assert browser.ask("POST", "/").status >= 500
    assert browser.cookie is None
    assert visit.handler.verbs == []


def test_what_was_counted_stays_counted_when_the_route_fails(serve, visit):
    def route(session):
        session.add("n")
        session["a"] = 1
        raise ZeroDivisionError

    browser = serve(route)
    browser.ask("POST", "/")

    assert stored(browser, visit) == {"n": 1}


def test_a_session_is_saved_before_the_first_byte_of_the_answer_leaves(serve, visit):
    def route(session):
        session["a"] = 1

        def body():
            yield f"{len(visit.store._rows)} saved".encode()

        return body()

    assert serve(route).ask("POST", "/").body == b"1 saved"


def test_a_route_that_asks_for_no_session_gets_none(serve, visit):
    def route():
        return "stateless"

    browser = serve(route)
    browser.cookie = f"session={'A' * 43}"

    assert browser.ask("POST", "/").body == b"stateless"
    assert (visit.handler.verbs, visit.handler.opened) == ([], 0)


@pytest.mark.parametrize("route", [returns, redirects, aborts, fails])
def test_what_was_borrowed_is_given_back_however_the_route_ends(serve, visit, route):
    serve(route).ask("POST", "/")

    assert visit.handler.opened == 0


def test_a_failing_route_is_logged_with_its_traceback(serve, caplog):
    serve(fails).ask("POST", "/")

    assert "ZeroDivisionError" in caplog.text


def test_a_failing_route_shows_the_visitor_no_traceback(serve):
    assert b"ZeroDivisionError" not in serve(fails).ask("POST", "/").body


def test_a_key_that_cannot_be_kept_is_named(site):
    answer = site.visitor(n="text").ask("POST", "/api/session/counters/n")

    assert answer.json["key"] == "n"


def test_a_conflict_that_does_not_end_is_told(site):
    visitor = site.visitor(a=1)
    key = key_of(visitor.cookie.removeprefix("session="))
    store = site.visit.store
    site.handler.before_write = lambda _: setattr(store._rows[key], "version", store._rows[key].version + 1)

    assert visitor.ask("GET", "/").problem == (409, "conflict")


def test_a_route_that_yields_is_refused_when_it_is_installed(serve):
    def route(session):
        session["a"] = 1
        yield "too late"

    with pytest.raises(TypeError, match="return instead"):
        serve(route).app.routes[0].call()


@pytest.mark.parametrize("use", [lambda s: s.update(a=1), lambda s: s.add("n"), lambda s: s.destroy()])
def test_a_session_refuses_to_be_changed_when_its_route_has_returned(serve, use):
    kept = []
    serve(lambda session: kept.append(session)).ask("POST", "/")

    with pytest.raises(RuntimeError, match="before the route returns"):
        use(kept[0])
