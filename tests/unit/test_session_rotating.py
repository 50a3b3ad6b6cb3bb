"""New ids without a login, sessions that lose their user, and empty ones."""

from __future__ import annotations

import pytest

from hopproof.handler import SessionGone


def test_rotating_moves_the_session_and_ends_the_old_key(visit):
    old = visit.put("ada", cart=["tea"])
    session = visit.session(old)
    session.rotate()

    assert visit.data(session.key) == {"cart": ["tea"]}
    assert visit.store.read(session.key).user == "ada"
    assert visit.store.read(old) is None


def test_a_login_after_another_user_shows_what_it_has_stored(visit):
    """A route that reads, logs another user in, and goes on must not see the data that were left behind."""
    session = visit.session(visit.put("alice", diary="private", n=1))
    assert session["diary"] == "private"
    session["greeting"] = "hello"
    session.login("bob")

    assert dict(session) == {"greeting": "hello"} == visit.data(session.key)
    session["n"] = 2
    session.save()
    assert visit.data(session.key) == {"greeting": "hello", "n": 2}


def test_a_login_ends_the_oldest_sessions_of_its_user_beyond_a_number(visit):
    keys = []
    for _ in range(3):
        visit.now += 1
        session = visit.session(None, sessions_per_user=2)
        session.login("ada")
        keys.append(session.key)

    assert [visit.store.read(key) is not None for key in keys] == [False, True, True]


def test_a_login_is_done_even_if_the_oldest_sessions_cannot_be_ended(visit):
    session = visit.session(None, sessions_per_user=2)
    visit.handler.failing = frozenset({"end_oldest_of_user"})
    session.login("ada")

    assert visit.store.read(session.key).user == "ada"


def test_rotating_saves_the_changes_so_far_in_the_same_write(visit):
    session = visit.session(visit.put(a=1))
    session["b"] = 2
    session.rotate()

    assert visit.handler.verbs == ["write"]
    assert visit.data(session.key) == {"a": 1, "b": 2}


@pytest.mark.parametrize("key", [None, bytes(32)], ids=["no cookie", "forged"])
@pytest.mark.parametrize("verb", ["rotate", "forget_user"])
def test_where_no_session_lives_there_is_nothing_to_move(visit, key, verb):
    session = visit.session(key)
    getattr(session, verb)()

    assert session.key == key
    assert visit.store._rows == {}


def test_forgetting_the_user_keeps_the_data_under_a_new_key(visit):
    old = visit.put("ada", cart=["tea"])
    session = visit.session(old)
    session.forget_user()

    assert session.user is None
    assert visit.store.read(old) is None
    stored = visit.store.read(session.key)
    assert (stored.data, stored.user) == ({"cart": ["tea"]}, None)
    assert visit.store.sessions_of_user("ada") == []


def test_an_ended_session_cannot_be_rotated(visit):
    key = visit.put()
    visit.store.destroy(key)

    with pytest.raises(SessionGone):
        visit.session(key).rotate()


@pytest.mark.parametrize("key", [None, bytes(32)], ids=["no cookie", "forged"])
def test_creating_makes_an_empty_session_under_a_new_key(visit, key):
    session = visit.session(key)
    session.create()

    assert session.key not in (None, key)
    assert visit.data(session.key) == {}


def test_creating_where_a_session_lives_changes_nothing(visit):
    key = visit.put(n=1)
    session = visit.session(key)
    session.create()

    assert session.key == key
    assert visit.data(key) == {"n": 1}


def test_creating_writes_the_changes_so_far(visit):
    session = visit.session()
    session["n"] = 1
    session.create()

    assert visit.handler.verbs == ["write"]
    assert visit.data(session.key) == {"n": 1}


def test_creating_revives_no_ended_session(visit):
    key = visit.put()
    visit.store.destroy(key)

    with pytest.raises(SessionGone):
        visit.session(key).create()


def test_a_login_needs_a_name(visit):
    session = visit.session(visit.put("ada"))

    with pytest.raises(ValueError, match="1 to 64 bytes"):
        session.login("")
    assert visit.store.sessions_of_user("ada") != []


def test_a_handler_without_lists_says_so(visit):
    class SixVerbs:
        def __init__(self, inner):
            self.read, self.write, self.close = inner.read, inner.write, inner.close

    session = visit.session(visit.put("ada"))
    session._handler = SixVerbs(visit.store)

    with pytest.raises(TypeError, match="SixVerbs keeps no list"):
        session.all_of_user()
