"""Config → session handlers on MySQL, for the web servers and the janitor alike."""

from __future__ import annotations

from collections.abc import Callable

from config import Config
from sessions.handler import Lifetimes
from sessions.mysql import Database, MySQLHandler


def mysql_handlers(config: Config, connections: int) -> Callable[[], MySQLHandler]:
    """Return a maker of handlers that share a pool of so many connections."""
    pool = Database(
        host=config.db_host,
        port=config.db_port,
        name=config.db_name,
        user=config.db_user,
        password=config.db_password(),
        connections=connections,
    ).pool()
    lifetimes = Lifetimes(config.session_idle_s, config.session_absolute_s, config.tombstone_s)

    def new_handler() -> MySQLHandler:
        return MySQLHandler(
            pool,
            lifetimes,
            max_bytes=config.session_max_bytes,
            deadline_s=config.store_deadline_s,
            clean_batch=config.janitor_batch,
            clean_pause_s=config.janitor_pause_ms / 1000,
        )

    return new_handler
