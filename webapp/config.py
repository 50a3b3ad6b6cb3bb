"""The environment, read once at boot into a frozen dataclass, or refused.

Every setting with its meaning, unit and default is in .env.example; a test compares the two.
The addresses and users of database and memcached (DB_HOST, DB_PORT, DB_USER, DB_PASSWORD_FILE,
MEMCACHED_HOST, MEMCACHED_PORT) stand in docker-compose.yml.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hopproof import limits

# Exists while this container drains. It is in memory, so it is gone when the container restarts.
DRAINING = Path("/dev/shm/draining")

# The counts of the processes of this container. In memory, too: a disk would slow each request down.
METRICS = Path("/dev/shm/metrics")

# Seconds. With the time to drain it has to fit in the stop_grace_period of docker-compose.yml.
MAX_STORE_DEADLINE_S = 5

# Seconds. A copy that lives for minutes saves hardly more statements than one that lives for one.
MAX_CACHE_TTL_S = 60

# An item of memcached is at most 1 MiB, with its name and the other fields of a session.
MAX_MEMCACHED_BYTES = 1_000_000


class ConfigError(ValueError):
    """A setting cannot be used. The message names the variable, its value and a value to try."""


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours of the day in UTC, from start until end, which is not included; 22 to 6 passes midnight."""

    start: int
    end: int

    def include(self, hour: int) -> bool:
        return (hour - self.start) % 24 < (self.end - self.start) % 24


@dataclass(frozen=True, slots=True)
class Config:
    web_workers: int
    store: str
    cache: str
    cache_ttl_s: int
    memcached_host: str
    memcached_port: int
    db_host: str
    db_port: int
    db_name: str
    db_user: str
    db_password_file: str
    db_pool: int
    store_deadline_s: float
    session_idle_s: int
    session_absolute_s: int
    session_touch_s: int
    session_max_bytes: int
    tombstone_s: int
    session_cookie: str
    session_cookie_max_age_s: int | None
    session_cookie_secure: bool
    janitor_period_s: int
    janitor_batch: int
    janitor_pause_ms: int
    janitor_grace_s: int
    janitor_window: Hours | None
    crawl_period_s: int

    def db_password(self) -> str:
        """The password, read from its file: the environment of a container is no secret."""
        try:
            return Path(self.db_password_file).read_text().strip()
        except OSError as error:
            raise ConfigError(
                f"DB_PASSWORD_FILE={self.db_password_file!r} cannot be read ({error.strerror}); "
                "the service `secrets` of docker-compose.yml makes it; type: make up"
            ) from error


def read_config(env: Mapping[str, str]) -> Config:
    """Return the settings in env, defaults filled in. Raises ConfigError at the first bad one."""
    config = Config(
        web_workers=whole(env, "WEB_WORKERS", 1, unit="processes"),
        store=one_of(env, "STORE", ("mysql", "memcached")),
        cache=one_of(env, "CACHE", ("none", "memcached")),
        cache_ttl_s=whole(env, "CACHE_TTL_S", 5, unit="seconds"),
        memcached_host=env.get("MEMCACHED_HOST", "memcached"),
        memcached_port=whole(env, "MEMCACHED_PORT", 11211, unit="port"),
        db_host=env.get("DB_HOST", "db"),
        db_port=whole(env, "DB_PORT", 3306, unit="port"),
        db_name=env.get("DB_NAME", "hopproof"),
        db_user=env.get("DB_USER", "web"),
        db_password_file=env.get("DB_PASSWORD_FILE", "/run/secrets/db_web_password"),
        db_pool=whole(env, "DB_POOL", 8, unit="connections"),
        store_deadline_s=decimal(env, "STORE_DEADLINE_S", limits.DEADLINE_S, unit="seconds"),
        session_idle_s=whole(env, "SESSION_IDLE_S", limits.IDLE_S, unit="seconds"),
        session_absolute_s=whole(env, "SESSION_ABSOLUTE_S", limits.ABSOLUTE_S, unit="seconds"),
        session_touch_s=whole(env, "SESSION_TOUCH_S", limits.TOUCH_AFTER_S, unit="seconds"),
        session_max_bytes=whole(env, "SESSION_MAX_BYTES", limits.MAX_BYTES, unit="bytes"),
        tombstone_s=whole(env, "TOMBSTONE_S", limits.TOMBSTONE_S, unit="seconds"),
        session_cookie=cookie_name(env, "SESSION_COOKIE", "session"),
        session_cookie_max_age_s=whole(env, "SESSION_COOKIE_MAX_AGE_S", 0, unit="seconds", least=0) or None,
        session_cookie_secure=one_of(env, "SESSION_COOKIE_SECURE", ("no", "yes")) == "yes",
        janitor_period_s=whole(env, "JANITOR_PERIOD_S", 60, unit="seconds"),
        janitor_batch=whole(env, "JANITOR_BATCH", limits.CLEAN_BATCH, unit="rows"),
        janitor_pause_ms=whole(
            env, "JANITOR_PAUSE_MS", round(1000 * limits.CLEAN_PAUSE_S), unit="milliseconds"
        ),
        janitor_grace_s=whole(env, "JANITOR_GRACE_S", 0, unit="seconds", least=0),
        janitor_window=hours(env, "JANITOR_WINDOW"),
        crawl_period_s=whole(env, "CRAWL_PERIOD_S", 60, unit="seconds"),
    )
    if config.store_deadline_s > MAX_STORE_DEADLINE_S:
        raise ConfigError(
            f"STORE_DEADLINE_S={config.store_deadline_s} is above {MAX_STORE_DEADLINE_S}: the balancer and "
            "`docker stop` would cut off waiting requests; try STORE_DEADLINE_S=2.5"
        )
    if config.cache_ttl_s > MAX_CACHE_TTL_S:
        raise ConfigError(
            f"CACHE_TTL_S={config.cache_ttl_s} is above {MAX_CACHE_TTL_S}: after an outage of memcached "
            "there would be no copies for three times as long; try CACHE_TTL_S=5"
        )
    if config.store == config.cache:
        raise ConfigError(
            "CACHE='memcached' in front of STORE='memcached' would only copy the same items; try CACHE=none"
        )
    if config.store == "memcached" and config.session_max_bytes > MAX_MEMCACHED_BYTES:
        raise ConfigError(
            f"SESSION_MAX_BYTES={config.session_max_bytes} is above {MAX_MEMCACHED_BYTES}, the most that "
            "STORE='memcached' takes; try SESSION_MAX_BYTES=65536"
        )
    if config.session_touch_s >= config.session_idle_s:
        raise ConfigError(
            f"SESSION_TOUCH_S={config.session_touch_s} is not below SESSION_IDLE_S={config.session_idle_s}: "
            "active visitors would be logged out; try a tenth of it"
        )
    return config


def whole(env: Mapping[str, str], name: str, default: int, *, unit: str, least: int = 1) -> int:
    raw = env.get(name) or str(default)
    if raw.isascii() and raw.isdigit() and int(raw) >= least:
        return int(raw)
    raise ConfigError(f"{name}={raw!r} is not a whole number of {unit} from {least} on; try {name}={default}")


def decimal(env: Mapping[str, str], name: str, default: float, *, unit: str) -> float:
    raw = env.get(name) or str(default)
    if re.fullmatch(r"\d+(\.\d+)?", raw, re.ASCII) and float(raw) > 0:
        return float(raw)
    raise ConfigError(f"{name}={raw!r} is not a positive number of {unit}; try {name}={default}")


def one_of(env: Mapping[str, str], name: str, choices: tuple[str, str]) -> str:
    """Return one of two words; the first is the default."""
    raw = env.get(name) or choices[0]
    if raw in choices:
        return raw
    raise ConfigError(f"{name}={raw!r} is neither {' nor '.join(choices)}; try {name}={choices[0]}")


def hours(env: Mapping[str, str], name: str) -> Hours | None:
    """Return the hours that a setting like 22-6 names; None, which is the default, is the whole day."""
    raw = env.get(name) or ""
    if not raw:
        return None
    named = re.fullmatch(r"(\d\d?)-(\d\d?)", raw, re.ASCII)
    if named is not None:
        start, end = int(named[1]), int(named[2])
        if start < 24 and end < 24 and start != end:
            return Hours(start, end)
    raise ConfigError(
        f"{name}={raw!r} is not two different hours from 0 to 23; "
        f"try {name}=22-6, or {name}= for the whole day"
    )


def cookie_name(env: Mapping[str, str], name: str, default: str) -> str:
    raw = env.get(name) or default
    if re.fullmatch(r"[A-Za-z0-9_-]+", raw, re.ASCII):
        return raw
    raise ConfigError(f"{name}={raw!r} is not made of letters, digits, _ and - only; try {name}={default}")
