"""Values that a framework keeps in another form than the stored one, through the codec of a session."""

from __future__ import annotations

from datetime import date

import pytest
from recorded import new_key

from hopproof.entries import Codec
from hopproof.handler import SessionRefused
from hopproof.session import Session


def to_json(value, name):
    if isinstance(value, set):
        raise SessionRefused("not-i-json", name, f"{name!r} is a set")
    if isinstance(value, tuple):
        return {"tuple": [to_json(item, name) for item in value]}
    if isinstance(value, date):
        return {"date": value.isoformat()}
    return [to_json(item, name) for item in value] if isinstance(value, list) else value


def from_json(value):
    match value:
        case {"tuple": items}:
            return tuple(map(from_json, items))
        case {"date": text}:
            return date.fromisoformat(text)
        case [*items]:
            return [from_json(item) for item in items]
        case _:
            return value


TAGGED = Codec(to_json, from_json)
DAY = date(2026, 2, 28)


@pytest.fixture
def session_of(visit):
    return lambda key=None: Session(visit.handler, key, new_key, codec=TAGGED)


def test_a_value_comes_back_as_it_was_and_is_stored_as_json(visit, session_of):
    session = session_of()
    session["point"] = (1, DAY)
    session.save()

    assert visit.data(session.key) == {"point": {"tuple": [1, {"date": "2026-02-28"}]}}
    assert session_of(session.key)["point"] == (1, DAY)


def test_a_value_that_was_only_read_is_not_written(visit, session_of):
    session = session_of(visit.put(point={"tuple": [1, []]}, day={"date": "2026-02-28"}))
    assert (session["point"], session["day"]) == ((1, []), DAY)
    session["day"] = DAY
    session.save()

    assert visit.handler.changes == []


def test_a_change_inside_a_value_of_the_frameworks_own_is_found(visit, session_of):
    session = session_of(visit.put(point={"tuple": [1, []]}))
    session["point"][1].append(DAY)
    session.save()

    assert visit.data(session.key) == {"point": {"tuple": [1, [{"date": "2026-02-28"}]]}}


def test_append_and_modify_speak_the_frameworks_form(visit, session_of):
    session = session_of(visit.put(days=[{"date": "2026-02-27"}], point={"tuple": [1, 2]}))
    assert session["days"] == [date(2026, 2, 27)]
    assert session.append("days", DAY) == 2
    assert session["days"] == [date(2026, 2, 27), DAY]
    assert session.modify("point", lambda point: (*point, 3)) == (1, 2, 3)

    assert visit.data(session.key) == {
        "days": [{"date": "2026-02-27"}, {"date": "2026-02-28"}],
        "point": {"tuple": [1, 2, 3]},
    }


def test_modify_decodes_what_a_faster_request_has_stored(visit, session_of):
    key = visit.put(point={"tuple": [1]})
    session, other = session_of(key), session_of(key)
    assert session["point"] == (1,)
    other["point"] = (2,)
    other.save()

    assert session.modify("point", lambda point: (*point, 3)) == (2, 3)


def test_what_is_kept_at_the_login_of_another_user_is_encoded_once(visit, session_of):
    session = session_of(visit.put("ada", old=1))
    assert session.user == "ada"
    session["point"] = (1, 2)
    session.login("bob")

    assert session["point"] == (1, 2)
    assert visit.data(session.key) == {"point": {"tuple": [1, 2]}}
    session.save()
    assert len(visit.handler.changes) == 1


@pytest.mark.parametrize("act", ["put", "append", "modify"])
def test_a_value_that_would_come_back_different_is_refused_by_its_name(visit, session_of, act):
    session = session_of(visit.put(a=1))
    acts = {
        "put": lambda: (session.update(tags={1}), session.save()),
        "append": lambda: session.append("tags", {1}),
        "modify": lambda: session.modify("tags", lambda tags: {1}),
    }
    with pytest.raises(SessionRefused) as refused:
        acts[act]()

    assert refused.value.name == "tags"
    assert visit.data(session.key) == {"a": 1}
