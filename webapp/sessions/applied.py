"""A change applied to a session's data, in plain Python: for stores that cannot compute it themselves."""

from __future__ import annotations

from .handler import MAX_INTEGER, Change, Json, SessionRefused
from .ijson import encode


def applied(change: Change, data: dict[str, Json], max_bytes: int) -> tuple[dict[str, str], int | None]:
    """Return the data after the change, as a JSON text per key, and what add or append counted.

    Raises SessionRefused.
    """
    result = None
    for key in change.remove:
        encode(key, key)
    data = {key: value for key, value in data.items() if key not in change.remove}
    data.update(change.set)
    if change.add is not None:
        key, n = change.add
        encode(n, key)
        count = data.get(key, 0)
        if type(count) is not int or abs(count + n) > MAX_INTEGER:
            raise SessionRefused.not_countable(key, n)
        data[key] = result = count + n
    if change.append is not None:
        key, value = change.append
        items = data.get(key, [])
        if type(items) is not list:
            raise SessionRefused.not_a_list(key)
        data[key] = [*items, value]
        result = len(items) + 1
    texts = {key: encode(value, key) for key, value in data.items()}
    # Removing must always be possible, also from a session that a smaller limit caught too large.
    may_grow = change.set or change.add or change.append
    size = sum(len(key.encode()) + len(text.encode()) for key, text in texts.items())
    if may_grow and size > max_bytes:
        raise SessionRefused.too_large(max_bytes)
    return texts, result
