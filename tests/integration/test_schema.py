"""A kept volume is migrated or refused, never wiped; and the rights of each database user."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from verify.deployment import ROOT, Deployment


def apply(deployment: Deployment, folder: Path, *, fails: bool = False) -> str:
    """Run the schema job with another folder of changes, on a database of its own."""
    arguments = ["run", "--rm", "--no-deps", "--volume", f"{folder}:/hopproof/schema:ro", "schema"]
    done = deployment.script("infra/compose", *arguments, fails=fails, DB_NAME="kept")
    return done.stdout + done.stderr


@pytest.fixture
def schema(deployment: Deployment, tmp_path: Path) -> Iterator[Path]:
    """A copy of the project's schema, applied to a database that holds one session."""
    folder = tmp_path / "schema"
    shutil.copytree(ROOT / "webapp/hopproof/mysql/schema", folder)
    tmp_path.chmod(0o755)
    apply(deployment, folder)
    deployment.sql(
        "INSERT INTO kept.sessions (id, data, version, created_at, expires_at, absolute_at)"
        " VALUES (REPEAT('k', 32), '{\"n\": 1}', 1, 0, 4102444800, 4102444800)"
    )
    yield folder
    for user in ("web", "operator"):
        deployment.sql(f"REVOKE ALL ON kept.cache_switch FROM {user}")
    for user in ("web", "janitor", "operator", "operator_reader"):
        deployment.sql(f"REVOKE ALL ON kept.sessions FROM {user}")
    deployment.sql("DROP DATABASE kept")


def sessions(deployment: Deployment) -> list[list[str]]:
    return deployment.sql("SELECT data FROM kept.sessions")


def test_a_newer_schema_is_applied_to_a_kept_volume_and_its_sessions_stay(
    deployment: Deployment, schema: Path
) -> None:
    (schema / "900-note.sql").write_text("ALTER TABLE sessions ADD COLUMN note INT NULL;")
    assert "applying 900-note" in apply(deployment, schema)
    assert deployment.sql("SELECT data, note FROM kept.sessions") == [['{"n": 1}', "NULL"]]


def test_applying_the_schema_again_changes_nothing(deployment: Deployment, schema: Path) -> None:
    assert "applying" not in apply(deployment, schema)
    assert sessions(deployment) == [['{"n": 1}']]


@pytest.fixture
def no_autocommit(deployment: Deployment) -> Iterator[None]:
    """A database with the global autocommit = 0: new connections commit nothing by themselves."""
    deployment.sql("SET GLOBAL autocommit = 0")
    yield
    deployment.sql("SET GLOBAL autocommit = 1")


@pytest.mark.usefixtures("no_autocommit")
def test_the_schema_is_noted_where_the_server_would_not_commit(deployment: Deployment, schema: Path) -> None:
    (schema / "900-note.sql").write_text("ALTER TABLE sessions ADD COLUMN note INT NULL;")
    apply(deployment, schema)
    assert "applying" not in apply(deployment, schema)


@pytest.mark.usefixtures("no_autocommit")
def test_copies_are_turned_off_where_the_server_would_not_commit(deployment: Deployment) -> None:
    deployment.sql("UPDATE cache_switch SET off_until = 0; COMMIT")
    deployment.script("infra/turn-copies-off")
    assert deployment.sql("SELECT off_until > UNIX_TIMESTAMP() FROM cache_switch") == [["1"]]
    deployment.sql("UPDATE cache_switch SET off_until = 0; COMMIT")


def test_a_volume_of_a_newer_version_is_refused_and_left_alone(deployment: Deployment, schema: Path) -> None:
    deployment.sql("INSERT INTO kept.schema_changes (number, name) VALUES (999, '999-from-the-future')")
    assert "at schema 999" in apply(deployment, schema, fails=True)
    assert sessions(deployment) == [['{"n": 1}']]


def test_a_table_that_somebody_else_made_is_refused_and_left_alone(
    deployment: Deployment, schema: Path
) -> None:
    deployment.sql("DROP TABLE kept.schema_changes")
    assert "was not made by this schema" in apply(deployment, schema, fails=True)
    assert sessions(deployment) == [['{"n": 1}']]


def test_a_volume_with_other_secrets_is_refused_with_what_to_do(
    deployment: Deployment, schema: Path, tmp_path: Path
) -> None:
    state = tmp_path / "other"
    shutil.copytree(deployment.folder, state)
    for path in (state / "secrets").iterdir():
        path.chmod(0o644)
        path.write_text("0" * 64)
    for script in ("infra/secrets", "infra/up"):
        done = deployment.script(script, fails=True, HOPPROOF_STATE=str(state))
        assert "made with other secrets" in done.stderr
        assert "make clean" in done.stderr
    assert sessions(deployment) == [['{"n": 1}']]
    # The right ones are still where the containers read them.
    apply(deployment, schema)


def test_the_schema_job_refuses_a_database_that_has_another_root_password(
    deployment: Deployment, schema: Path, tmp_path: Path
) -> None:
    shutil.copytree(deployment.folder / "secrets", tmp_path / "secrets")
    tmp_path.joinpath("secrets/db_root_password").chmod(0o644)
    tmp_path.joinpath("secrets/db_root_password").write_text("0" * 64)
    tmp_path.joinpath("secrets").chmod(0o755)
    other = ["run", "--rm", "--no-deps", "--volume", f"{tmp_path}/secrets:/run/secrets:ro", "schema"]
    done = deployment.script("infra/compose", *other, fails=True)
    assert "made with other secrets" in done.stderr
    assert "docker compose down --volumes" in done.stderr
    assert sessions(deployment) == [['{"n": 1}']]


def test_the_app_may_change_sessions_and_turn_the_switch_and_nothing_else(deployment: Deployment) -> None:
    granted = deployment.sql("SHOW GRANTS FOR 'web'")
    assert granted == [
        ["GRANT USAGE ON *.* TO `web`@`%`"],
        ["GRANT SELECT, UPDATE ON `hopproof`.`cache_switch` TO `web`@`%`"],
        ["GRANT SELECT, INSERT, UPDATE ON `hopproof`.`sessions` TO `web`@`%`"],
    ]


def test_the_janitor_may_only_look_and_remove(deployment: Deployment) -> None:
    granted = deployment.sql("SHOW GRANTS FOR 'janitor'")
    assert granted[1:] == [["GRANT SELECT, DELETE ON `hopproof`.`sessions` TO `janitor`@`%`"]]


def test_the_operators_tool_may_look_end_and_clean_and_nothing_else(deployment: Deployment) -> None:
    assert deployment.sql("SHOW GRANTS FOR 'operator_reader'")[1:] == [
        ["GRANT SELECT ON `hopproof`.`sessions` TO `operator_reader`@`%`"]
    ]
    ending = "SELECT, UPDATE (`data`, `expires_at`, `user`), DELETE"
    assert deployment.sql("SHOW GRANTS FOR 'operator'")[1:] == [
        ["GRANT SELECT, UPDATE ON `hopproof`.`cache_switch` TO `operator`@`%`"],
        [f"GRANT {ending} ON `hopproof`.`sessions` TO `operator`@`%`"],
    ]


def test_a_database_that_runs_without_its_settings_is_refused(deployment: Deployment, schema: Path) -> None:
    deployment.sql("SET GLOBAL innodb_lock_wait_timeout = 50")
    try:
        told = apply(deployment, schema, fails=True)
    finally:
        deployment.sql("SET GLOBAL innodb_lock_wait_timeout = 1")
    assert "innodb_lock_wait_timeout = 50, and infra/mysql/my.cnf says 1" in told
