"""An entry that says who is logged in, for login libraries that write entries and call no login()."""

from __future__ import annotations

import pytest
from recorded import new_key

from hopproof.session import Session


@pytest.fixture
def session_of(visit):
    def make(key=None, **settings):
        return Session(visit.handler, key, new_key, identity="_user_id", user_prefix="shop:", **settings)

    return make


def user_of(visit, key):
    stored = visit.store.read(key)
    return stored and stored.user


def test_setting_the_entry_logs_in_under_a_new_key_in_one_write(visit, session_of):
    old = visit.put(cart=["tea"])
    session = session_of(old)
    session["_user_id"] = "7"
    session["greeted"] = True
    session.save()

    assert visit.data(old) is None
    assert visit.data(session.key) == {"cart": ["tea"], "_user_id": "7", "greeted": True}
    assert user_of(visit, session.key) == "shop:7"
    assert visit.handler.verbs == ["write"]


def test_a_visitor_without_a_session_is_logged_in(visit, session_of):
    session = session_of()
    session["_user_id"] = 7
    session.save()

    assert user_of(visit, session.key) == "shop:7"


def test_removing_the_entry_logs_out_and_keeps_the_data(visit, session_of):
    old = visit.put("shop:7", _user_id="7", cart=["tea"])
    session = session_of(old)
    del session["_user_id"]
    session.save()

    assert visit.data(old) is None
    assert visit.data(session.key) == {"cart": ["tea"]}
    assert user_of(visit, session.key) is None


def test_another_users_entry_takes_over_no_data(visit, session_of):
    session = session_of(visit.put("shop:7", _user_id="7", cart=["tea"]))
    assert session["_user_id"] == "7"
    session["_user_id"] = "8"
    session.save()

    assert visit.data(session.key) == {"_user_id": "8"}
    assert user_of(visit, session.key) == "shop:8"


@pytest.mark.parametrize("entry", ["cart", "_user_id"])
def test_a_change_of_another_entry_or_of_none_keeps_the_key(visit, session_of, entry):
    key = visit.put("shop:7", _user_id="7", cart="7")
    session = session_of(key)
    assert session[entry] == "7"
    session[entry] = "7" if entry == "_user_id" else "8"
    session.save()

    assert session.key == key
    assert user_of(visit, key) == "shop:7"


def test_an_entry_without_a_user_is_removed_like_any_other(visit, session_of):
    key = visit.put(_user_id="7")
    session = session_of(key)
    session.remove("_user_id")
    session.save()

    assert (session.key, visit.data(key)) == (key, {})


@pytest.mark.parametrize(
    "act", [lambda session: session.add("n"), lambda session: session.modify("n", lambda n: 1)]
)
def test_a_verb_that_acts_at_once_logs_in_first(visit, session_of, act):
    old = visit.put(cart=[])
    session = session_of(old)
    session["_user_id"] = "7"
    act(session)

    assert visit.data(old) is None
    assert visit.data(session.key) == {"cart": [], "_user_id": "7", "n": 1}
    assert user_of(visit, session.key) == "shop:7"


def test_a_login_by_the_entry_ends_the_users_oldest_sessions(visit, session_of):
    oldest = visit.put("shop:7")
    visit.now += 10
    session = session_of(sessions_per_user=1)
    session["_user_id"] = "7"
    session.save()

    assert visit.data(oldest) is None
    assert visit.data(session.key) == {"_user_id": "7"}
