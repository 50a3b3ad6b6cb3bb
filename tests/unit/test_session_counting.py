import pytest

from hopproof.handler import Change, SessionRefused


def test_adding_acts_at_once_and_without_reading(visit):
    key = visit.put(n=1)

    assert visit.session(key).add("n") == 2
    assert visit.handler.verbs == ["write"]
    assert visit.data(key) == {"n": 2}


def test_appending_acts_at_once_and_without_reading(visit):
    key = visit.put(list=["a"])

    assert visit.session(key).append("list", "b") == 2
    assert visit.handler.verbs == ["write"]
    assert visit.data(key) == {"list": ["a", "b"]}


def test_adding_creates_a_session_where_there_is_none(visit):
    session = visit.session()

    assert session.add("n", 5) == 5
    assert visit.data(session.key) == {"n": 5}


def test_appending_creates_a_session_where_there_is_none(visit):
    session = visit.session()

    assert session.append("list", "a") == 1
    assert visit.data(session.key) == {"list": ["a"]}


@pytest.mark.parametrize("read_first", [False, True])
def test_what_was_added_is_what_is_read_afterwards(visit, read_first):
    session = visit.session(visit.put(n=1))
    if read_first:
        assert session["n"] == 1
    session.add("n")

    assert session["n"] == 2


@pytest.mark.parametrize("read_first", [False, True])
def test_what_was_appended_is_what_is_read_afterwards(visit, read_first):
    session = visit.session(visit.put(list=["a"]))
    if read_first:
        assert session["list"] == ["a"]
    session.append("list", "b")

    assert session["list"] == ["a", "b"]


def test_counting_is_saved_once_and_not_again_at_the_end(visit):
    key = visit.put(n=1, list=[])
    session = visit.session(key)
    assert session["n"] == 1
    session.add("n")
    session.append("list", "a")
    visit.handler.calls.clear()
    session.save()

    assert visit.handler.verbs == []


@pytest.mark.parametrize("has_cookie", [True, False])
@pytest.mark.parametrize("read_first", [True, False])
def test_adding_to_a_value_that_was_just_set_counts_from_there(visit, has_cookie, read_first):
    session = visit.session(visit.put(n=1) if has_cookie else None)
    if read_first:
        len(session)
    session["n"] = 5

    assert session.add("n") == 6
    assert session["n"] == 6


@pytest.mark.parametrize("has_cookie", [True, False])
@pytest.mark.parametrize("read_first", [True, False])
def test_appending_to_a_list_that_was_just_set_extends_it(visit, has_cookie, read_first):
    session = visit.session(visit.put() if has_cookie else None)
    if read_first:
        len(session)
    session["list"] = ["a"]

    assert session.append("list", "b") == 2
    assert session["list"] == ["a", "b"]


@pytest.mark.parametrize("has_cookie", [True, False])
def test_a_count_of_another_request_survives_the_end_of_one_that_set_and_added(visit, has_cookie):
    session = visit.session(visit.put(n=1) if has_cookie else None)
    len(session)
    session["n"] = 5
    session.add("n")
    visit.store.write(session.key, Change(add=("n", 1)))
    session.save()

    assert visit.data(session.key) == {"n": 7}


@pytest.mark.parametrize("read_first", [True, False])
def test_an_append_of_another_request_survives_the_end_of_one_that_set_and_appended(visit, read_first):
    session = visit.session(visit.put())
    if read_first:
        len(session)
    session["list"] = ["a"]
    session.append("list", "b")
    visit.store.write(session.key, Change(append=("list", "c")))
    session.save()

    assert visit.data(session.key) == {"list": ["a", "b", "c"]}


def test_adding_to_a_value_that_was_just_removed_counts_from_zero(visit):
    key = visit.put(n=41)
    session = visit.session(key)
    session.remove("n")

    assert session.add("n") == 1
    assert session["n"] == 1
    assert visit.data(key) == {"n": 1}


def test_pending_changes_are_saved_before_counting(visit):
    session = visit.session(visit.put())
    session["a"] = 1
    session.add("n")

    assert visit.handler.changes == [Change(set={"a": 1}), Change(add=("n", 1))]


def test_a_value_that_was_lent_before_an_add_and_changed_after_it_is_saved(visit):
    key = visit.put(cart=[], n=0)
    session = visit.session(key)
    cart = session["cart"]
    session.add("n")
    cart.append("Sencha")
    session.save()

    assert visit.data(key) == {"cart": ["Sencha"], "n": 1}


def test_a_value_that_was_set_before_an_add_and_changed_after_it_is_saved(visit):
    session = visit.session()
    session["cart"] = cart = []
    session.add("n")
    cart.append("Sencha")
    session.save()

    assert visit.data(session.key) == {"cart": ["Sencha"], "n": 1}


def test_a_list_that_was_appended_to_and_then_changed_is_saved(visit):
    key = visit.put(list=["a"])
    session = visit.session(key)
    items = session["list"]
    session.append("list", "b")
    items.remove("a")
    session.save()

    assert visit.data(key) == {"list": ["b"]}


def test_an_item_that_was_appended_and_then_changed_is_saved(visit):
    key = visit.put(list=[])
    session = visit.session(key)
    len(session)
    item = {"n": 1}
    session.append("list", item)
    item["n"] = 2
    session.save()

    assert visit.data(key) == {"list": [{"n": 2}]}


def test_setting_after_adding_replaces_the_count(visit):
    key = visit.put(n=1)
    session = visit.session(key)
    session.add("n")
    session["n"] = 10
    session.save()

    assert visit.data(key) == {"n": 10}


def test_counting_what_cannot_be_counted_is_refused(visit):
    with pytest.raises(SessionRefused):
        visit.session(visit.put(n="text")).add("n")


def test_pending_changes_stay_done_when_the_count_is_refused(visit):
    key = visit.put(n="text")
    session = visit.session(key)
    session["a"] = 1
    with pytest.raises(SessionRefused):
        session.add("n")
    session.save()

    assert visit.data(key) == {"n": "text", "a": 1}


def test_appending_to_what_another_request_has_just_made_a_list_is_no_error(visit):
    key = visit.put(list="text")
    session = visit.session(key)
    assert session["list"] == "text"
    visit.store.write(key, Change(set={"list": ["theirs"]}))
    assert session.append("list", "mine") == 2
    session.save()

    assert visit.data(key) == {"list": ["theirs", "mine"]}
