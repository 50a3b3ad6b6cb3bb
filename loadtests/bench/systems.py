"""The systems that are measured, with the best number of workers for each, and the works."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Work:
    """The request that all connections make, over and over."""

    request: str  # method and path
    sessions: str  # which: "spread" over 64, "one", or none
    words: str

    @property
    def is_headline(self) -> bool:
        return self.sessions != "one"


WORKS = {
    "none": Work("GET /api/stateless", "", "no session"),
    "read": Work("GET /api/session", "spread", "read one session"),
    "write": Work("POST /api/session/counters/n", "spread", "add one to a counter"),
    "read_one": Work("GET /api/session", "one", "read, all on one session"),
    "write_one": Work("POST /api/session/counters/n", "one", "add one, all on one session"),
}


HEADLINES = tuple(name for name, work in WORKS.items() if work.is_headline)


@dataclass(frozen=True, slots=True)
class System:
    """A session store with the server around it.

    tuned: the setting of its workers, for its variable in compose.yml; others: the settings that `calibrate`
    tries beside that. in_memory: an acknowledged write is not on the disk; no goal is over such a peer.
    sidecars: what it keeps sessions in besides the database. relay: what it reaches the database through.
    """

    title: str
    service: str
    tuned: str
    others: tuple[str, ...]
    language: str = "Python"
    port: int = 8000
    db_user: str = "bench"
    creates_tables: tuple[str, ...] = ()
    sidecars: tuple[str, ...] = ()
    in_memory: bool = False
    relay: str = ""

    @property
    def host(self) -> str:
        return f"{self.service}:{self.port}"

    @property
    def variable(self) -> str:
        """The variable of compose.yml that takes `tuned`."""
        return self.service.upper().replace("-", "_") + "_TUNED"

    @property
    def database(self) -> str:
        return "bench_" + self.service.replace("-", "_")

    @property
    def is_ours(self) -> bool:
        return self.db_user == "web"


_STORES_TABLES = ("python", "-m", "rivals.wsgi")
_GEVENT = "--worker-class gevent --workers"
_THREADS = "--worker-class gthread --threads 8 --workers"
_SYNC = "--worker-class sync --workers"
_GUNICORN = (f"{_THREADS} 1", f"{_THREADS} 2", f"{_GEVENT} 1", f"{_GEVENT} 2", f"{_SYNC} 4")

# The reason for each choice: the root of read × write requests/s, on two cores that other programs used, too.
SYSTEMS = {
    # 2 workers 349, 494 and 346 in three calibrations, 1 worker 530, 389 and 284.
    "hopproof": System("Hopproof", "web", "2", ("1",), db_user="web"),
    "hopproof+memcached": System(
        "Hopproof, memcached in front",
        "web-memcached",
        "2",
        ("1",),
        db_user="web",
        sidecars=("memcached",),
    ),
    "hopproof-far": System(
        "Hopproof, database 1 ms away", "web-far", "2", ("1",), db_user="web", relay="far"
    ),
    "hopproof-far+memcached": System(
        "Hopproof, memcached, 1 ms away",
        "web-memcached-far",
        "2",
        ("1",),
        db_user="web",
        sidecars=("memcached",),
        relay="far",
    ),
    # gthread 2 × 8 415, 1 × 8 344; gevent 2 361, 1 276; sync 4 240.
    "classic": System(
        "Python, six functions, connecting anew",
        "classic",
        f"{_THREADS} 2",
        _GUNICORN,
        creates_tables=_STORES_TABLES,
    ),
    # gevent 2 283, 1 208; gthread 2 × 8 229, 1 × 8 172; sync 4 217.
    "flask-session": System(
        "Flask-Session, SQLAlchemy",
        "flask-session",
        f"{_GEVENT} 2",
        _GUNICORN,
        creates_tables=_STORES_TABLES,
    ),
    # gthread 2 × 8 291, 1 × 8 218; gevent 2 234, 1 234; sync 4 221.
    "django-db": System("Django, db", "django-db", f"{_THREADS} 2", _GUNICORN, creates_tables=_STORES_TABLES),
    # gthread 2 × 8 331, 1 × 8 259; sync 4 263; gevent 1 231, 2 200.
    "beaker": System(
        "Beaker, ext:database", "beaker", f"{_THREADS} 2", _GUNICORN, creates_tables=_STORES_TABLES
    ),
    # 8 processes 984, 4 802, 2 681. With more than there are connections, some would never work.
    "php-classic": System(
        "PHP, six functions, kept connections",
        "php-classic",
        "8",
        ("2", "4"),
        language="PHP",
        creates_tables=("bash", "/app/start", "create-tables"),
    ),
    # One process with 4 connections 401 and 604, with one 236 and 274; two processes with 4 connections
    # 338 and 307, with one 285 and 479.
    "express-mysql-session": System(
        "Express, express-mysql-session",
        "express-mysql-session",
        "NODE_WORKERS=1 DB_CONNECTIONS=4",
        tuple(f"NODE_WORKERS={n} DB_CONNECTIONS={c}" for n in (1, 2) for c in (1, 4, 8)),
        language="JavaScript",
    ),
    # As express-mysql-session. Two processes both create the table, and one of them ends.
    "connect-session-knex": System(
        "Express, connect-session-knex",
        "connect-session-knex",
        "NODE_WORKERS=1 DB_CONNECTIONS=4",
        tuple(f"NODE_WORKERS=1 DB_CONNECTIONS={c}" for c in (1, 4, 8)),
        language="JavaScript",
    ),
    # gevent 2 1,933, 1 1,021; gthread 2 × 8 1,740, 1 × 8 799; sync 4 1,428.
    "flask-session-redis": System(
        "Flask-Session, Redis",
        "flask-session-redis",
        f"{_GEVENT} 2",
        _GUNICORN,
        sidecars=("valkey",),
        in_memory=True,
    ),
    # As django-db and express-mysql-session; these two were not calibrated.
    "django-redis": System(
        "Django, cache in Redis",
        "django-redis",
        f"{_THREADS} 2",
        _GUNICORN,
        sidecars=("valkey",),
        in_memory=True,
    ),
    "connect-redis": System(
        "Express, connect-redis",
        "connect-redis",
        "NODE_WORKERS=1",
        ("NODE_WORKERS=2",),
        language="JavaScript",
        sidecars=("valkey",),
        in_memory=True,
    ),
}
