"""A memcached that is killed, frozen, or cut off from one server: no old read, no failed request."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from deadline import until
from memcached_server import Road, running_memcached
from worlds import new_key

from hopproof.handler import Change, SessionStoreUnavailable
from hopproof.memcached.client import Memcached
from hopproof.memcached.lookout import Lookout
from hopproof.memcached.mysql_switch import MySQLSwitch
from verify.deployment import freeze

pytestmark = pytest.mark.cached

# Short, so that the tests are short, too; the switch is then off for three seconds.
TTL_S, HORIZON_S, TIMEOUT_S = 1.0, 0.5, 0.2
# A slow machine's time, far below for ever.
GENEROUS_S = 20

CHANGES = {
    "change": (lambda handler, key: handler.write(key, Change(set={"a": 2})), {"a": 2}),
    "count": (lambda handler, key: handler.write(key, Change(add=("a", 1))), {"a": 2}),
    "logout": (lambda handler, key: handler.destroy(key), None),
    "rotation": (lambda handler, key: handler.write(key, Change(rotate_to=new_key())), None),
    "logout from the list": (lambda handler, key: handler.end_one_of_user("ada", key), None),
    "logout everywhere": (lambda handler, key: handler.end_user("ada"), None),
}
each_change = pytest.mark.parametrize(
    ("change", "left"), [pytest.param(*case, id=name) for name, case in CHANGES.items()]
)


@pytest.fixture
def road(memcached):
    road = Road(memcached.port)
    yield road
    road.close()


@pytest.fixture
def servers(cached_world):
    """Return a maker of handlers, each like a server with its own connection to memcached."""
    clients = []

    def server(port):
        clients.append(Memcached("127.0.0.1", port, timeout_s=TIMEOUT_S))
        return cached_world.new_handler(cache=clients[-1], lookout=Lookout(TTL_S, HORIZON_S))

    yield server
    for client in clients:
        client.close()


def data(handler, key):
    """Return the data that a request on this server reads, or None."""
    handler.open()
    stored = handler.read(key)
    handler.close()
    return stored and stored.data


def is_served_a_copy(handler, key):
    handler.open()  # the look at the switch asks the database
    inner, handler.inner = handler.inner, None
    try:
        return handler.read(key) is not None
    except AttributeError:
        return False
    finally:
        handler.inner = inner
        handler.close()


def is_copied_by_a_read(server, key):
    """Return whether one request on a server leaves a copy. Its clock stands still meanwhile."""
    at = time.monotonic()
    server.lookout.now = lambda: at
    data(server, key)
    is_copied = is_served_a_copy(server, key)
    server.lookout.now = time.monotonic
    return is_copied


def put_copied(world, server):
    key = world.put("ada", a=1)
    assert is_copied_by_a_read(server, key)
    return key


@pytest.fixture
def asked(road, monkeypatch):
    """The list of questions to the memcached at the end of the road."""
    asked, ask = [], Memcached.ask

    def listening(memcached, question):
        if memcached.port == road.port:
            asked.append(question)
        return ask(memcached, question)

    monkeypatch.setattr(Memcached, "ask", listening)
    return asked


@contextmanager
def within(seconds):
    started = time.monotonic()
    yield
    took = time.monotonic() - started
    assert took < seconds, f"took {took:.2f} s"


@each_change
def test_a_server_that_is_cut_off_leaves_no_copy_to_the_others(
    cached_world, memcached, servers, road, change, left
):
    other, one = servers(memcached.port), servers(road.port)
    key = put_copied(cached_world, other)
    road.block()
    with within(GENEROUS_S):
        change(one, key)

    assert data(other, key) == left


@each_change
def test_a_frozen_memcached_keeps_no_copy(cached_world, memcached, servers, change, left):
    one, other = servers(memcached.port), servers(memcached.port)
    key = put_copied(cached_world, other)
    freeze(memcached.container.get_wrapped_container())
    try:
        with within(GENEROUS_S):
            change(one, key)
        assert data(other, key) == left
    finally:
        memcached.container.get_wrapped_container().unpause()
    until(memcached.answers)

    assert data(other, key) == left


@each_change
def test_a_memcached_that_was_killed_stops_nobody(cached_world, servers, change, left):
    with running_memcached() as memcached:
        one, other = servers(memcached.port), servers(memcached.port)
        key = put_copied(cached_world, other)
        memcached.container.get_wrapped_container().kill()

        with within(GENEROUS_S):
            change(one, key)
        assert data(other, key) == left
        assert data(one, key) == left


def test_reading_goes_on_when_memcached_freezes_and_only_one_request_waits(
    cached_world, servers, road, asked
):
    one = servers(road.port)
    key = put_copied(cached_world, one)
    road.block()
    asked.clear()
    one.cache.first_pause_s = one.cache.longest_pause_s  # longer than this test takes on a slow machine
    with within(GENEROUS_S):
        assert data(one, key) == {"a": 1}

    assert [data(one, key) for _ in range(3)] == [{"a": 1}] * 3
    assert len(asked) == 1


def test_later_writes_of_an_outage_wait_for_nothing(cached_world, memcached, servers, road, asked):
    one = servers(road.port)
    key = cached_world.put(n=0)
    waited = []

    def wait(seconds):
        waited.append(seconds)
        time.sleep(seconds)

    one.sleep = wait
    one.cache.first_pause_s = one.cache.longest_pause_s  # longer than this test takes on a slow machine
    road.block()
    one.write(key, Change(add=("n", 1)))
    assert (len(asked), len(waited)) == (1, 1)
    for _ in range(5):
        one.write(key, Change(add=("n", 1)))

    assert (len(asked), len(waited)) == (1, 1)
    assert data(servers(memcached.port), key) == {"n": 6}


def test_copies_are_served_again_when_the_outage_is_over(cached_world, memcached, servers, road):
    one, other = servers(road.port), servers(memcached.port)
    key = put_copied(cached_world, other)
    road.block()
    one.write(key, Change(set={"a": 2}))
    road.unblock()

    def is_copied():
        assert data(other, key) == data(one, key) == {"a": 2}
        return is_served_a_copy(other, key) and is_served_a_copy(one, key)

    until(is_copied, 30, pause_s=0.1)


def test_a_memcached_that_lost_everything_serves_again_at_once(cached_world, memcached, servers):
    one = servers(memcached.port)
    key = put_copied(cached_world, one)
    memcached.client.ask(lambda connection: connection.flush_all())

    assert is_copied_by_a_read(one, key)


def test_nothing_is_acknowledged_that_neither_memcached_nor_the_switch_confirms(
    cached_world, servers, road, monkeypatch
):
    one = servers(road.port)
    key = cached_world.put(a=1)
    road.block()

    def no_answer(switch, seconds):
        raise SessionStoreUnavailable("the test says so")

    monkeypatch.setattr(MySQLSwitch, "turn_off", no_answer)
    with pytest.raises(SessionStoreUnavailable):
        one.write(key, Change(set={"a": 2}))
    assert cached_world.behind.new_handler().read(key).data == {"a": 1}


def test_what_waits_for_the_others_keeps_no_connection(cached_world, servers, road):
    one = servers(road.port)
    key = cached_world.put(a=1)
    one.read(key)
    kept = []
    one.sleep = lambda seconds: kept.append(one.inner.connection.held)
    road.block()
    one.write(key, Change(set={"a": 2}))

    assert set(kept) == {None}


class Record:
    """The highest count that any request was told so far."""

    def __init__(self):
        self.highest = 0
        self._lock = threading.Lock()

    def told(self, n):
        with self._lock:
            self.highest = max(self.highest, n)


def test_nobody_goes_back_while_the_ways_to_memcached_come_and_go(cached_world, memcached, servers):
    """Eight servers, one counter: no request is told less than an earlier one."""
    key, record, copies = cached_world.put(n=0), Record(), []
    roads = [Road(memcached.port) for _ in range(3)]
    ports = [memcached.port] * 5 + [road.port for road in roads]
    ends_at = time.monotonic() + 8

    def visit(handler, chance):
        while time.monotonic() < ends_at:
            at_least = record.highest
            handler.open()
            if chance.random() < 0.05:
                n = handler.write(key, Change(add=("n", 1)))
            else:
                n = handler.read(key).data["n"]
                if handler.inner.connection.held is None:
                    copies.append(n)
            handler.close()
            assert n >= at_least
            record.told(n)

    def block_now_and_then(chance):
        while time.monotonic() < ends_at:
            road = chance.choice(roads)
            road.block()
            time.sleep(0.3)
            road.unblock()
            time.sleep(chance.choice([0.1, 3.5]))

    with ThreadPoolExecutor(len(ports) + 1) as executor:
        visits = [executor.submit(visit, servers(port), random.Random(i)) for i, port in enumerate(ports)]
        visits.append(executor.submit(block_now_and_then, random.Random(0)))
    for road in roads:
        road.close()

    for visited in visits:
        visited.result()
    assert data(servers(memcached.port), key)["n"] == record.highest
    assert copies, "no copy was served: nothing was tested"


def test_the_switch_tells_the_databases_time(cached_world):
    handler = cached_world.new_handler()
    (now,) = cached_world.behind.admin.ask("SELECT UNIX_TIMESTAMP(NOW(6))")[0]
    seen = handler.switch.look()

    assert 0 <= seen.store_time - float(now) < 60
    assert seen.off_s < 0


def test_the_switch_turns_off_for_all_and_never_for_less(cached_world):
    one, other = cached_world.new_handler().switch, cached_world.new_handler().switch
    one.turn_off(60)
    one.turn_off(1)

    assert 50 < other.look().off_s <= 60


def test_a_switch_without_its_row_is_an_outage(cached_world):
    switch = cached_world.new_handler().switch
    cached_world.behind.admin.ask("UPDATE cache_switch SET id = 2")
    try:
        with pytest.raises(SessionStoreUnavailable, match="row 1"):
            switch.look()
        with pytest.raises(SessionStoreUnavailable, match="row 1"):
            switch.turn_off(1)
    finally:
        cached_world.behind.admin.ask("UPDATE cache_switch SET id = 1")
