"""Memcached alone: several servers at once, and answers that get lost."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain

import pytest
from our_worlds import MemcachedWorld
from test_unreachable import GENEROUS_S, VERBS, free_port
from worlds import new_key

from hopproof.handler import Change, SessionGone, SessionStoreUnavailable
from hopproof.memcached.alone import MemcachedHandler
from hopproof.memcached.cache import CacheUnavailable
from hopproof.memcached.client import Memcached
from hopproof.memcached.clock import MemcachedClock

pytestmark = pytest.mark.memcached

SERVERS, EACH = 8, 25


@pytest.fixture
def alone(memcached):
    world = MemcachedWorld(memcached.client)
    yield world
    world.close()


def at_once(alone, act):
    """Return the answers of eight servers that act at the same time."""

    def answer(handler):
        try:
            return act(handler)
        except SessionGone:
            return "gone"

    with ThreadPoolExecutor(SERVERS) as executor:
        return list(executor.map(answer, [alone.new_handler() for _ in range(SERVERS)]))


class LostAnswer:
    """The items, with a first swap that is done but not confirmed."""

    def __init__(self, items):
        self.items, self.is_lost = items, False

    def __getattr__(self, verb):
        return getattr(self.items, verb)

    def cas(self, *arguments):
        done = self.items.cas(*arguments)
        if not self.is_lost:
            self.is_lost = True
            raise CacheUnavailable("the answer got lost")
        return done


class LoginBeside:
    """The items, with a login right before a session is asked for the first time."""

    def __init__(self, items, login):
        self.items, self.login = items, login

    def __getattr__(self, verb):
        return getattr(self.items, verb)

    def gets(self, name):
        if name.startswith("session:") and self.login:
            login, self.login = self.login, None
            login()
        return self.items.gets(name)


def on(alone, items):
    handler = replace(alone.new_handler(), items=items)
    handler.open()
    return handler


def test_no_count_is_lost_and_no_number_is_given_twice(alone):
    key = alone.put(n=100)

    answers = at_once(alone, lambda handler: [handler.write(key, Change(add=("n", 1))) for _ in range(EACH)])

    assert sorted(chain(*answers)) == list(range(101, 101 + SERVERS * EACH))


def test_of_all_logins_at_once_exactly_one_wins_and_the_others_leave_nothing(alone):
    key, new_keys = alone.put(), [new_key() for _ in range(SERVERS)]
    left = iter(new_keys)

    answers = at_once(alone, lambda handler: handler.write(key, Change(user="ada", rotate_to=next(left))))

    assert answers.count("gone") == SERVERS - 1
    assert sum(alone.new_handler().read(new) is not None for new in new_keys) == 1
    assert len(alone.new_handler().sessions_of_user("ada")) == 1


def test_every_login_of_a_user_is_listed(alone):
    at_once(alone, lambda handler: handler.write(new_key(), Change(create=True, user="ada")))

    assert len(alone.new_handler().sessions_of_user("ada")) == SERVERS


def test_a_login_beside_a_logout_everywhere_does_not_escape_it(alone):
    old, new = alone.put("ada"), new_key()
    login = LoginBeside(
        alone.memcached, lambda: alone.new_handler().write(old, Change(user="ada", rotate_to=new))
    )
    on(alone, login).end_user("ada")

    assert login.login is None
    assert alone.new_handler().read(new) is None


def test_a_write_whose_answer_got_lost_is_not_repeated(alone):
    key = alone.put(n=1)
    handler = on(alone, LostAnswer(alone.memcached))

    with pytest.raises(SessionStoreUnavailable):
        handler.write(key, Change(add=("n", 1)))
    assert alone.new_handler().read(key).data == {"n": 2}


def test_a_login_whose_answer_got_lost_loses_no_data(alone):
    old, new = alone.put(n=1), new_key()
    handler = on(alone, LostAnswer(alone.memcached))

    with pytest.raises(SessionStoreUnavailable):
        handler.write(old, Change(rotate_to=new))
    assert alone.new_handler().read(new).data == {"n": 1}


def test_what_is_stored_reads_as_json_anywhere(alone):
    key = new_key()
    alone.new_handler().write(key, Change(set={"é": [1.5, "🍵"]}, user="ada", create=True))
    (row,) = alone.rows()
    stored = json.loads(row)

    assert (stored["data"], stored["version"], stored["user"]) == ({"é": [1.5, "🍵"]}, 1, "ada")
    assert 1700 < stored["expires_at"] - time.time() < 1900


def test_the_clock_is_memcacheds(memcached):
    clock = MemcachedClock(memcached.client, every_s=0)
    told = [clock.now() for _ in range(50)]

    assert told == sorted(told)
    # An idle memcached looks at its clock once a second, one that waits for the processor later.
    assert told[-1] == pytest.approx(time.time(), abs=60)


def test_a_session_that_memcached_dropped_reads_as_unknown(alone):
    key = alone.put(a=1)
    alone.close()

    assert alone.new_handler().read(key) is None
    with pytest.raises(SessionGone) as gone:
        alone.new_handler().write(key, Change(set={"a": 2}))
    assert not gone.value.ended


def handler_at(port):
    memcached = Memcached("127.0.0.1", port, timeout_s=0.3)
    handler = MemcachedHandler(memcached, MemcachedClock(memcached))
    handler.open()
    return handler


ASKING = {name: verb for name, verb in VERBS.items() if name != "clean"}
each_verb = pytest.mark.parametrize("verb", [pytest.param(verb, id=name) for name, verb in ASKING.items()])


@each_verb
def test_a_refused_connection_is_an_outage(verb):
    with pytest.raises(SessionStoreUnavailable):
        verb(handler_at(free_port()))


@each_verb
def test_a_memcached_that_stays_silent_is_an_outage_within_the_timeout(silent_port, verb):
    handler = handler_at(silent_port)
    started = time.monotonic()

    with pytest.raises(SessionStoreUnavailable):
        verb(handler)
    assert time.monotonic() - started < GENEROUS_S
