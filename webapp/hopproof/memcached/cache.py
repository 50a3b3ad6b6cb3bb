"""The interface of a cache: items that are replaced by compare-and-swap, and the error of each verb."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class CacheUnavailable(Exception):
    """The cache did not answer in time. The operation may or may not have been done."""


@dataclass(frozen=True, slots=True)
class Item:
    """A value in the cache. token: stands for this value and no other (memcached's `cas unique`)."""

    value: bytes
    token: bytes


class Cache(Protocol):
    """The five verbs of memcached that copies need. Each may raise CacheUnavailable."""

    def gets(self, name: str) -> Item | None:
        """Return the item, None if there is none."""

    def set(self, name: str, value: bytes, seconds: int) -> None:
        """Store the item, for at most so many seconds."""

    def add(self, name: str, value: bytes, seconds: int) -> bool:
        """Store the item if there is none; return whether it was done."""

    def cas(self, name: str, value: bytes, token: bytes, seconds: int) -> bool:
        """Replace the item that the token stands for; return whether it was still there."""

    def remove(self, name: str, token: bytes) -> bool:
        """Remove the item that the token stands for; return whether it was still there."""
