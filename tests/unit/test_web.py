"""The layer that knows no framework: a Cookie header and a status in, three facts for the headers out."""

from __future__ import annotations

import json

import pytest
from recorded import RecordedHandler

from hopproof.handler import SessionGone, SessionStoreUnavailable
from hopproof.web import Cookie, Problem, Settled, Web, key_of


@pytest.fixture
def handler():
    return RecordedHandler()


@pytest.fixture
def errors():
    return []


@pytest.fixture
def web(handler, errors):
    return Web(lambda: handler, on_error=errors.append)


def cookie_of(settled: Settled) -> str:
    """Return the Cookie header that a browser sends after this answer."""
    assert settled.set_cookie is not None
    return settled.set_cookie.partition(";")[0]


@pytest.fixture
def cookie(web, handler):
    """The Cookie header of a visitor with a session."""
    visit = web.visit(None)
    visit.session["cart"] = ["tea"]
    cookie = cookie_of(visit.settle(200))
    visit.release()
    handler.calls.clear()
    return cookie


def test_a_visit_asks_nothing_of_the_store_before_the_sessions_first_use(web, handler, cookie):
    visit = web.visit(cookie)
    settled = visit.settle(200)
    visit.release()

    assert handler.verbs == []
    assert settled == Settled(None, vary=False, private=False, problem=None)


def test_a_new_session_leaves_with_its_cookie_in_a_private_answer(web):
    visit = web.visit(None)
    visit.session["n"] = 1
    settled = visit.settle(200)

    assert settled.set_cookie is not None
    assert settled.set_cookie.endswith("; HttpOnly; Path=/; SameSite=Lax")
    assert (settled.vary, settled.private) == (True, True)
    assert visit.session.key == key_of(cookie_of(settled).removeprefix("session="))


def test_an_answer_that_read_the_session_depends_on_the_cookie(web, cookie):
    visit = web.visit(cookie)
    assert "cart" in visit.session

    assert visit.settle(200) == Settled(None, vary=True, private=False, problem=None)


@pytest.mark.parametrize("header", [None, "", "session=junk", "other=1"])
def test_an_answer_that_asked_an_anonymous_visitor_depends_on_the_cookie_too(web, header):
    visit = web.visit(header)
    assert visit.session.get("cart") is None

    assert visit.settle(200).vary


@pytest.mark.parametrize("status", [200, 303, 404, 499])
def test_a_change_is_saved_below_500(web, handler, cookie, status):
    visit = web.visit(cookie)
    visit.session["n"] = 1
    visit.settle(status)

    assert handler.verbs == ["write"]


@pytest.mark.parametrize("status", [500, 503])
def test_an_answer_of_500_and_above_saves_nothing(web, handler, cookie, status):
    visit = web.visit(cookie)
    visit.session["n"] = 1

    assert visit.settle(status).problem is None
    assert handler.verbs == []


def test_a_new_id_leaves_with_a_failing_answer_as_well(web, cookie):
    visit = web.visit(cookie)
    visit.session.login("ada")
    settled = visit.settle(500)

    assert key_of(cookie_of(settled).removeprefix("session=")) == visit.session.key


def test_a_store_that_fails_at_the_save_is_a_problem_and_never_raises(web, handler, errors, cookie):
    visit = web.visit(cookie)
    visit.session["n"] = 1
    handler.is_down = True
    settled = visit.settle(200)

    assert settled.problem is not None
    assert (settled.problem.status, settled.problem.headers) == (503, {"Retry-After": "1"})
    assert settled.set_cookie is None
    assert [type(error) for error in errors] == [SessionStoreUnavailable]


def test_a_route_that_fails_is_settled_with_its_error_and_saves_nothing(web, handler, errors, cookie):
    visit = web.visit(cookie)
    visit.session["n"] = 1
    settled = visit.fail(SessionGone(ended=True))

    assert settled.problem is not None
    assert (settled.problem.status, settled.problem.kind) == (409, "session-gone")
    assert handler.verbs == []
    assert len(errors) == 1


def test_settling_twice_gives_the_same_answer_and_saves_once(web, handler, errors, cookie):
    visit = web.visit(cookie)
    visit.session.add("n")
    visit.session["m"] = 1
    first = visit.settle(200)

    assert visit.settle(500) is first
    assert visit.fail(SessionGone(ended=True)) is first
    assert handler.verbs == ["write", "write"]
    assert errors == []


@pytest.mark.parametrize(
    "change",
    [
        lambda session: session.update(n=1),
        lambda session: session.pop("cart"),
        lambda session: session.clear(),
        lambda session: session.remove("cart"),
        lambda session: session.add("n"),
        lambda session: session.append("cart", "more"),
        lambda session: session.modify("cart", lambda cart: cart),
        lambda session: session.login("ada"),
        lambda session: session.forget_user(),
        lambda session: session.rotate(),
        lambda session: session.destroy(),
        lambda session: session.destroy_all_of_user(),
        lambda session: session.destroy_one_of_user(bytes(32)),
    ],
)
def test_a_change_after_the_save_is_refused_with_the_remedy(web, handler, cookie, change):
    visit = web.visit(cookie)
    visit.settle(200)

    with pytest.raises(RuntimeError, match="change the session before the route returns"):
        change(visit.session)
    assert set(handler.verbs) <= {"read"}


def test_reading_works_after_the_save_even_for_the_first_time(web, cookie):
    visit = web.visit(cookie)
    visit.settle(200)

    assert visit.session["cart"] == ["tea"]


def test_entries_that_were_read_stay_readable_after_the_release(web, cookie):
    visit = web.visit(cookie)
    assert "cart" in visit.session
    visit.settle(200)
    visit.release()

    assert visit.session["cart"] == ["tea"]


def test_a_first_read_after_the_release_opens_the_handler_once_more(web, handler, cookie):
    visit = web.visit(cookie)
    visit.settle(200)
    visit.release()

    assert visit.session["cart"] == ["tea"]
    assert handler.verbs == ["read"]
    assert handler.opened == 0


def test_a_visit_that_rests_after_its_end_borrows_nothing_for_a_late_read(web, handler, cookie):
    visit = web.visit(cookie)
    visit.settle(200)
    visit.rest()

    assert visit.session["cart"] == ["tea"]
    assert handler.opened == 0


def test_a_visit_that_rests_before_its_end_goes_on(web, handler, cookie):
    visit = web.visit(cookie)
    assert visit.session["cart"] == ["tea"]
    visit.rest()
    assert handler.opened == 0
    visit.session["n"] = 1

    assert visit.settle(200).problem is None
    assert handler.verbs == ["read", "write"]


def test_a_route_that_was_given_up_saves_nothing_and_gives_back(web, handler, cookie):
    visit = web.visit(cookie)
    visit.session["n"] = 1
    visit.release()
    visit.release()

    assert visit.settle(200).problem is None
    assert handler.verbs == []
    assert handler.opened == 0


def test_the_verbs_have_the_name_that_every_adapter_will_have(web, cookie):
    session = web.visit(cookie).session

    assert session.hop.add("n") == session["n"] == 1


def test_a_problem_is_problem_json():
    problem = Problem(409, "wrong-type", "'n' holds no list.", "n")

    assert json.loads(problem.to_json()) == {
        "type": "urn:hopproof:problem:wrong-type",
        "title": "wrong-type",
        "status": 409,
        "detail": "'n' holds no list.",
        "key": "n",
    }
    assert problem.headers == {}


def test_a_secure_cookie_is_read_by_its_prefixed_name_only():
    session_id = "A" * 43
    cookie = Cookie(secure=True)

    assert cookie.read(f"session={session_id}; __Host-session={'B' * 42}A") == "B" * 42 + "A"
    assert cookie.header(session_id).endswith("; HttpOnly; Path=/; SameSite=Lax; Secure")
