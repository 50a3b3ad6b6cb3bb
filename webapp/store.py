"""Config → session handlers, for the web servers and the janitor."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread

from config import Config
from hopproof.handler import Lifetimes, ListingHandler, SessionStoreUnavailable
from hopproof.memcached.alone import MemcachedHandler
from hopproof.memcached.breaker import Breaker
from hopproof.memcached.client import Memcached
from hopproof.memcached.clock import MemcachedClock
from hopproof.memcached.copies import CachedHandler
from hopproof.memcached.lookout import Lookout
from hopproof.memcached.mysql_switch import MySQLSwitch
from hopproof.mysql import Database, MySQLHandler


def web_handlers(config: Config) -> Callable[[], ListingHandler]:
    """Return a maker of the handlers that serve requests, on the configured store and cache."""
    if config.store == "memcached":
        return memcached_handlers(config)
    new_handler = mysql_handlers(config, config.db_pool)
    if config.cache == "none":
        return new_handler
    cache = Breaker(Memcached(config.memcached_host, config.memcached_port))
    lookout = Lookout(config.cache_ttl_s)

    def new_cached_handler() -> CachedHandler:
        inner = new_handler()
        return CachedHandler(inner, cache, MySQLSwitch(inner), lookout)

    return new_cached_handler


def answers(new_handler: Callable[[], ListingHandler]) -> bool:
    """Return whether the store answers now."""
    handler = new_handler()
    handler.open()
    try:
        handler.read(bytes(32))
    except SessionStoreUnavailable:
        return False
    finally:
        handler.close()
    return True


def connected(new_handler: Callable[[], ListingHandler]) -> Event:
    """Connect in the background; the event is set when visitors may come.

    A first write would have to wait for that, and for what else it needs. A store that is away keeps no
    server out.
    """
    is_connected = Event()

    def connect() -> None:
        handler = new_handler()
        handler.open()
        try:
            handler.read(bytes(32))
            if isinstance(handler, CachedHandler):
                handler.settle()
        except SessionStoreUnavailable:
            pass
        finally:
            handler.close()
            is_connected.set()

    Thread(target=connect, daemon=True).start()
    return is_connected


def janitor_handlers(
    config: Config, should_continue: Callable[[], bool] = lambda: True
) -> Callable[[], ListingHandler]:
    """Return a maker of the handlers that clean, until should_continue returns False.

    Copies need no cleaning: an expired one is never served.
    """
    if config.store == "memcached":
        return memcached_handlers(config)
    return mysql_handlers(config, connections=1, should_continue=should_continue)


def memcached_handlers(config: Config) -> Callable[[], MemcachedHandler]:
    """Return a maker of handlers that share this process's connections."""
    memcached = Memcached(config.memcached_host, config.memcached_port)
    clock = MemcachedClock(memcached)

    def new_handler() -> MemcachedHandler:
        return MemcachedHandler(
            memcached,
            clock,
            lifetimes(config),
            max_bytes=config.session_max_bytes,
            anonymous_max_bytes=config.session_anonymous_max_bytes,
            deadline_s=config.store_deadline_s,
        )

    return new_handler


def lifetimes(config: Config) -> Lifetimes:
    return Lifetimes(
        config.session_idle_s,
        config.session_absolute_s,
        config.tombstone_s,
        config.session_anonymous_idle_s,
    )


def mysql_handlers(
    config: Config, connections: int, should_continue: Callable[[], bool] = lambda: True
) -> Callable[[], MySQLHandler]:
    """Return a maker of handlers that share a pool of so many connections."""
    pool = database(config, connections).pool()

    def new_handler() -> MySQLHandler:
        return MySQLHandler(
            pool,
            lifetimes(config),
            max_bytes=config.session_max_bytes,
            anonymous_max_bytes=config.session_anonymous_max_bytes,
            deadline_s=config.store_deadline_s,
            clean_batch=config.janitor_batch,
            clean_pause_s=config.janitor_pause_ms / 1000,
            clean_grace_s=config.janitor_grace_s,
            should_continue=should_continue,
        )

    return new_handler


def database(config: Config, connections: int) -> Database:
    """Return the configured database, for so many connections of this process."""
    return Database(
        host=config.db_host,
        port=config.db_port,
        name=config.db_name,
        user=config.db_user,
        password=config.db_password(),
        connections=connections,
        tls=config.db_tls_context(),
    )
