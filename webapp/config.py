"""The environment, read once at boot into a frozen dataclass, or refused.

Every setting with its meaning, unit and default is in .env.example; a test compares the two.
The addresses and users of database and memcached (DB_HOST, DB_PORT, DB_USER, DB_PASSWORD_FILE,
MEMCACHED_HOST, MEMCACHED_PORT) stand in docker-compose.yml, DB_TLS and DB_TLS_CA in infra/group/compose.yml.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hopproof import limits

# Exists while this container drains. It is in memory, so it is gone when the container restarts.
DRAINING = Path("/dev/shm/draining")

# The counts of the processes of this container. In memory, too: a disk would slow each request down.
METRICS = Path("/dev/shm/metrics")

# Seconds. How long the balancer waits for an answer: `timeout server` of loadbalancer/haproxy.cfg.
BALANCER_WAITS_S = 4.5
# Seconds of a request besides its store. When memcached is away, a write also waits for the other servers.
REST_S = {"none": 1, "memcached": 2}

# Seconds. A copy that lives for minutes saves hardly more statements than one that lives for one.
MAX_CACHE_TTL_S = 60

# Each read carries the whole session, and memcached takes 1 MiB with the other fields.
MAX_SESSION_BYTES = 1_000_000

# A request may wait 5 s in the balancer's queue, four times 0.25 s for a connection and 4.5 s for its answer
# (loadbalancer/haproxy.cfg). An id that is forgotten earlier would begin a new session for a slow one.
LONGEST_REQUEST_S = 11

DAY_S = 24 * 3600
YEAR_S = 366 * DAY_S
# RFC 6265bis: browsers shorten what is above 400 days.
MAX_COOKIE_AGE_S = 400 * DAY_S
MAX_PORT = 65535

COOKIE_ATTRIBUTES = {"expires", "max-age", "domain", "path", "secure", "httponly", "samesite", "partitioned"}


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
    db_tls: str
    db_tls_ca: str
    db_pool: int
    store_deadline_s: float
    session_idle_s: int
    session_absolute_s: int
    session_touch_s: int
    session_max_bytes: int
    session_anonymous_idle_s: int
    session_anonymous_max_bytes: int
    sessions_per_user: int
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

    def db_tls_context(self) -> ssl.SSLContext | None:
        """The rules for TLS to the database: its certificate has to be valid for DB_HOST; None: no TLS.

        DB_TLS_CA is a file of authorities in PEM. Without it those count that this machine trusts.
        """
        if self.db_tls == "off":
            return None
        try:
            return ssl.create_default_context(cafile=self.db_tls_ca or None)
        except OSError as error:  # ssl.SSLError is one, too
            raise ConfigError(
                f"DB_TLS_CA={self.db_tls_ca!r} is no file of certificates in PEM ({error}); "
                "try DB_TLS_CA=/etc/ssl/certs/ca-certificates.crt"
            ) from error


def read_config(env: Mapping[str, str]) -> Config:
    """Return the settings in env, defaults filled in. Raises ConfigError at the first bad one."""
    idle_s = whole(env, "SESSION_IDLE_S", limits.IDLE_S, unit="seconds", most=YEAR_S)
    max_bytes = whole(env, "SESSION_MAX_BYTES", limits.MAX_BYTES, unit="bytes", most=MAX_SESSION_BYTES)
    config = Config(
        web_workers=whole(env, "WEB_WORKERS", 1, unit="processes", most=4),
        store=one_of(env, "STORE", ("mysql", "memcached")),
        cache=one_of(env, "CACHE", ("none", "memcached")),
        cache_ttl_s=whole(env, "CACHE_TTL_S", 5, unit="seconds", most=MAX_CACHE_TTL_S),
        memcached_host=env.get("MEMCACHED_HOST", "memcached"),
        memcached_port=whole(env, "MEMCACHED_PORT", 11211, unit="port", most=MAX_PORT),
        db_host=env.get("DB_HOST", "db"),
        db_port=whole(env, "DB_PORT", 3306, unit="port", most=MAX_PORT),
        db_name=database_name(env, "DB_NAME", "hopproof"),
        db_user=env.get("DB_USER", "web"),
        db_password_file=env.get("DB_PASSWORD_FILE", "/run/secrets/db_web_password"),
        db_tls=one_of(env, "DB_TLS", ("off", "verify")),
        db_tls_ca=env.get("DB_TLS_CA", ""),
        # More than the database accepts for all servers together (DB_MAX_CONNECTIONS).
        db_pool=whole(env, "DB_POOL", 8, unit="connections", most=800),
        store_deadline_s=decimal(env, "STORE_DEADLINE_S", limits.DEADLINE_S, unit="seconds"),
        session_idle_s=idle_s,
        session_absolute_s=whole(env, "SESSION_ABSOLUTE_S", limits.ABSOLUTE_S, unit="seconds", most=YEAR_S),
        session_touch_s=whole(env, "SESSION_TOUCH_S", limits.TOUCH_AFTER_S, unit="seconds", most=YEAR_S),
        session_max_bytes=max_bytes,
        session_anonymous_idle_s=whole(env, "SESSION_ANONYMOUS_IDLE_S", idle_s, unit="seconds", most=idle_s),
        session_anonymous_max_bytes=whole(
            env, "SESSION_ANONYMOUS_MAX_BYTES", max_bytes, unit="bytes", most=max_bytes
        ),
        sessions_per_user=whole(
            env, "SESSIONS_PER_USER", limits.SESSIONS_PER_USER, unit="sessions", least=0, most=500
        ),
        tombstone_s=whole(
            env, "TOMBSTONE_S", limits.TOMBSTONE_S, unit="seconds", least=LONGEST_REQUEST_S, most=DAY_S
        ),
        session_cookie=cookie_name(env, "SESSION_COOKIE", "session"),
        session_cookie_max_age_s=whole(
            env, "SESSION_COOKIE_MAX_AGE_S", 0, unit="seconds", least=0, most=MAX_COOKIE_AGE_S
        )
        or None,
        session_cookie_secure=one_of(env, "SESSION_COOKIE_SECURE", ("no", "yes")) == "yes",
        janitor_period_s=whole(env, "JANITOR_PERIOD_S", 60, unit="seconds", most=DAY_S),
        # Above, one DELETE would keep its locks for longer than a request may wait.
        janitor_batch=whole(env, "JANITOR_BATCH", limits.CLEAN_BATCH, unit="rows", most=10_000),
        janitor_pause_ms=whole(
            env,
            "JANITOR_PAUSE_MS",
            round(1000 * limits.CLEAN_PAUSE_S),
            unit="milliseconds",
            most=60_000,
        ),
        janitor_grace_s=whole(env, "JANITOR_GRACE_S", 0, unit="seconds", least=0, most=YEAR_S),
        janitor_window=hours(env, "JANITOR_WINDOW"),
        crawl_period_s=whole(env, "CRAWL_PERIOD_S", 60, unit="seconds", most=DAY_S),
    )
    rest_s = REST_S[config.cache]
    longest_s = config.store_deadline_s + rest_s
    if longest_s > BALANCER_WAITS_S:
        raise ConfigError(
            f"STORE_DEADLINE_S={config.store_deadline_s} and {rest_s} s for the rest of a request are "
            f"{longest_s} s, and the balancer waits {BALANCER_WAITS_S} s: its 504 would come first; "
            "try STORE_DEADLINE_S=2.5"
        )
    if config.store == config.cache:
        raise ConfigError(
            "CACHE='memcached' in front of STORE='memcached' would only copy the same items; try CACHE=none"
        )
    shortest = min(config.session_idle_s, config.session_anonymous_idle_s)
    if config.session_touch_s >= shortest:
        raise ConfigError(
            f"SESSION_TOUCH_S={config.session_touch_s} is not below SESSION_IDLE_S={config.session_idle_s} "
            f"and SESSION_ANONYMOUS_IDLE_S={config.session_anonymous_idle_s}: "
            "active visitors would be logged out; try a tenth of the smaller one"
        )
    return config


def whole(env: Mapping[str, str], name: str, default: int, *, unit: str, most: int, least: int = 1) -> int:
    raw = env.get(name) or str(default)
    # The length first: int() refuses thousands of digits with an error of its own.
    if raw.isascii() and raw.isdigit() and len(raw) <= 12 and least <= int(raw) <= most:
        return int(raw)
    raise ConfigError(
        f"{name}={raw!r} is not a whole number of {unit} from {least} to {most}; try {name}={default}"
    )


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
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", raw, re.ASCII):
        raise ConfigError(
            f"{name}={raw!r} is not made of 1 to 64 letters, digits, _ and - only; try {name}={default}"
        )
    if raw.lower() in COOKIE_ATTRIBUTES:
        raise ConfigError(f"{name}={raw!r} is an attribute of cookies, no name; try {name}={default}")
    if raw.lower().startswith(("__host-", "__secure-")):
        raise ConfigError(
            f"{name}={raw!r} has a prefix that SESSION_COOKIE_SECURE=yes adds by itself; try {name}={default}"
        )
    return raw


def database_name(env: Mapping[str, str], name: str, default: str) -> str:
    raw = env.get(name) or default
    # The characters that stand in SQL and in a path as they are; the length is MySQL's.
    if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", raw, re.ASCII):
        return raw
    raise ConfigError(
        f"{name}={raw!r} is not made of 1 to 64 letters, digits, _ and - only; try {name}={default}"
    )
