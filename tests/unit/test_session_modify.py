import pytest

from hopproof.handler import Change, SessionConflict, SessionGone
from hopproof.limits import MAX_MODIFY_ATTEMPTS


def test_modify_replaces_the_value_and_returns_it(visit):
    key = visit.put(n=2, other=1)

    assert visit.session(key).modify("n", lambda n: n * 10) == 20
    assert visit.data(key) == {"n": 20, "other": 1}


def test_modify_costs_one_read_and_one_write(visit):
    visit.session(visit.put(n=2)).modify("n", lambda n: n * 10)

    assert visit.handler.verbs == ["read", "write"]


def test_modify_after_reading_costs_one_write_more(visit):
    session = visit.session(visit.put(n=2))
    assert session["n"] == 2
    session.modify("n", lambda n: n * 10)

    assert visit.handler.verbs == ["read", "write"]


def test_modify_twice_reads_once(visit):
    session = visit.session(visit.put(n=2))
    session.modify("n", lambda n: n * 10)
    session.modify("n", lambda n: n + 1)

    assert visit.handler.verbs == ["read", "write", "write"]
    assert session["n"] == 21


def test_modify_starts_from_the_default_where_there_is_no_value(visit):
    key = visit.put()

    assert visit.session(key).modify("cart", lambda cart: [*cart, "tea"], []) == ["tea"]


def test_modify_creates_a_session_where_there_is_none(visit):
    session = visit.session()
    session.modify("n", lambda n: n + 1, 0)

    assert visit.data(session.key) == {"n": 1}


def test_modify_with_a_forged_key_starts_a_new_session(visit):
    forged = bytes(32)
    session = visit.session(forged)
    session.modify("n", lambda n: n + 1, 0)

    assert session.key != forged
    assert visit.data(session.key) == {"n": 1}


def test_modify_runs_again_when_another_request_was_faster(visit):
    key = visit.put(n=1)
    others = iter([Change(set={"n": 100})])
    visit.handler.before_write = lambda key: [visit.store.write(key, change) for change in others]

    assert visit.session(key).modify("n", lambda n: n + 1) == 101
    assert visit.data(key) == {"n": 101}


def test_modify_leaves_alone_what_another_request_did_to_other_keys(visit):
    key = visit.put(n=1)
    others = iter([Change(set={"other": "kept"})])
    visit.handler.before_write = lambda key: [visit.store.write(key, change) for change in others]
    visit.session(key).modify("n", lambda n: n + 1)

    assert visit.data(key) == {"n": 2, "other": "kept"}


def test_modify_gives_up_when_it_was_overtaken_sixteen_times(visit):
    key = visit.put(n=1)
    visit.handler.before_write = lambda key: visit.store.write(key, Change(add=("n", 1)))
    values = []

    with pytest.raises(SessionConflict):
        visit.session(key).modify("n", lambda n: values.append(n) or 0)
    assert values == list(range(1, MAX_MODIFY_ATTEMPTS + 1))


def test_modify_succeeds_at_the_last_attempt(visit):
    key = visit.put(n=1)
    others = iter([Change(add=("n", 1))] * (MAX_MODIFY_ATTEMPTS - 1))
    visit.handler.before_write = lambda key: visit.store.write(key, next(others, Change()))

    assert visit.session(key).modify("n", lambda n: n * 10) == MAX_MODIFY_ATTEMPTS * 10


def test_the_function_may_change_what_it_gets_and_still_starts_afresh(visit):
    key = visit.put(cart=["Assam"])
    others = iter([Change(set={"other": 1})])
    visit.handler.before_write = lambda key: [visit.store.write(key, change) for change in others]

    def with_sencha(cart):
        cart.append("Sencha")
        return cart

    assert visit.session(key).modify("cart", with_sencha) == ["Assam", "Sencha"]


def test_the_default_is_not_changed_by_the_function(visit):
    default = []
    visit.session(visit.put()).modify("cart", lambda cart: cart.append("tea") or cart, default)

    assert default == []


def test_a_function_that_fails_changes_nothing(visit):
    key = visit.put(n=1)
    session = visit.session(key)
    with pytest.raises(ZeroDivisionError):
        session.modify("n", lambda n: n / 0)
    session.save()

    assert visit.data(key) == {"n": 1}


def test_pending_changes_are_saved_before_modifying(visit):
    key = visit.put(n=1)
    session = visit.session(key)
    session["n"] = 5

    assert session.modify("n", lambda n: n + 1) == 6
    assert visit.data(key) == {"n": 6}


def test_modify_after_an_add_sees_the_sum(visit):
    key = visit.put(n=1)
    session = visit.session(key)
    assert session["n"] == 1
    session.add("n")

    assert session.modify("n", lambda n: n * 10) == 20


def test_modify_after_a_login_sees_the_data(visit):
    session = visit.session(visit.put(n=1))
    session.login("ada")

    assert session.modify("n", lambda n: n + 1) == 2
    assert visit.data(session.key) == {"n": 2}


def test_a_value_that_modify_returned_and_that_is_changed_afterwards_is_saved(visit):
    key = visit.put()
    session = visit.session(key)
    session.modify("cart", lambda cart: cart, []).append("tea")
    session.save()

    assert visit.data(key) == {"cart": ["tea"]}


def test_modify_is_not_written_again_at_the_end(visit):
    session = visit.session(visit.put(n=1))
    session.modify("n", lambda n: n + 1)
    visit.handler.calls.clear()
    session.save()

    assert visit.handler.verbs == []


def test_modify_of_a_session_that_was_just_ended_is_refused(visit):
    key = visit.put(n=1)
    session = visit.session(key)
    assert session["n"] == 1
    visit.store.destroy(key)

    with pytest.raises(SessionGone):
        session.modify("n", lambda n: n + 1)
