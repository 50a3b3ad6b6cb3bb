"""During an outage of the cache a single request probes it now and then; the others do not wait."""

import pytest

from hopproof.memcached.breaker import Breaker
from hopproof.memcached.cache import CacheUnavailable


class Cache:
    def __init__(self):
        self.is_down, self.asked = True, 0

    def gets(self, name):
        self.asked += 1
        if self.is_down:
            raise CacheUnavailable("the test says so")


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def cache():
    return Cache()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def breaker(cache, clock):
    return Breaker(cache, now=clock)


def fail(breaker):
    with pytest.raises(CacheUnavailable):
        breaker.gets("a")


def test_a_cache_that_answers_is_asked_every_time(cache, breaker):
    cache.is_down = False
    for _ in range(3):
        breaker.gets("a")

    assert cache.asked == 3


def test_a_cache_that_has_just_failed_is_asked_by_nobody(cache, breaker):
    for _ in range(3):
        fail(breaker)

    assert cache.asked == 1


def test_after_a_second_one_asks_and_the_others_do_not(cache, breaker, clock):
    fail(breaker)
    clock.now += 1.1
    cache.gets = lambda name: fail_beside(cache, breaker)
    fail(breaker)

    assert cache.asked == 2


def fail_beside(cache, breaker):
    """Let a second request come while the first one asks."""
    cache.asked += 1
    fail(breaker)
    raise CacheUnavailable("the test says so")


def test_the_longer_it_is_away_the_more_seldom_it_is_asked(cache, breaker, clock):
    for _ in range(600):
        fail(breaker)
        clock.now += 0.1

    assert cache.asked == 10, "at 0, 1, 3, 7, 15, 23, 31, 39, 47 and 55 s"


def test_a_cache_that_answers_again_is_asked_every_time_again(cache, breaker, clock):
    fail(breaker)
    clock.now += 1.1
    cache.is_down = False
    for _ in range(3):
        breaker.gets("a")

    assert cache.asked == 4


def test_an_outage_is_logged_once_and_so_is_its_end(cache, breaker, clock, caplog):
    for _ in range(5):
        fail(breaker)
        clock.now += 3
    cache.is_down = False
    clock.now += 10
    breaker.gets("a")

    assert [record.message.split(":")[0] for record in caplog.records] == [
        "going on without the cache",
        "the cache answers again",
    ]
