import pytest
from recorded import new_key

from hopproof.handler import Change, SessionGone, SessionRefused, SessionStoreUnavailable


def test_an_untouched_session_asks_nothing_of_the_store(visit):
    visit.session(visit.put(a=1)).save()

    assert visit.handler.verbs == []


def test_a_session_that_is_only_read_is_read_once_and_not_written(visit):
    session = visit.session(visit.put(a=1, b=2))
    assert (session["a"], session.get("b"), len(session), list(session), "c" in session, session.user) == (
        *(1, 2, 2),
        ["a", "b"],
        False,
        None,
    )
    session.save()

    assert visit.handler.verbs == ["read"]


def test_a_visitor_without_a_cookie_has_an_empty_session_and_costs_nothing(visit):
    session = visit.session()
    assert dict(session) == {}
    assert session.user is None
    session.save()

    assert visit.handler.verbs == []


def test_a_value_is_set_without_reading(visit):
    key = visit.put(a=1)
    session = visit.session(key)
    session["b"] = 2
    session.save()

    assert visit.handler.verbs == ["write"]
    assert visit.data(key) == {"a": 1, "b": 2}


def test_several_values_are_set_in_one_write(visit):
    session = visit.session(visit.put())
    session["a"] = 1
    session["b"] = 2
    session.update(c=3)
    session.save()

    assert visit.handler.changes == [Change(set={"a": 1, "b": 2, "c": 3})]


def test_reading_and_changing_costs_two(visit):
    session = visit.session(visit.put(a=1))
    session["a"] = session["a"] + 1
    session.save()

    assert visit.handler.verbs == ["read", "write"]


def test_only_what_changed_is_written(visit):
    session = visit.session(visit.put(a=1, b=[2], c=3))
    assert session["b"] == [2]
    session["a"] = 2
    session.save()

    assert visit.handler.changes == [Change(set={"a": 2})]


@pytest.mark.parametrize("value", [1, "text", None, True, 1.5, ["a"], {"a": {"b": 1}}])
def test_an_equal_value_is_not_written_again(visit, value):
    session = visit.session(visit.put(a=value))
    assert session["a"] == value
    session["a"] = value
    session.save()

    assert visit.handler.verbs == ["read"]


@pytest.mark.parametrize(("before", "after"), [(1, True), (1, 1.0), (0, False), (0.0, -0.0), ([1], [1.0])])
def test_a_value_that_python_calls_equal_is_written_when_its_type_differs(visit, before, after):
    key = visit.put(a=before)
    session = visit.session(key)
    assert session["a"] == before
    session["a"] = after
    session.save()

    assert repr(visit.data(key)) == repr({"a": after})


def test_a_value_that_is_changed_and_changed_back_is_not_written(visit):
    session = visit.session(visit.put(a=1))
    assert session["a"] == 1
    session["a"] = 2
    session["a"] = 1
    session.save()

    assert visit.handler.verbs == ["read"]


def test_a_change_inside_a_value_is_noticed(visit):
    key = visit.put(cart={"teas": ["Assam"]}, n=1)
    session = visit.session(key)
    session["cart"]["teas"].append("Sencha")
    session.save()

    assert visit.handler.changes == [Change(set={"cart": {"teas": ["Assam", "Sencha"]}})]


@pytest.mark.parametrize(
    "lend", [lambda s: s.get("cart"), lambda s: next(iter(s.values())), lambda s: s["cart"]]
)
def test_a_change_inside_is_noticed_however_the_value_was_lent(visit, lend):
    key = visit.put(cart=["Assam"])
    session = visit.session(key)
    lend(session).append("Sencha")
    session.save()

    assert visit.data(key) == {"cart": ["Assam", "Sencha"]}


def test_a_change_inside_is_noticed_after_an_assignment_of_the_same_value(visit):
    key = visit.put(cart=["Assam"])
    session = visit.session(key)
    cart = session["cart"]
    session["cart"] = cart
    cart.append("Sencha")
    session.save()

    assert visit.data(key) == {"cart": ["Assam", "Sencha"]}


def test_a_change_inside_a_value_that_was_just_set_is_saved(visit):
    key = visit.put()
    session = visit.session(key)
    session["cart"] = cart = []
    cart.append("Sencha")
    session.save()

    assert visit.data(key) == {"cart": ["Sencha"]}


def test_setdefault_hands_out_a_value_whose_changes_are_saved(visit):
    key = visit.put()
    session = visit.session(key)
    session.setdefault("cart", []).append("Sencha")
    session.save()

    assert visit.data(key) == {"cart": ["Sencha"]}


def test_saving_twice_writes_once(visit):
    session = visit.session(visit.put(cart=[]))
    session["cart"].append("Sencha")
    session.save()
    session.save()

    assert visit.handler.verbs == ["read", "write"]


def test_a_change_inside_is_noticed_between_two_saves(visit):
    key = visit.put(cart=[])
    session = visit.session(key)
    session["cart"].append("Assam")
    session.save()
    session["cart"].append("Sencha")
    session.save()

    assert visit.data(key) == {"cart": ["Assam", "Sencha"]}


def test_del_removes_a_key(visit):
    key = visit.put(a=1, b=2)
    session = visit.session(key)
    del session["a"]
    assert dict(session) == {"b": 2}
    session.save()

    assert visit.data(key) == {"b": 2}


def test_del_of_an_absent_key_is_a_key_error(visit):
    session = visit.session(visit.put(a=1))

    with pytest.raises(KeyError):
        del session["b"]


def test_remove_needs_no_reading(visit):
    key = visit.put(a=1, b=2)
    session = visit.session(key)
    session.remove("a")
    session.remove("absent")
    session.save()

    assert visit.handler.verbs == ["write"]
    assert visit.data(key) == {"b": 2}


def test_a_removed_key_is_gone_for_the_rest_of_the_request(visit):
    session = visit.session(visit.put(a=1))
    session.remove("a")

    assert "a" not in session


def test_a_key_that_is_removed_and_set_is_set(visit):
    key = visit.put(a=1)
    session = visit.session(key)
    session.remove("a")
    session["a"] = 2
    session.save()

    assert visit.handler.changes == [Change(set={"a": 2})]


def test_a_key_that_is_removed_and_set_to_what_it_was_is_still_there(visit):
    key = visit.put(a=1)
    session = visit.session(key)
    assert session["a"] == 1
    del session["a"]
    session["a"] = 1
    session.save()

    assert visit.data(key) == {"a": 1}


def test_a_key_that_is_set_and_removed_is_removed(visit):
    key = visit.put(a=1)
    session = visit.session(key)
    session["a"] = 2
    session.remove("a")
    session.save()

    assert visit.data(key) == {}


def test_a_value_that_was_lent_and_then_removed_is_not_brought_back(visit):
    key = visit.put(cart=[])
    session = visit.session(key)
    cart = session["cart"]
    session.remove("cart")
    cart.append("Sencha")
    session.save()

    assert visit.data(key) == {}


def test_pop_and_clear_remove(visit):
    key = visit.put(a=1, b=2, c=3)
    session = visit.session(key)
    assert session.pop("a") == 1
    session.clear()
    session.save()

    assert visit.data(key) == {}


def test_what_is_set_before_reading_is_what_is_read(visit):
    session = visit.session(visit.put(a=1, b=2))
    session["a"] = "mine"

    assert dict(session) == {"a": "mine", "b": 2}


def test_iterating_while_removing_is_safe(visit):
    key = visit.put(a=1, b=2)
    session = visit.session(key)
    for name in session:
        session.remove(name)
    session.save()

    assert visit.data(key) == {}


def test_the_first_change_of_a_visitor_without_a_cookie_creates_a_session(visit):
    session = visit.session()
    session["a"] = 1
    session.save()

    assert visit.handler.changes == [Change(set={"a": 1}, create=True)]
    assert visit.data(session.key) == {"a": 1}


def test_a_new_session_that_changes_again_is_the_same_session(visit):
    session = visit.session()
    session["a"] = 1
    session.save()
    key = session.key
    session["b"] = 2
    session.save()

    assert session.key == key
    assert visit.data(key) == {"a": 1, "b": 2}


@pytest.mark.parametrize("key", [None, new_key()], ids=["no cookie", "forged cookie"])
def test_removing_where_no_session_lives_creates_none(visit, key):
    session = visit.session(key)
    session.remove("a")
    session.save()

    assert session.key == key
    assert visit.store._rows == {}


def test_a_forged_key_is_never_adopted(visit):
    forged = new_key()
    session = visit.session(forged)
    session["a"] = 1
    session.save()

    assert visit.data(forged) is None
    assert session.key != forged
    assert visit.data(session.key) == {"a": 1}


def test_removing_under_a_forged_key_does_not_keep_the_next_change_from_starting_a_session(visit):
    session = visit.session(new_key())
    session.remove("a")

    assert session.add("n") == 1
    assert visit.data(session.key) == {"n": 1}


def test_reading_with_a_forged_key_creates_nothing(visit):
    session = visit.session(new_key())
    assert dict(session) == {}
    session.save()

    assert visit.handler.verbs == ["read"]
    assert visit.store._rows == {}


def test_a_new_key_that_is_taken_is_replaced_once(visit):
    taken, free = visit.put("eve", secret=1), new_key()
    keys = iter([taken, free])
    session = visit.session()
    session._new_key = lambda: next(keys)
    session["a"] = 1
    session.save()

    assert session.key == free
    assert visit.data(taken) == {"secret": 1}


def test_a_change_of_a_session_that_was_just_ended_is_refused(visit):
    key = visit.put(a=1)
    visit.store.destroy(key)
    session = visit.session(key)
    session["a"] = 2

    with pytest.raises(SessionGone):
        session.save()
    assert session.key == key


def test_a_change_of_a_session_that_ended_since_it_was_read_is_refused(visit):
    key = visit.put(a=1)
    session = visit.session(key)
    session["a"] = session["a"] + 1
    visit.now += 10_000  # expired, which leaves no tombstone

    with pytest.raises(SessionGone):
        session.save()
    assert session.key == key


def test_a_session_that_was_just_ended_reads_as_empty(visit):
    key = visit.put(a=1)
    visit.store.destroy(key)

    assert dict(visit.session(key)) == {}


def test_an_outage_is_not_an_empty_session(visit):
    session = visit.session(visit.put(a=1))
    visit.handler.is_down = True

    with pytest.raises(SessionStoreUnavailable):
        session.get("a")


def test_a_read_that_failed_is_tried_again_when_asked_again(visit):
    session = visit.session(visit.put(a=1))
    visit.handler.is_down = True
    with pytest.raises(SessionStoreUnavailable):
        session.get("a")
    visit.handler.is_down = False

    assert session["a"] == 1


@pytest.mark.parametrize("bad", [float("nan"), (1, 2), "\ud800", {1: 2}, 2**53], ids=ascii)
def test_a_value_that_cannot_be_kept_is_refused_by_name(visit, bad):
    session = visit.session(visit.put())
    session["bad"] = bad

    with pytest.raises(SessionRefused) as refusal:
        session.save()
    assert refusal.value.name == "bad"


def test_a_value_that_was_made_unkeepable_inside_is_refused(visit):
    key = visit.put(cart=[])
    session = visit.session(key)
    session["cart"].append((1, 2))

    with pytest.raises(SessionRefused):
        session.save()
    assert visit.data(key) == {"cart": []}


def test_two_requests_that_read_the_same_and_change_different_keys_both_survive(visit):
    key = visit.put(a=1, b=1, cart=[])
    one, other = visit.session(key), visit.session(key)
    one["a"] = one["a"] + 1
    other["cart"].append("tea")
    other["b"] = other["b"] + 1
    other.save()
    one.save()

    assert visit.data(key) == {"a": 2, "b": 2, "cart": ["tea"]}
