"""One throw-away database server in a container, set up as production is."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pymysql
from deadline import until

from hopproof.mysql import Database

# Read when testcontainers is imported. Ryuk would be one more image; the label below serves a sweeper too.
os.environ.setdefault("TESTCONTAINERS_HOST_OVERRIDE", "127.0.0.1")
os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")

from testcontainers.core.container import DockerContainer

INFRA = Path(__file__).parents[2] / "infra" / "mysql"
SCHEMA = Path(__file__).parents[2] / "webapp" / "hopproof" / "mysql" / "schema"
# A bare 2-core machine needs 10 s for the creation of the files.
START_S = 120


@dataclass(frozen=True)
class DatabaseServer:
    """The port of the server, and connections to it as a web server and as root."""

    root: Database

    @property
    def web(self) -> Database:
        """The table for a web server, whose user may change sessions and nothing else."""
        return replace(self.root, user="web")

    @property
    def janitor(self) -> Database:
        return replace(self.root, user="janitor")

    @contextmanager
    def admin(self) -> Iterator[Admin]:
        connection = pymysql.connect(
            host=self.root.host,
            port=self.root.port,
            user=self.root.user,
            password=self.root.password,
            database=self.root.name,
            autocommit=True,
            ssl_disabled=True,  # setting up TLS takes the driver 50 ms
        )
        try:
            yield Admin(connection)
        finally:
            connection.close()


@dataclass(frozen=True)
class Admin:
    """A connection of the administrator, past the handler."""

    connection: Any

    def ask(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return list(cursor.fetchall())

    def sees(self, connection_id: int, *states: str) -> bool:
        """True while the connection's thread in the server is in a state that starts with one of these."""
        rows = self.ask("SELECT state FROM information_schema.processlist WHERE id = %s", connection_id)
        return any((state or "").startswith(states) for (state,) in rows)

    def kill(self, connection_id: int) -> None:
        """End the connection, and return when the server has forgotten it."""
        self.ask(f"KILL {connection_id}")
        until(
            lambda: not self.ask("SELECT 1 FROM information_schema.processlist WHERE id = %s", connection_id)
        )


@contextmanager
def running(
    image_variable: str, settings: Path | None = None, certificates: Path | None = None
) -> Iterator[DatabaseServer]:
    """Run the image that the environment variable names, with schema and users, until the end.

    settings: a my.cnf. certificates: a folder, in the container /etc/certificates.
    """
    image = os.environ.get(image_variable)
    if not image:
        raise RuntimeError(
            f"{image_variable} is not set: it names the image of the database to test against, "
            f"see infra/bare/images/versions.env; the test runner sets it"
        )
    password = secrets.token_urlsafe(12)
    container = DockerContainer(
        image,
        env={"MYSQL_ROOT_PASSWORD": password, "MYSQL_DATABASE": "hopproof"},
        labels={"hopproof.test": os.environ["HOPPROOF_TEST_RUN"]},
    )
    container.ports["3306/tcp"] = ("127.0.0.1",)  # type: ignore[assignment]  # any free port of this machine only
    container.with_tmpfs_mount("/var/lib/mysql")
    if settings is not None:
        container.with_volume_mapping(settings, "/etc/mysql/conf.d/hopproof.cnf")
    if certificates is not None:
        container.with_volume_mapping(certificates, "/etc/certificates")
    with container:
        port = container.get_exposed_port(3306)
        server = DatabaseServer(Database("127.0.0.1", port, "hopproof", "root", password))
        until(
            lambda: _answers(server),
            START_S,
            lambda: b"".join(container.get_logs()).decode(errors="replace"),
            pause_s=0.2,
        )
        with server.admin() as admin:
            for schema in sorted(SCHEMA.glob("*.sql")):
                admin.ask(schema.read_text())
            for user in ("web", "janitor", "operator_reader", "operator"):
                admin.ask(f"CREATE USER {user} IDENTIFIED BY %s", password)
            # DELETE for clean, which is one of the verbs here; the deployment has a user of its own for that.
            admin.ask("GRANT SELECT, INSERT, UPDATE, DELETE ON sessions TO web")
            admin.ask("GRANT SELECT, UPDATE ON cache_switch TO web")
            admin.ask("GRANT SELECT, DELETE ON sessions TO janitor")
            admin.ask("GRANT SELECT ON sessions TO operator_reader")
            admin.ask("GRANT SELECT, UPDATE (data, `user`, expires_at), DELETE ON sessions TO operator")
            admin.ask("GRANT SELECT, UPDATE ON cache_switch TO operator")
        yield server


def _answers(server: DatabaseServer) -> bool:
    try:
        with server.admin():
            return True
    except pymysql.err.OperationalError:
        return False
