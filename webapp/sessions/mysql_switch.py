"""The switch that turns off all copies, in the database of the sessions: who can write can turn it."""

from __future__ import annotations

from dataclasses import dataclass

from .cached import SwitchSeen
from .handler import SessionStoreUnavailable
from .mysql import MySQLHandler

# With fractions: UNIX_TIMESTAMP() alone would be up to a second behind.
NOW = "UNIX_TIMESTAMP(NOW(6))"
LOOK = f"SELECT {NOW}, off_until - {NOW} FROM cache_switch WHERE id = 1"
TURN_OFF = f"UPDATE cache_switch SET off_until = GREATEST(off_until, {NOW} + %(seconds)s) WHERE id = 1"


@dataclass(frozen=True, slots=True)
class MySQLSwitch:
    """Asked over the connection, and within the deadline, of the request's handler."""

    handler: MySQLHandler

    def look(self) -> SwitchSeen:
        rows = self.handler._ask(LOOK, repeatable=True).rows
        if not rows:
            raise SessionStoreUnavailable("cache_switch has no row 1; the schema puts it there")
        store_time, off_s = rows[0]
        return SwitchSeen(float(store_time), float(off_s))

    def turn_off(self, seconds: float) -> None:
        if not self.handler._ask(TURN_OFF, repeatable=True, seconds=seconds).matched:
            raise SessionStoreUnavailable("cache_switch has no row 1; the schema puts it there")
