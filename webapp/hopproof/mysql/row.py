"""Pieces of SQL about one row that several statements share. The table is schema/001-sessions.sql.

All times are on the database's clock, because the servers' clocks differ.
"""

from __future__ import annotations

LIVE = "data IS NOT NULL AND expires_at > UNIX_TIMESTAMP()"

# Invariants of a live row, checked in SQL because other programs write this table too (docs/row-contract.md).
# Each stands under the complaint about a row that breaks it. A change of such a row would be acknowledged and
# lost: JSON_SET leaves an array as it is, and MariaDB's turns half a text into NULL, which ends the session.
ROW_INVARIANTS = {
    # JSON_VALID comes first: in a change, MariaDB's other functions raise an error for invalid JSON.
    "its data are no JSON object": "JSON_VALID(data) AND JSON_TYPE(data) = 'OBJECT'",
    # The largest that the column holds has no next one: a change would fail as if the store were out.
    "its version is 0 or the largest": "version BETWEEN 1 AND 4294967294",
    "its times are out of order": "created_at <= expires_at AND expires_at <= absolute_at",
}
INTACT = " AND ".join(ROW_INVARIANTS.values())

# The idle timeout, by the user of the row.
IDLE_S = "IF(`user` IS NULL, %(anonymous_idle_s)s, %(idle_s)s)"
# The expiry after a touch: never backwards, and never beyond the absolute timeout.
TOUCHED = f"LEAST(GREATEST(expires_at, UNIX_TIMESTAMP() + {IDLE_S}), absolute_at)"
# created_at, expires_at and absolute_at of a session that begins now, for a user that comes as {0}.
BEGINS = """UNIX_TIMESTAMP(), UNIX_TIMESTAMP() + LEAST(IF({0} IS NULL, %(anonymous_idle_s)s, %(idle_s)s),
    %(absolute_s)s), UNIX_TIMESTAMP() + %(absolute_s)s"""
