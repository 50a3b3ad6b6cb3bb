import pytest

from config import read_config
from hopproof.handler import Lifetimes
from hopproof.memcached.alone import MemcachedHandler
from hopproof.memcached.copies import CachedHandler
from hopproof.mysql import MySQLHandler
from store import janitor_handlers, mysql_handlers, web_handlers


@pytest.fixture
def new_handler(tmp_path):
    secret = tmp_path / "password"
    secret.write_text("s3cret")

    def new_handler(**env):
        return mysql_handlers(read_config({**env, "DB_PASSWORD_FILE": str(secret)}), connections=3)

    return new_handler


def test_every_request_gets_a_handler_of_its_own_on_one_pool(new_handler):
    make = new_handler()
    one, other = make(), make()

    assert one is not other
    assert one.pool is other.pool


def test_the_settings_reach_the_handler(new_handler):
    handler = new_handler(
        SESSION_IDLE_S="100",
        SESSION_ABSOLUTE_S="200",
        TOMBSTONE_S="30",
        SESSION_MAX_BYTES="1000",
        SESSION_ANONYMOUS_IDLE_S="90",
        SESSION_ANONYMOUS_MAX_BYTES="500",
        STORE_DEADLINE_S="1.5",
        JANITOR_BATCH="7",
        JANITOR_PAUSE_MS="20",
    )()

    assert handler.lifetimes == Lifetimes(idle_s=100, absolute_s=200, tombstone_s=30, anonymous_idle_s=90)
    assert (handler.max_bytes, handler.anonymous_max_bytes, handler.deadline_s) == (1000, 500, 1.5)
    assert (handler.clean_batch, handler.clean_pause_s) == (7, 0.02)


@pytest.fixture
def settings(tmp_path):
    secret = tmp_path / "password"
    secret.write_text("s3cret")
    return lambda **env: read_config({**env, "DB_PASSWORD_FILE": str(secret)})


@pytest.mark.parametrize(
    ("env", "web", "janitor"),
    [
        ({}, MySQLHandler, MySQLHandler),
        ({"CACHE": "memcached"}, CachedHandler, MySQLHandler),
        ({"STORE": "memcached"}, MemcachedHandler, MemcachedHandler),
    ],
    ids=["default", "cache", "store"],
)
def test_the_settings_choose_the_handlers(settings, env, web, janitor):
    assert type(web_handlers(settings(**env))()) is web
    assert type(janitor_handlers(settings(**env), should_continue=lambda: True)()) is janitor


def test_all_requests_of_a_process_share_what_it_knows_of_the_cache(settings):
    make = web_handlers(settings(CACHE="memcached", CACHE_TTL_S="7"))
    one, other = make(), make()

    assert one.cache is other.cache
    assert one.lookout is other.lookout
    assert one.lookout.ttl_s == 7
    assert one.switch.handler is one.inner is not other.inner


def test_the_settings_reach_the_handler_on_memcached(settings):
    handler = web_handlers(settings(STORE="memcached", SESSION_IDLE_S="100", STORE_DEADLINE_S="1.5"))()

    assert (handler.lifetimes.idle_s, handler.deadline_s) == (100, 1.5)
