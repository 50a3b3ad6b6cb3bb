"""The stores that are compared: where each keeps its sessions, and what it needs to do better.

A store is an image on port 8000 that speaks the probe API (probe.py). PEER names the store to it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Store:
    """One store with its documentation's settings.

    title: {version} becomes the installed one. image: the folder with its Dockerfile, in this folder;
    "python" is this folder. tables: where it keeps sessions; none: in Valkey, all of which is its own.
    age: the SQL that makes all sessions expire; in Valkey they are told to. never_ages: why that cannot be
    had. creates_tables: a command in its image; none: the store makes them itself. empties_cache: the SQL
    that empties the cache before its store, if it has one. asks_version: a command in a server that prints
    it.
    """

    title: str
    language: str
    image: str = "python"
    tables: tuple[str, ...] = ()
    age: tuple[str, ...] = ()
    never_ages: str = ""
    creates_tables: tuple[str, ...] = ()
    empties_cache: tuple[str, ...] = ()
    asks_version: tuple[str, ...] = ()
    better: str = ""

    @property
    def service(self) -> str:
        return "db" if self.tables else "valkey"


def of_pip(package: str) -> tuple[str, ...]:
    return ("python", "-c", f"from importlib.metadata import version; print(version({package!r}))")


def of_npm(package: str) -> tuple[str, ...]:
    # Not by require: a package may not export its own package.json.
    return ("node", "-p", f"JSON.parse(fs.readFileSync('/app/node_modules/{package}/package.json')).version")


def of_debian(package: str) -> tuple[str, ...]:
    asks = f"dpkg-query --show --showformat='${{source:Upstream-Version}}' {package} | cut -d+ -f1"
    return ("sh", "-c", asks)


def of_perl(module: str) -> tuple[str, ...]:
    return ("perl", f"-M{module}", "-e", f"print {module}->VERSION")


IN_PYTHON = ("python", "-m", "rivals.wsgi")
_DJANGO = "UPDATE stores.django_session SET expire_date = NOW() - INTERVAL 1 DAY"
IN_PHP = ("bash", "/app/start", "create-tables")
_SYMFONY = "UPDATE stores.sessions SET sess_lifetime = UNIX_TIMESTAMP() - 86400"

STORES = {
    "hopproof": Store(
        "Hopproof",
        "Python",
        tables=("sessions",),
        age=("UPDATE sessions SET expires_at = UNIX_TIMESTAMP()",),
    ),
    "classic": Store(
        "six functions of the PHP tutorials",
        "Python",
        tables=("stores.sessions",),
        age=("UPDATE stores.sessions SET access = UNIX_TIMESTAMP() - 86400",),
        creates_tables=IN_PYTHON,
        better="`session.use_strict_mode=1` with a `validate_sid` callback; a read that raises when it "
        "failed, and asks for `access`; `GET_LOCK` from read to write, which makes a visitor's tabs wait for "
        "each other.",
    ),
    "flask-session": Store(
        "Flask-Session{version}, SQLAlchemy",
        "Python",
        tables=("stores.sessions",),
        age=("UPDATE stores.sessions SET expiry = NOW() - INTERVAL 1 DAY",),
        creates_tables=IN_PYTHON,
        asks_version=of_pip("flask-session"),
        better="no setting makes its save a merge, or keeps it from inserting what a logout has "
        "deleted. Keep what two tabs may change in a table of your own.",
    ),
    "django-db": Store(
        "Django{version}, db",
        "Python",
        tables=("stores.django_session",),
        age=(_DJANGO,),
        creates_tables=IN_PYTHON,
        asks_version=of_pip("django"),
        better="a middleware around SessionMiddleware that holds `transaction.atomic()` and the session's "
        "row, by `select_for_update()`, for the whole request: 0 of 199 increments lost, tried. Two tabs "
        "then wait for each other, and a change that waited for a login still logs the visitor out.",
    ),
    "django-cached-db": Store(
        "Django{version}, cached_db",
        "Python",
        tables=("stores.django_session", "stores.django_cache"),
        age=(_DJANGO, "UPDATE stores.django_cache SET expires = NOW() - INTERVAL 1 DAY"),
        empties_cache=("DELETE FROM stores.django_cache",),
        creates_tables=IN_PYTHON,
        asks_version=of_pip("django"),
        better="what outlives a logout is the cache's entry, set after the row was written. "
        "Take db where that matters; then as there.",
    ),
    "beaker": Store(
        "Beaker{version}, ext:database",
        "Python",
        tables=("stores.beaker_cache",),
        never_ages="the expiry is inside the serialised session, out of the reach of SQL",
        creates_tables=IN_PYTHON,
        asks_version=of_pip("beaker"),
        better="`session.save_accessed_time=False`, which excludes a timeout: reads no longer undo changes, "
        "tried. `session.namespace.remove()` before `regenerate_id()`: the old id is dead, tried. Its locks "
        "(`lock_dir`) are held during a load or a save, not between them, and on one machine only.",
    ),
    "flask-session-redis": Store(
        "Flask-Session{version}, Redis",
        "Python",
        asks_version=of_pip("flask-session"),
        better="as on SQLAlchemy; Valkey with `appendonly yes` and `appendfsync always` writes "
        "before it acknowledges.",
    ),
    "django-redis": Store(
        "Django{version}, cache in Redis",
        "Python",
        asks_version=of_pip("django"),
        better="Valkey as for Flask-Session. Take db where two tabs may change one session.",
    ),
    "starsessions-redis": Store(
        "Starlette, starsessions{version}, Redis",
        "Python",
        asks_version=of_pip("starsessions"),
        better="the store's `remove()` with the old id at a login: `regenerate_session_id()` leaves the old "
        "session alive. `load_session()` only in the routes that need a session, because every request that "
        "loads one saves it. No setting makes its save a merge, or refuses an id that the visitor made up. "
        "Valkey as for Flask-Session.",
    ),
    "tomcat": Store(
        "Tomcat{version}, PersistentValve, DataSourceStore",
        "Java",
        image="tomcat",
        tables=("stores.tomcat_sessions",),
        never_ages="the time of the last use is inside the serialised session, out of the reach of SQL",
        creates_tables=("bash", "/app/start", "create-table"),
        asks_version=of_debian("libtomcat11-java"),
        better="a sticky balancer: its documentation forbids two requests of one session at once on "
        "different servers, and the valve's semaphore works inside one server. No setting makes an "
        "error of the database an error for the visitor: DataSourceStore logs it and goes on, a read "
        "finds no session, and a change then sets the cookie of a new one.",
    ),
    "macaron": Store(
        "Macaron session{version}, MySQL",
        "Go",
        image="go",
        tables=("stores.session",),
        age=("UPDATE stores.session SET expiry = UNIX_TIMESTAMP() - 86400",),
        creates_tables=("/app/probe", "create-tables"),
        asks_version=("/app/probe", "version"),
        better="no setting makes its save a merge. Sessioner only on the routes that need a session: "
        "the others then leave no row. GC is what ends a session, each `Gclifetime` (1 h). "
        "`ENGINE=InnoDB` instead of the documented MyISAM writes before it acknowledges; it loses as "
        "much, tried. encoding/gob reads an empty list as nil, which JSON calls null.",
    ),
    "redistore": Store(
        "gorilla/sessions, redistore{version}",
        "Go",
        image="go",
        asks_version=("/app/probe", "version"),
        better="an error for the visitor when `Get` returns one and the session has an id, instead of "
        "the README's line in the log: a read during an outage is an error, and a malformed cookie is "
        "none, tried. `SetMaxLength`, where 4096 bytes refuse a longer session. Valkey as for "
        "Flask-Session, encoding/gob as for Macaron.",
    ),
    "plack-dbi": Store(
        "Plack::Middleware::Session{version}, DBI",
        "Perl",
        image="perl",
        tables=("stores.sessions",),
        never_ages="its table has no time: a session lives until it is deleted",
        creates_tables=("perl", "/app/create-tables"),
        asks_version=of_perl("Plack::Middleware::Session"),
        better="`no_store` in a request that only reads: it leaves no row and undoes no change, tried. A "
        "`serializer` in JSON keeps the type of each number, tried; Storable makes strings of fractions "
        "and of large integers. A `sid_generator` that asks the operating system, instead of `rand()` and "
        "the time (CVE-2025-40923). No setting makes its save a merge, or ends a session by age.",
    ),
    "apache-session": Store(
        "Apache::Session::MySQL{version}",
        "Perl",
        image="perl",
        tables=("stores.sessions",),
        never_ages="its table has no time: a session lives until it is deleted",
        creates_tables=("perl", "/app/create-tables"),
        asks_version=of_perl("Apache::Session"),
        better="a check that the id has 32 hexadecimal digits, before it becomes the name of a lock: no "
        "error, tried. `tied(%session)->save` before the answer, tried: `untie` hides the error when the "
        "database fails after the read. Its lock makes a visitor's tabs wait for each other, and a change "
        "that waited for a login still logs the visitor out.",
    ),
    "moneta-sequel": Store(
        "Rack::Session::Moneta{version}, Sequel",
        "Ruby",
        image="ruby",
        tables=("stores.moneta",),
        never_ages="the expiry is inside the serialised session, out of the reach of SQL",
        asks_version=("ruby", "-rmoneta/version", "-e", "print Moneta::VERSION"),
        better="`:skip`, an option of the session, in a request that only reads: it undoes no change, "
        "tried. No setting makes its save a merge, or keeps it from inserting what a logout has deleted.",
    ),
    "rails-cache": Store(
        "Rails{version}, cache in Redis",
        "Ruby",
        image="ruby",
        asks_version=("ruby", "-rrails/version", "-e", "print Rails.version"),
        better="`:skip`, an option of the session, in a request that only reads: it leaves no entry and "
        "undoes no change, tried. An `error_handler` that raises: without it the cache reads as empty when "
        "Redis is gone, and drops writes. That took it 5 s, tried, and the balancer gave up after 4.5 s. "
        "Rails' own page advises the cache only for sessions without critical data.",
    ),
    "express-mysql-session": Store(
        "Express, express-mysql-session{version}",
        "JavaScript",
        image="express",
        tables=("stores.sessions",),
        age=("UPDATE stores.sessions SET expires = UNIX_TIMESTAMP() - 86400",),
        asks_version=of_npm("express-mysql-session"),
        better="no setting makes its save a merge, or keeps it from inserting what a logout has deleted "
        "(`INSERT … ON DUPLICATE KEY UPDATE`). Keep what two tabs may change in a table of your own.",
    ),
    "connect-session-knex": Store(
        "Express, connect-session-knex{version}",
        "JavaScript",
        image="express",
        tables=("stores.sessions",),
        age=("UPDATE stores.sessions SET expired = NOW() - INTERVAL 1 DAY",),
        creates_tables=("node", "server.js", "create-tables"),
        asks_version=of_npm("connect-session-knex"),
        better="as for express-mysql-session. A failed read also ends the Node process, because the store "
        "calls back and rejects its promise, too: a listener for `unhandledRejection` keeps it, tried.",
    ),
    "connect-redis": Store(
        "Express, connect-redis{version}",
        "JavaScript",
        image="express",
        asks_version=of_npm("connect-redis"),
        better="as for express-mysql-session, with `SET`; Valkey as for Flask-Session.",
    ),
    "fastify-mysql": Store(
        "@fastify/session{version}, express-mysql-session",
        "JavaScript",
        image="fastify",
        tables=("stores.sessions",),
        age=("UPDATE stores.sessions SET expires = UNIX_TIMESTAMP() - 86400",),
        asks_version=of_npm("@fastify/session"),
        better="`saveUninitialized: false`: reading leaves no row, tried. `rolling: false`: reads undo no "
        "change, tried. Otherwise as for express-mysql-session.",
    ),
    "php-classic": Store(
        "PHP{version}, six functions of the tutorials",
        "PHP",
        image="php",
        tables=("stores.sessions",),
        age=("UPDATE stores.sessions SET access = UNIX_TIMESTAMP() - 86400",),
        creates_tables=IN_PHP,
        asks_version=("php", "-r", "echo PHP_VERSION;"),
        better="strict ids, an expiry that is asked for, and a lock, as in Python. Symfony's "
        "PdoSessionHandler has all three, and is passed to `session_set_save_handler()`, too.",
    ),
    "symfony-pdo": Store(
        "Symfony{version}, PdoSessionHandler",
        "PHP",
        image="php",
        tables=("stores.sessions",),
        age=(_SYMFONY,),
        creates_tables=IN_PHP,
        asks_version=of_debian("php-symfony-http-foundation"),
        better="a change that waited for a login finds no session, and its answer replaces the visitor's "
        "cookie by that of a new one. PHP's manual on `session_regenerate_id()` shows how to keep the old "
        "session for some minutes, marked as ended.",
    ),
    "symfony-pdo-advisory-lock": Store(
        "Symfony{version}, PdoSessionHandler, LOCK_ADVISORY",
        "PHP",
        image="php",
        tables=("stores.sessions",),
        age=(_SYMFONY,),
        creates_tables=IN_PHP,
        asks_version=of_debian("php-symfony-http-foundation"),
        better="as with the default locks. `GET_LOCK` refuses an id that is not UTF-8, tried.",
    ),
    "symfony-pdo-no-lock": Store(
        "Symfony{version}, PdoSessionHandler, LOCK_NONE",
        "PHP",
        image="php",
        tables=("stores.sessions",),
        age=(_SYMFONY,),
        creates_tables=IN_PHP,
        asks_version=of_debian("php-symfony-http-foundation"),
        better="leave `lock_mode` at its default, LOCK_TRANSACTIONAL: two tabs lose nothing, tried.",
    ),
    "laravel-database": Store(
        "Laravel{version}, database",
        "PHP",
        image="laravel",
        tables=("stores.sessions",),
        age=("UPDATE stores.sessions SET last_activity = UNIX_TIMESTAMP() - 86400",),
        creates_tables=IN_PHP,
        asks_version=of_debian("php-laravel-framework"),
        better="`->block()` on every route, with the locks of the database cache: two tabs lose nothing, "
        "tried. They then wait for each other, and a change beside a login still logs the visitor out.",
    ),
}
