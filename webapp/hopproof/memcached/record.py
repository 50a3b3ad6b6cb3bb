"""A session as one item of memcached: JSON, so that a program in another language can read it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from ..handler import Json


@dataclass(frozen=True, slots=True)
class Record:
    data: dict[str, Json] | None  # None: a tombstone
    user: str | None
    expires_at: float
    absolute_at: float
    version: int = 1

    @classmethod
    def of(cls, value: bytes) -> Record:
        return cls(**json.loads(value))

    def text(self, texts: dict[str, str] | None = None) -> bytes:
        """Return the record as JSON. texts: the data as a JSON text per name, where they are known."""
        if texts is None:
            data = json.dumps(self.data, ensure_ascii=False, separators=(",", ":"))
        else:
            members = (f"{json.dumps(name, ensure_ascii=False)}:{text}" for name, text in texts.items())
            data = "{" + ",".join(members) + "}"
        rest = json.dumps(
            {
                "version": self.version,
                "user": self.user,
                "expires_at": self.expires_at,
                "absolute_at": self.absolute_at,
            },
            ensure_ascii=False,
        )
        return f'{{"data":{data},{rest[1:]}'.encode()
