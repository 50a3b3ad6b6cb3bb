"""The entries of a session as one request knows them, and their difference to the store."""

from __future__ import annotations

import contextlib
import marshal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .handler import Change, Json
from .ijson import encode

_UNCHANGING = (str, int, float, type(None))


def _same(value: Any, name: str = "") -> Any:
    return value


@dataclass(frozen=True, slots=True)
class Codec:
    """Values as a framework gives them to its routes, and as they are stored; each undoes the other.

    to_json: takes the value and the name of its entry, and raises SessionRefused of a value that would come
    back different. from_json: takes what to_json returned, perhaps years ago.
    """

    to_json: Callable[[Any, str], Json] = _same
    from_json: Callable[[Json], Any] = _same


PLAIN = Codec()


class Entries:
    """The data of one request. Entries that the request has not touched are never compared or written.

    values: as the route sees them now; the stored ones are missing until load.
    """

    def __init__(self, codec: Codec = PLAIN) -> None:
        self.codec = codec
        self.values: dict[str, Any] = {}
        self._set: set[str] = set()
        self._removed: set[str] = set()
        # The stored form of each value that the route got or replaced:
        # a list or dict can change inside without any call of a method here.
        self._stored: dict[str, bytes] = {}

    def load(self, stored: Mapping[str, Json]) -> None:
        """Add the stored entries below the changes that were made before they were read."""
        decode = self.codec.from_json
        kept = {name: decode(value) for name, value in stored.items() if name not in self._removed}
        self.values = kept | self.values

    def lend(self, name: str) -> Any:
        """Return the value, and find changes inside it later. Raises KeyError."""
        value = self.values[name]
        if not isinstance(value, _UNCHANGING):
            self._remember(name)
        return value

    def put(self, name: str, value: Any) -> None:
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

    def note(self, name: str, value: Any) -> None:
        """Take over a value that the store has computed."""
        self.values[name] = value
        self._stored[name] = _frozen(self.codec.to_json(value, name))

    def change(self) -> Change:
        """Return the difference to the store, of what this request has touched. Raises SessionRefused."""
        touched = self._set | self._stored.keys()
        stored = {name: self.codec.to_json(self.values[name], name) for name in touched}
        changed = {name: value for name, value in stored.items() if self._differs(name, value)}
        return Change(set=changed, remove=frozenset(self._removed))

    def written(self, change: Change) -> None:
        """Forget the differences that this change has taken to the store."""
        self._stored.update((name, _frozen(value)) for name, value in change.set.items())
        self._set -= change.set.keys()
        self._removed -= change.remove

    def _remember(self, name: str) -> None:
        if name not in self._stored and name not in self._set:
            self._stored[name] = _frozen(self.codec.to_json(self.values[name], name))

    def _differs(self, name: str, value: Json) -> bool:
        stored = self._stored.get(name)
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
