"""The table of sessions, behind the visitors' backs: rows planted, aged and counted by SQL."""

from __future__ import annotations

from verify.deployment import Stack


def plant(stack: Stack, name: str, expires_at: str, rows: int) -> None:
    """Insert session rows without a visitor. name: up to 16 characters, the beginning of their ids."""
    stack.sql(
        "INSERT INTO sessions (id, data, version, user, created_at, expires_at, absolute_at) "
        f"WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {rows}) "
        f"SELECT CONCAT(RPAD('{name}', 16, '.'), UNHEX(LPAD(HEX(n), 32, '0'))), '{{}}', 1, NULL, "
        f"UNIX_TIMESTAMP() - 7200, {expires_at}, UNIX_TIMESTAMP() + 7200 FROM n"
    )


def uproot(stack: Stack, name: str) -> None:
    """Delete the rows planted under a name that begins so."""
    stack.sql(f"DELETE FROM sessions WHERE id LIKE '{name}%'")


def count(stack: Stack, condition: str) -> int:
    """Return how many rows meet a condition in SQL."""
    return int(stack.sql(f"SELECT COUNT(*) FROM sessions WHERE {condition}")[0][0])
