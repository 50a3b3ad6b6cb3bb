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
    had. creates_tables: a command in its image; none: the store makes them itself. asks_version: a command
    in a server that prints it.
    """

    title: str
    language: str
    image: str = "python"
    tables: tuple[str, ...] = ()
    age: tuple[str, ...] = ()
    never_ages: str = ""
    creates_tables: tuple[str, ...] = ()
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


IN_PYTHON = ("python", "-m", "rivals.wsgi")
_DJANGO = "UPDATE stores.django_session SET expire_date = NOW() - INTERVAL 1 DAY"

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
}
