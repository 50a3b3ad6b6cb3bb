"""The entries of a session as one request knows them, and their difference to the store."""

from __future__ import annotations

import contextlib
import marshal
from collections.abc import Mapping

from .handler import Change, Json
from .ijson import encode


class Entries:
    """The data of one request. Entries that the request has not touched are never compared or written.

    values: as the route sees them now; the stored ones are missing until load.
    """

    def __init__(self) -> None:
        self.values: dict[str, Json] = {}
        self._set: set[str] = set()
        self._removed: set[str] = set()
        # The stored form of each value that the route got or replaced:
        # a list or dict can change inside without any call of a method here.
        self._stored: dict[str, bytes] = {}

    def load(self, stored: Mapping[str, Json]) -> None:
        """Add the stored entries below the changes that were made before they were read."""
        kept = {name: value for name, value in stored.items() if name not in self._removed}
        self.values = kept | self.values

    def lend(self, name: str) -> Json:
        """Return the value, and find changes inside it later. Raises KeyError."""
        value = self.values[name]
        if isinstance(value, (list, dict)):
            self._remember(name)
        return value

    def put(self, name: str, value: Json) -> None:
        if name in self.values:
            self._remember(name)
        self.values[name] = value
        self._set.add(name)
        self._removed.discard(name)

    def remove(self, name: str) -> None:
        self.values.pop(name, None)
        self._stored.pop(name, None)
        self._set.discard(name)
        self._removed.add(name)

    def note(self, name: str, value: Json) -> None:
        """Take over a value that the store has computed."""
        self.values[name] = value
        self._stored[name] = _frozen(value)

    def change(self) -> Change:
        """Return the difference to the store, of what this request has touched. Raises SessionRefused."""
        touched = self._set | self._stored.keys()
        changed = {name: self.values[name] for name in touched if self._differs(name)}
        return Change(set=changed, remove=frozenset(self._removed))

    def written(self, change: Change) -> None:
        """Forget the differences that this change has taken to the store."""
        self._stored.update((name, _frozen(value)) for name, value in change.set.items())
        self._set -= change.set.keys()
        self._removed -= change.remove

    def _remember(self, name: str) -> None:
        if name not in self._stored and name not in self._set:
            self._stored[name] = _frozen(self.values[name])

    def _differs(self, name: str) -> bool:
        stored, value = self._stored.get(name), self.values[name]
        if stored is None:
            return True
        with contextlib.suppress(ValueError):  # no JSON type: the encoding below names it
            if _frozen(value) == stored:
                return False
        # Different bytes may still be the same JSON: the names of an object have no order.
        return encode(value, name) != encode(marshal.loads(stored), name)


def _frozen(value: Json) -> bytes:
    """Return a copy of the value as bytes. Equal bytes mean equal values, types included.

    marshal and not JSON: most values are only read, and this is ten times as fast. Version 2, because
    later ones also write how often an object is used.
    """
    return marshal.dumps(value, 2)
