"""Copies in front of a store: the claims of the module's docstring, one interleaving after the other."""

import pytest
from servers import Server, Servers

from hopproof.handler import Change, SessionConflict, SessionRefused, SessionStoreUnavailable
from hopproof.memcached.copies import LEASE, LEASE_S, name_of
from hopproof.memcached.marks import MARK_S

NEW, OLD = {"a": 2}, {"a": 1}


@pytest.fixture
def servers() -> Servers:
    return Servers()


@pytest.fixture
def one(servers: Servers) -> Server:
    return servers.new()


@pytest.fixture
def two(servers: Servers) -> Server:
    return servers.new()


@pytest.fixture
def three(servers: Servers) -> Server:
    return servers.new()


@pytest.fixture
def past_the_cache(servers: Servers) -> Server:
    """Return a server that is cut off from the cache, and so reads the table only."""
    server = servers.new()
    server.line.is_cut = True
    return server


# A copy saves a read of the table


def test_what_one_server_has_read_another_need_not_read(servers, one, two):
    key = servers.put(a=1)
    one.data(key)

    assert two.data(key) == OLD
    assert two.store.reads == 0


def test_an_unknown_key_leaves_no_copy(servers, one):
    assert one.data(bytes(32)) is None
    servers.memory.write(bytes(32), Change(set={"a": 1}, create=True))

    assert one.data(bytes(32)) == OLD


def test_a_copy_has_less_time_left_the_older_it_is(servers, one):
    key = servers.put_copied(one, a=1)
    before = one.handler.read(key).ttl_s
    servers.clock.now += 3

    assert before - one.handler.read(key).ttl_s in (3, 4)


def test_a_copy_older_than_it_may_be_is_not_served_by_whatever_cache(servers, one):
    key = servers.put_copied(one, a=1)
    for name, (value, _, token) in servers.cache.items.items():
        servers.cache.items[name] = (value, float("inf"), token)
    servers.clock.now += 5.5
    servers.memory.write(key, Change(set={"a": 2}))

    assert one.data(key) == NEW


def test_a_session_that_has_expired_is_served_from_no_copy(servers, one):
    servers.memory.lifetimes = type(servers.memory.lifetimes)(idle_s=3)
    key = servers.put_copied(one, a=1)
    servers.clock.now += 3

    assert one.data(key) is None


def test_a_copy_in_a_form_of_another_version_is_none(servers, one):
    key = servers.put_copied(one, a=1)
    servers.cache.set(name_of(key), b'{"data":{},"colour":"blue","read_at":1}', 5)

    assert one.data(key) == OLD
    assert not one.reads_from_table(key)


def test_what_is_served_is_a_copy_of_its_own(servers, one):
    key = servers.put_copied(one, cart=["tea"])
    one.handler.read(key).data["cart"].append("stolen")

    assert one.data(key) == {"cart": ["tea"]}


@pytest.mark.parametrize(
    ("act", "trips"),
    [
        (lambda server, key: server.data(key), ["gets", "add", "gets", "cas"]),
        (lambda server, key: server.set(key, a=2), ["add", "gets", "remove"]),
        (lambda server, key: server.handler.write(bytes(32), Change(create=True)), []),
    ],
    ids=["read", "write", "create"],
)
def test_trips_to_the_cache_without_a_copy(servers, one, act, trips):
    key = servers.put(a=1)
    servers.cache.calls.clear()
    act(one, key)

    assert servers.cache.calls == trips


@pytest.mark.parametrize(
    ("act", "trips"),
    [
        (lambda server, key: server.data(key), ["gets"]),
        (lambda server, key: server.set(key, a=2), ["add", "gets", "cas", "gets", "remove"]),
        (
            lambda server, key: (server.handler.read(key), server.handler.write(key, Change(set={"a": 2}))),
            ["gets", "cas", "gets", "remove"],
        ),
        (lambda server, key: server.handler.write(key, Change()), ["gets", "remove"]),
    ],
    ids=["read", "write", "read and write", "touch"],
)
def test_trips_to_the_cache_with_a_copy(servers, one, act, trips):
    key = servers.put_copied(one, a=1)
    servers.cache.calls.clear()
    act(one, key)

    assert servers.cache.calls == trips


def test_a_crowd_of_hits_looks_at_the_switch_twice_a_second(servers, one):
    key = servers.put(a=1)
    for _ in range(100):
        one.data(key)
        servers.clock.now += 0.0625

    assert servers.switch.looked == 13


# No copy outlives a change


@pytest.mark.parametrize(
    ("end", "left"),
    [
        (lambda server, key: server.set(key, a=2), NEW),
        (lambda server, key: server.handler.destroy(key), None),
        (lambda server, key: server.handler.write(key, Change(rotate_to=bytes(32))), None),
        (lambda server, key: server.handler.end_one_of_user("ada", key), None),
        (lambda server, key: server.handler.end_user("ada"), None),
    ],
    ids=["change", "logout", "rotation", "logout from the list", "logout everywhere"],
)
@pytest.mark.parametrize("is_cut", [False, True], ids=["", "cut off"])
def test_after_the_answer_no_server_serves_the_older_copy(servers, one, two, end, left, is_cut):
    key = servers.put("ada", a=1)
    two.data(key)
    one.line.is_cut = is_cut
    end(one, key)

    assert two.data(key) == left


def test_a_slow_reader_does_not_put_back_what_a_change_removed(servers, one, two):
    key = servers.put(a=1)
    one.store.after = lambda verb: two.set(key, a=2)
    one.data(key)

    assert two.data(key) == NEW


def test_a_slow_reader_whose_lease_ran_out_does_not_put_back_the_old(servers, one, two):
    key = servers.put(a=1)

    def later(verb):
        servers.clock.now += LEASE_S + 1
        two.set(key, a=2)
        two.data(key)

    one.store.after = later
    one.data(key)

    assert two.data(key) == NEW


def test_nobody_is_served_the_old_once_somebody_was_shown_the_new(servers, one, two, past_the_cache):
    key = servers.put_copied(two, a=1)
    seen = []

    def committed(verb):
        seen.append(past_the_cache.data(key))
        seen.append(two.data(key))

    one.store.after = committed
    one.set(key, a=2)

    assert seen == [NEW, NEW]


def test_nobody_fills_while_a_change_is_under_way(servers, one, two, past_the_cache):
    key = servers.put(a=1)
    seen = []

    def committed(verb):
        seen.append(past_the_cache.data(key))
        seen.append(two.data(key))

    one.store.before = lambda verb: two.data(key)
    one.store.after = committed
    one.set(key, a=2)

    assert seen == [NEW, NEW]


def test_one_writer_does_not_uncover_the_session_for_another(servers, one, two, three, past_the_cache):
    key = servers.put(a=1)
    seen = []

    def before_commit(verb):
        two.set(key, b=1)
        three.data(key)

    def committed(verb):
        seen.append(past_the_cache.data(key))
        seen.append(three.data(key))

    one.store.before, one.store.after = before_commit, committed
    one.set(key, a=2)

    assert seen == [{"a": 2, "b": 1}] * 2


def test_the_last_of_several_writers_uncovers_the_session(servers, one, two, three):
    key = servers.put(a=1)
    one.store.before = lambda verb: two.set(key, b=1)
    one.set(key, a=2)
    three.data(key)

    assert not three.reads_from_table(key)


def test_in_a_crowd_of_writers_the_session_stays_covered(servers, one, two, three):
    key = servers.put_copied(two, a=1)

    def faster(verb):
        if verb == "cas":
            servers.cache.set(name_of(key), b"mark 1", MARK_S)

    one.line.before = faster
    one.store.before = lambda verb: three.data(key)
    one.set(key, a=2)

    assert three.data(key) == NEW


def test_a_cache_that_lost_the_mark_serves_nothing_old_after_the_answer(servers, one, two):
    key = servers.put_copied(two, a=1)

    def restart(verb):
        servers.cache.items.clear()
        two.data(key)

    one.store.before = restart
    one.set(key, a=2)

    assert two.data(key) == NEW


def test_a_cache_that_lost_the_mark_keeps_no_lease_from_before_the_answer(servers, one):
    key = servers.put(a=1)
    leases = []

    def restart(verb):
        servers.cache.items.clear()
        servers.cache.add(name_of(key), LEASE + b"of two", LEASE_S)
        leases.append(servers.cache.gets(name_of(key)))

    one.store.before = restart
    one.set(key, a=2)

    assert not servers.cache.cas(name_of(key), b"what two has read before", leases[0].token, 5)


# A cache that fails a writer


def test_the_first_write_of_an_outage_waits_until_all_have_noticed_and_no_other_does(servers, one):
    key = servers.put(a=0)
    one.line.is_cut = True
    for a in range(5):
        one.set(key, a=a)

    assert servers.slept == [pytest.approx(1.1)]


def test_a_write_beside_the_first_one_of_an_outage_waits_as_well(servers, one, two):
    key = servers.put_copied(two, a=1)
    one.line.is_cut = True
    one.lookout.turn_off(servers.switch)
    servers.clock.now += 0.4
    one.set(key, a=2)

    assert servers.slept == [pytest.approx(0.7)]
    assert two.data(key) == NEW


def test_a_server_that_starts_waits_before_its_first_visitor_and_not_with_one(servers, one):
    key = servers.put(a=1)
    one.lookout.turn_off(servers.switch)
    starting = servers.new()
    starting.handler.settle()
    assert servers.slept == [pytest.approx(1.1)]
    starting.set(key, a=2)

    assert servers.slept == [pytest.approx(1.1)]


def test_a_server_that_starts_waits_for_nothing_while_copies_are_served(servers, one):
    one.handler.settle()

    assert servers.slept == []


def test_nobody_asks_a_cache_that_is_switched_off(servers, one, two):
    key = servers.put_copied(two, a=1)
    one.line.is_cut = True
    one.set(key, a=2)
    servers.cache.calls.clear()
    two.data(key)
    one.line.is_cut = False
    one.set(key, a=3)
    one.data(key)

    assert servers.cache.calls == []


def test_a_server_that_is_cut_off_keeps_the_cache_off_for_all(servers, one, two):
    key = servers.put_copied(two, a=0)
    one.line.is_cut = True
    for a in range(1, 20):
        one.set(key, a=a)
        assert two.data(key) == {"a": a}
        servers.clock.now += 1
        assert two.data(key) == {"a": a}

    assert len(servers.slept) == 1, "only the first write has anything to wait for"


def test_copies_come_back_some_time_after_the_outage(servers, one, two):
    key = servers.put_copied(two, a=1)
    one.line.is_cut = True
    one.set(key, a=2)
    one.line.is_cut = False
    servers.clock.now += 3 * 5
    two.data(key)

    assert not two.reads_from_table(key)


def test_no_copy_from_before_an_unconfirmed_write_is_served_when_the_cache_is_on_again(servers, one, two):
    key = servers.put_copied(two, a=1)
    for name, (value, _, token) in servers.cache.items.items():
        servers.cache.items[name] = (value, float("inf"), token)  # a frozen memcached expires nothing
    one.line.is_cut = True
    one.set(key, a=2)
    for _ in range(200):
        servers.clock.now += 0.1
        assert two.data(key) == NEW


def test_a_cache_that_is_lost_in_the_middle_of_a_write_is_switched_off(servers, one, two):
    key = servers.put_copied(two, a=1)

    def lose(verb):
        servers.cache.items.clear()
        two.data(key)
        one.line.is_cut = True

    one.store.before = lose
    one.set(key, a=2)

    assert two.data(key) == NEW


def test_a_write_that_takes_longer_than_the_switch_stays_off_renews_it(servers, one, two):
    key = servers.put_copied(two, a=1)
    one.line.is_cut = True

    def stall(verb):
        servers.clock.now += 14.5
        two.data(key)

    one.store.before = stall
    one.set(key, a=2)

    for _ in range(100):
        assert two.data(key) == NEW
        servers.clock.now += 0.1


def test_a_writer_that_slept_through_the_end_of_the_switch_waits_again(servers, one, two):
    key = servers.put(a=1)
    one.line.is_cut = True

    def sleep(verb):
        servers.clock.now += 20
        two.data(key)
        assert not two.reads_from_table(key)

    one.store.before = sleep
    one.set(key, a=2)

    assert two.data(key) == NEW


def test_without_cache_and_switch_nothing_is_written(servers, one):
    key = servers.put(a=1)
    one.line.is_cut = True
    servers.switch.is_down = True

    with pytest.raises(SessionStoreUnavailable):
        one.set(key, a=2)
    assert servers.memory.read(key).data == OLD


def test_a_server_that_cannot_see_the_switch_serves_no_copy(servers, one, two):
    key = servers.put_copied(two, a=1)
    servers.switch.is_down = True
    servers.clock.now += 1

    assert two.reads_from_table(key)


def test_a_server_that_stood_still_with_a_copy_in_its_hands_does_not_serve_it(servers, one, two):
    key = servers.put_copied(two, a=1)

    def stand_still(verb):
        two.line.after = lambda verb: None
        one.line.is_cut = True
        one.set(key, a=2)

    two.line.after = stand_still

    assert two.data(key) == NEW


def test_a_touch_is_not_kept_waiting_by_an_outage(servers, one):
    key = servers.put_copied(one, a=1)
    one.line.is_cut = True
    one.handler.write(key, Change())

    assert (servers.slept, servers.switch.turned) == ([], 0)


def test_reading_goes_on_without_a_cache(servers, one):
    key = servers.put(a=1)
    one.line.is_cut = True

    assert one.data(key) == OLD


# Writes that end otherwise


def test_a_write_whose_answer_got_lost_is_hidden_from_then_on(servers, one, two, past_the_cache):
    key = servers.put_copied(two, a=1)

    def lose(verb):
        raise SessionStoreUnavailable("the answer got lost")

    one.store.after = lose
    with pytest.raises(SessionStoreUnavailable):
        one.set(key, a=2)

    assert [past_the_cache.data(key), two.data(key)] == [NEW, NEW]


def test_a_write_that_happens_after_its_answer_got_lost_is_hidden_too(servers, one, two, past_the_cache):
    key = servers.put_copied(two, a=1)

    def lose(verb):
        raise SessionStoreUnavailable("nobody waited for the answer")

    one.store.before = lose
    with pytest.raises(SessionStoreUnavailable):
        one.set(key, a=2)
    servers.clock.now += MARK_S - 1
    two.data(key)
    servers.memory.write(key, Change(set={"a": 2}))

    assert [past_the_cache.data(key), two.data(key)] == [NEW, NEW]


def test_a_refused_write_leaves_no_mark(servers, one):
    key = servers.put(a="text")
    with pytest.raises(SessionRefused):
        one.handler.write(key, Change(add=("a", 1)))
    one.data(key)

    assert not one.reads_from_table(key)


def test_after_a_conflict_the_request_reads_the_table(servers, one):
    key = servers.put_copied(one, a=1)
    one.handler.open()
    with pytest.raises(SessionConflict):
        one.handler.write(key, Change(set={"a": 2}, expected_version=7))
    before = one.store.reads
    one.handler.read(key)
    one.handler.read(key)

    assert one.store.reads == before + 2
    one.data(key)
    assert not one.reads_from_table(key), "the next request has nothing to fear"


def test_a_login_beside_a_logout_everywhere_does_not_escape_it(servers, one, two):
    key = servers.put("ada", a=1)
    one.store.before = lambda verb: two.handler.write(key, Change(user="ada", rotate_to=bytes(32)))
    two.data(bytes(32))

    one.handler.end_user("ada")
    assert two.data(bytes(32)) is None


def test_logging_out_everywhere_tells_how_many_sessions_there_were(servers, one):
    for _ in range(3):
        servers.put("ada")

    assert one.handler.end_user("ada") == 3
