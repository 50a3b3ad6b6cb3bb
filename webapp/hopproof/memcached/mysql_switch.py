"""The switch in the database of the sessions: a server that can write a session can turn it off."""

from __future__ import annotations

from dataclasses import dataclass

from ..handler import SessionStoreUnavailable
from ..mysql import MySQLHandler
from .lookout import SwitchSeen

# With fractions: UNIX_TIMESTAMP() alone would be up to a second behind.
NOW = "UNIX_TIMESTAMP(NOW(6))"
LOOK = f"SELECT {NOW}, off_until - {NOW} FROM cache_switch WHERE id = 1"
TURN_OFF = f"UPDATE cache_switch SET off_until = GREATEST(off_until, {NOW} + %(seconds)s) WHERE id = 1"


@dataclass(frozen=True, slots=True)
class MySQLSwitch:
    """The switch, asked over the connection of the request's handler, within its time budget."""

    handler: MySQLHandler

    def look(self) -> SwitchSeen:
        rows = self.handler.connection.ask(LOOK, repeatable=True).rows
        if not rows:
            raise SessionStoreUnavailable("cache_switch has no row 1; the schema puts it there")
        store_time, off_s = rows[0]
        return SwitchSeen(float(store_time), float(off_s))

    def turn_off(self, seconds: float) -> None:
        if not self.handler.connection.ask(TURN_OFF, repeatable=True, seconds=seconds).matched:
            raise SessionStoreUnavailable("cache_switch has no row 1; the schema puts it there")
