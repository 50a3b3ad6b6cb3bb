"""Histories told by hand: `me = Visit("shopper-0.0")`, then `me.add(1), me.read({"n": 1})`."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from verify.evidence import Run
from verify.history import Operation
from verify.visitor import Answer

_milliseconds = itertools.count(0, 10**6)
_servers = itertools.cycle(["web-a", "web-b"])


@dataclass(frozen=True)
class Visit:
    """Makes the operations of one visit, such as "shopper-0.0": the role is in its name."""

    name: str

    def did(
        self,
        act: str,
        key: str | None = None,
        value: Any = None,
        result: Any = "",
        *,
        at: tuple[float, float] | None = None,
        status: int = 200,
        server: str | None = None,
        **differs: Any,
    ) -> Operation:
        """Return an operation after all earlier ones, served by another server than the last.

        at: invoked and completed, in seconds, for operations that overlap. differs: further fields.
        """
        invoked, completed = [round(s * 1e9) for s in at] if at else itertools.islice(_milliseconds, 2)
        server = server or next(_servers)
        fields = {
            "role": self.name.rpartition("-")[0],
            "visitor": self.name.rpartition(".")[0],
            "visit": self.name,
            "tab": 0,
            "outcome": Answer("", "", status, server).outcome,
            "result": result if status == 200 else "a problem",
            "request_id": None,
            "sent_id": f"id of {self.name}",
            "cookie": "kept",
        }
        return Operation(
            act=act,
            key=key,
            value=value,
            status=status,
            server=server,
            invoked=invoked,
            completed=completed,
            **fields | differs,
        )

    def add(self, count: int | None = None, key: str = "n", **how: Any) -> Operation:
        return self.did("add", key, None, {"value": count}, **how)

    def append(self, item: str, length: int | None = None, **how: Any) -> Operation:
        return self.did("append", "items", item, {"length": length}, **how)

    def set(self, value: Any, key: str = "last", **how: Any) -> Operation:
        return self.did("set", key, value, **how)

    def remove(self, key: str = "last", **how: Any) -> Operation:
        return self.did("remove", key, **how)

    def read(self, data: dict[str, Any] | None = None, user: str | None = None, **how: Any) -> Operation:
        return self.did("read", None, result={"user": user, "data": data or {}}, **how)

    def final(self, data: dict[str, Any] | None = None, **how: Any) -> Operation:
        return self.did("read", None, "final", {"user": None, "data": data or {}}, **how)


def run(*operations: Operation, struck: float = 0, healed: float = 0, store_is_out: bool = False) -> Run:
    """Return the run with these operations. struck, healed: in seconds."""
    history = sorted(operations, key=lambda o: o.invoked)
    return Run(history, round(struck * 1e9), round(healed * 1e9), store_is_out)
