"""A change applied to a session's data in plain Python, for stores that cannot compute it themselves."""

from __future__ import annotations

from .handler import Change, Json, SessionRefused
from .ijson import encode
from .limits import MAX_INTEGER


def applied(change: Change, data: dict[str, Json], max_bytes: int) -> tuple[dict[str, str], int | None]:
    """Return the data after the change, as a JSON text per name, and the result of add or append.

    Raises SessionRefused.
    """
    result = None
    for name in change.remove:
        encode(name, name)
    data = {name: value for name, value in data.items() if name not in change.remove}
    data.update(change.set)
    if change.add is not None:
        name, n = change.add
        encode(n, name)
        count = data.get(name, 0)
        if type(count) is not int or abs(count + n) > MAX_INTEGER:
            raise SessionRefused.not_countable(name, n)
        data[name] = result = count + n
    if change.append is not None:
        name, value = change.append
        items = data.get(name, [])
        if type(items) is not list:
            raise SessionRefused.not_a_list(name)
        data[name] = [*items, value]
        result = len(items) + 1
    texts = {name: encode(value, name) for name, value in data.items()}
    # Removing must always be possible, also from a session that exceeds a limit that was lowered later.
    may_grow = change.set or change.add or change.append
    size = sum(len(name.encode()) + len(text.encode()) for name, text in texts.items())
    if may_grow and size > max_bytes:
        raise SessionRefused.too_large(max_bytes)
    return texts, result
