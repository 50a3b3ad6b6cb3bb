"""Marks: the note of a writer in the place of a copy. While one is there every server reads the table.

Several writers at once share an item: it then holds the marks of all of them.
"""

from __future__ import annotations

import secrets

from .cache import Cache, CacheUnavailable, Item

# Seconds. Longer than any write that gets an answer, and than a database is likely to stand still.
MARK_S = 30
# Attempts at one item. Each failed one means that another request succeeded.
MAX_ATTEMPTS = 16

MARK = b"mark "


def mark_item(cache: Cache, name: str, item: Item | None) -> bytes:
    """Put a new mark on the item and return it. item: as it was seen last, or None."""
    mark = secrets.token_hex(8).encode()
    for _ in range(MAX_ATTEMPTS):
        if item is None:
            is_marked = cache.add(name, _marks([mark]), MARK_S)
        else:
            is_marked = cache.cas(name, _marks([*_marks_in(item), mark]), item.token, MARK_S)
        if is_marked:
            return mark
        item = cache.gets(name)
    # Too many writers at once: overwrite with a mark that no writer owns. It stays until it expires.
    cache.set(name, _marks([b"nobody"]), MARK_S)
    return mark


def unmark_item(cache: Cache, name: str, mark: bytes | None) -> None:
    """Return when no older copy or lease is there. Raises CacheUnavailable if that is uncertain."""
    if mark is None:
        raise CacheUnavailable("the write left no mark in the cache")
    for _ in range(MAX_ATTEMPTS):
        item = cache.gets(name)
        if item is None:
            return
        marks = _marks_in(item)
        if marks and mark not in marks:
            return
        others = [other for other in marks if other != mark]
        try:
            if others:
                is_done = cache.cas(name, _marks(others), item.token, MARK_S)
            else:
                is_done = cache.remove(name, item.token)
        except CacheUnavailable:
            if marks:
                return  # the mark hides the copies until it expires
            raise
        if is_done:
            return
    raise CacheUnavailable(f"other requests were faster, {MAX_ATTEMPTS} times")


def _marks(marks: list[bytes]) -> bytes:
    return MARK + b" ".join(marks)


def _marks_in(item: Item) -> list[bytes]:
    return item.value.removeprefix(MARK).split(b" ") if item.value.startswith(MARK) else []
