from hopproof.handler import Change


def test_a_session_that_was_read_is_touched_when_that_is_due(visit):
    key = visit.put(a=1)
    visit.now += 61
    session = visit.session(key, touch_after_s=60)
    assert session["a"] == 1
    session.save()

    assert visit.handler.changes == [Change()]
    assert visit.store.read(key).ttl_s == 1800


def test_a_session_is_not_touched_before_that_is_due(visit):
    key = visit.put(a=1)
    visit.now += 60
    session = visit.session(key, touch_after_s=60)
    assert session["a"] == 1
    session.save()

    assert visit.handler.changes == []


def test_a_session_is_touched_once_in_a_touch_interval(visit):
    key = visit.put(a=1)
    for _ in range(30):
        visit.now += 10
        session = visit.session(key, touch_after_s=60)
        assert session["a"] == 1
        session.save()

    assert len(visit.handler.changes) == 4


def test_a_session_that_was_not_read_is_not_touched(visit):
    key = visit.put(a=1)
    visit.now += 1000
    visit.session(key).save()

    assert visit.handler.verbs == []


def test_a_change_needs_no_touch(visit):
    key = visit.put(a=1)
    visit.now += 1000
    session = visit.session(key)
    session["a"] = session["a"] + 1
    session.save()

    assert visit.handler.verbs == ["read", "write"]


def test_a_count_needs_no_touch(visit):
    key = visit.put(n=1)
    visit.now += 1000
    session = visit.session(key)
    assert session["n"] == 1
    session.add("n")
    session.save()

    assert visit.handler.verbs == ["read", "write"]


def test_a_session_near_its_absolute_timeout_is_not_touched_in_vain(visit):
    key = visit.put(a=1)
    for _ in range(43):
        visit.now += 1000
        visit.store.write(key, Change())
    session = visit.session(key)
    assert session["a"] == 1
    session.save()

    assert visit.handler.changes == []


def test_a_touch_that_fails_does_not_spoil_the_answer(visit, caplog):
    key = visit.put(a=1)
    visit.now += 1000
    session = visit.session(key)
    assert session["a"] == 1
    visit.handler.is_down = True
    session.save()

    assert "not extended" in caplog.text


def test_a_touch_of_a_session_that_just_ended_does_not_spoil_the_answer(visit):
    key = visit.put(a=1)
    visit.now += 1000
    session = visit.session(key)
    assert session["a"] == 1
    visit.store.destroy(key)
    session.save()

    assert visit.data(key) is None
