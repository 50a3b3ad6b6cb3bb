import pytest
from recorded import new_key

from hopproof.handler import Change, SessionGone


def test_a_login_gives_the_session_a_new_key_and_keeps_the_data(visit):
    old = visit.put(cart=["tea"])
    session = visit.session(old)
    session.login("ada")

    assert session.key != old
    assert visit.data(old) is None
    assert visit.data(session.key) == {"cart": ["tea"]}
    assert visit.store.read(session.key).user == "ada"


def test_a_login_is_known_at_once(visit):
    session = visit.session(visit.put())
    session.login("ada")

    assert session.user == "ada"


def test_a_login_without_reading_costs_one_write(visit):
    visit.session(visit.put()).login("ada")

    assert visit.handler.verbs == ["write"]


def test_a_login_takes_pending_changes_along_in_the_same_write(visit):
    session = visit.session(visit.put(a=1, gone=1))
    session["a"] = 2
    session.remove("gone")
    session.login("ada")
    session.save()

    assert visit.handler.verbs == ["write"]
    assert visit.data(session.key) == {"a": 2}


def test_changes_after_a_login_go_to_the_new_key(visit):
    session = visit.session(visit.put(a=1))
    session.login("ada")
    session["a"] = 2
    session.save()

    assert visit.data(session.key) == {"a": 2}


def test_a_value_that_was_lent_before_a_login_and_changed_after_it_is_saved(visit):
    session = visit.session(visit.put(cart=[]))
    cart = session["cart"]
    session.login("ada")
    cart.append("tea")
    session.save()

    assert visit.data(session.key) == {"cart": ["tea"]}


@pytest.mark.parametrize("key", [None, new_key()], ids=["no cookie", "forged cookie"])
def test_a_login_where_no_session_lives_creates_one(visit, key):
    session = visit.session(key)
    session.login("ada")

    assert session.key != key
    assert visit.store.read(session.key).user == "ada"


def test_a_login_with_an_old_key_just_after_another_login_is_refused(visit):
    old = visit.put()
    visit.session(old).login("ada")
    late = visit.session(old)

    with pytest.raises(SessionGone):
        late.login("eve")
    assert late.key == old


def test_a_second_login_in_one_request_ends_the_first_new_key(visit):
    session = visit.session(visit.put(a=1))
    session.login("ada")
    first = session.key
    session.login("bob")

    assert visit.data(first) is None
    assert visit.store.read(session.key).user == "bob"


def test_destroying_ends_the_session_without_reading(visit):
    key = visit.put(a=1)
    session = visit.session(key)
    session.destroy()
    session.save()

    assert visit.handler.verbs == ["destroy"]
    assert visit.data(key) is None
    assert session.key is None


def test_destroying_throws_pending_changes_away(visit):
    key = visit.put(a=1)
    session = visit.session(key)
    session["a"] = 2
    session.destroy()
    session.save()

    assert visit.handler.verbs == ["destroy"]


def test_a_destroyed_session_reads_as_empty(visit):
    session = visit.session(visit.put("ada", a=1))
    assert session.user == "ada"
    session.destroy()

    assert dict(session) == {}
    assert session.user is None


def test_setting_after_destroying_creates_a_new_session(visit):
    old = visit.put("ada", a=1)
    session = visit.session(old)
    session.destroy()
    session["flash"] = "you are logged out"
    session.save()

    assert session.key != old
    assert visit.data(session.key) == {"flash": "you are logged out"}
    assert visit.store.read(session.key).user is None


def test_destroying_nothing_asks_nothing_of_the_store(visit):
    session = visit.session()
    session.destroy()
    session.save()

    assert visit.handler.verbs == []


def test_destroying_twice_is_no_error(visit):
    session = visit.session(visit.put())
    session.destroy()
    session.destroy()

    assert session.key is None


def test_ending_everywhere_ends_this_session_too(visit):
    keys = [visit.put("ada"), visit.put("ada")]
    session = visit.session(keys[0])

    assert session.destroy_all_of_user() == 2
    assert session.key is None
    assert [visit.data(key) for key in keys] == [None, None]


def test_ending_everywhere_leaves_other_users_alone(visit):
    bobs = visit.put("bob", a=1)
    visit.session(visit.put("ada")).destroy_all_of_user()

    assert visit.data(bobs) == {"a": 1}


def test_ending_everywhere_after_a_login_ends_the_new_key(visit):
    session = visit.session(visit.put())
    session.login("ada")
    key = session.key
    session.destroy_all_of_user()

    assert visit.data(key) is None


def test_ending_everywhere_needs_somebody_who_is_logged_in(visit):
    with pytest.raises(ValueError, match="no logged-in user"):
        visit.session(visit.put()).destroy_all_of_user()


@pytest.mark.parametrize(
    "act", [lambda session: session.all_of_user(), lambda session: session.destroy_one_of_user(new_key())]
)
def test_the_list_needs_somebody_who_is_logged_in(visit, act):
    with pytest.raises(ValueError, match="no logged-in user"):
        act(visit.session(visit.put()))


def test_ending_one_of_the_list_leaves_this_session_and_the_rest(visit):
    mine, ended, kept = (visit.put("ada", n=n) for n in range(3))
    session = visit.session(mine)

    assert session.destroy_one_of_user(ended)
    assert session.key == mine
    assert [visit.data(key) for key in (mine, ended, kept)] == [{"n": 0}, None, {"n": 2}]


def test_ending_this_session_from_the_list_is_a_logout(visit):
    session = visit.session(visit.put("ada", a=1))

    assert session.destroy_one_of_user(session.key)
    assert (session.key, session.user, dict(session)) == (None, None, {})


def test_ending_this_session_just_after_a_login_in_another_tab_throws_no_newer_cookie_away(visit):
    old = visit.put("ada")
    session = visit.session(old)
    assert session.user == "ada"
    visit.store.write(old, Change(user="ada", rotate_to=new_key()))

    assert not session.destroy_one_of_user(old)
    assert session.key == old


def test_a_write_after_everywhere_ended_the_session_is_refused(visit):
    key = visit.put("ada", a=1)
    session = visit.session(key)
    session["a"] = session["a"] + 1
    visit.store.end_user("ada")

    with pytest.raises(SessionGone):
        session.save()
    assert visit.data(key) is None


def test_a_count_in_a_session_that_another_tab_logged_in_is_refused(visit):
    old = visit.put(n=1)
    session = visit.session(old)
    visit.store.write(old, Change(user="ada", rotate_to=new_key()))

    with pytest.raises(SessionGone):
        session.add("n")
