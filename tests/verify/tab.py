"""One tab of a visitor: asks, and has the answer recorded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from verify.history import Operation, Recorder, operation_of
from verify.visitor import Visitor


class Tab:
    """A visitor's cookie jar and connection, and the names under which operations are recorded."""

    def __init__(self, recorder: Recorder, visitor: Visitor, /, **who: Any) -> None:
        self.visitor = visitor
        self.visit: str = who["visit"]
        self._recorder = recorder
        self._who = who

    def do(self, act: str, key: str | None = None, value: Any = None, *, dares: bool = False) -> Operation:
        sent_id = self.visitor.session_id
        answer = self.visitor.act(act, key, value)
        operation = operation_of(answer, sent_id, act=act, key=key, value=value, dares=dares, **self._who)
        self._recorder.add(operation)
        return operation

    def note(self, operation: Operation, **differs: Any) -> None:
        """Record an operation with some fields changed: of another id, or done by SQL."""
        self._recorder.add(replace(operation, **differs))

    def another(self, number: int) -> Tab:
        """Return another tab of the visitor with the same cookie as now."""
        return Tab(self._recorder, self.visitor.another_tab(), **self._who | {"tab": number})

    def with_id(self, session_id: str | None, number: int = 9, **differs: Any) -> Tab:
        """Return a tab with an id of its own, such as a dead or a forged one."""
        visitor = self.visitor.with_id(session_id)
        return Tab(self._recorder, visitor, **self._who | {"tab": number} | differs)
