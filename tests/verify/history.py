"""The history of a run: one record per operation of a visitor, one JSON line per record.

As in Jepsen an operation is invoked, completes, and has one of three outcomes: ok, refused (certainly not
done; Jepsen's "fail") or unknown (perhaps done, or perhaps still to be done).
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from verify import visitor
from verify.outcome import Outcome
from verify.visitor import Answer

Cookie = Literal["kept", "set", "cleared"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of one visitor.

    role: the kind of visitor. visitor: the owner of one cookie jar. visit: one session of the owner,
    from its first request on. tab: operations of one tab do not overlap.
    act: read, set, add, append, login, logout, … value: the value sent. result: the value received.
    sent_id: digest of the cookie that went along, None without one.
    invoked, completed: nanoseconds of this machine's monotonic clock.
    dares: a refusal (409, a dead session) is a correct answer to this operation.
    """

    role: str
    visitor: str
    visit: str
    tab: int
    act: str
    key: str | None
    value: Any
    outcome: Outcome
    status: int
    result: Any
    server: str
    request_id: str | None
    sent_id: str | None
    cookie: Cookie
    invoked: int
    completed: int
    dares: bool = False

    @property
    def is_ok(self) -> bool:
        return self.outcome == "ok"

    def __str__(self) -> str:
        asked = " ".join(json.dumps(part) for part in (self.key, self.value) if part is not None)
        answered = f"{self.status or 'no answer'} from {self.server}"
        result = "" if self.result is None else f", {_short(json.dumps(self.result))}"
        at = f"{self.invoked / 1e9:.3f}-{self.completed / 1e9:.3f}"
        return f"[{at}] {self.visit} tab {self.tab}: {self.act} {asked} → {self.outcome} ({answered}{result})"


History = Sequence[Operation]


def _short(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:120]} … {text[-60:]}"


def digest(session_id: str | None) -> str | None:
    """Return the form of an id in a history: enough to tell ids apart, useless as a cookie."""
    return session_id and hashlib.sha256(session_id.encode()).hexdigest()[:12]


class Recorder:
    """Collects the operations of all visitors of a run; for use by many threads at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._operations: list[Operation] = []

    def add(self, operation: Operation) -> None:
        with self._lock:
            self._operations.append(operation)

    def history(self) -> list[Operation]:
        """Return the operations recorded up to now, in the order of invocation."""
        with self._lock:
            return sorted(self._operations, key=lambda operation: operation.invoked)


def operation_of(answer: Answer, sent_id: str | None, **who_and_what: Any) -> Operation:
    """Return the record of an answer. who_and_what: the fields that are not in an answer."""
    cookie: Cookie = "kept"
    if answer.set_cookie is not None:
        cookie = "cleared" if answer.clears_cookie else "set"
    return Operation(
        outcome=answer.outcome,
        status=answer.status,
        result=answer.body,
        server=answer.server,
        request_id=answer.request_id,
        sent_id=digest(sent_id),
        cookie=cookie,
        invoked=answer.invoked_ns,
        completed=answer.completed_ns,
        **who_and_what,
    )


def write(history: History, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        for operation in history:
            file.write(json.dumps(asdict(operation), ensure_ascii=False) + "\n")


def read(path: Path) -> list[Operation]:
    with path.open() as file:
        return [Operation(**json.loads(line)) for line in file]


# Questions that several checkers ask


def not_as_asked(o: Operation) -> bool:
    """Return whether the answer was neither ok nor a correct refusal. An aborter expects none."""
    was_refused = o.dares and o.outcome == "refused" and 400 <= o.status < 500
    return not o.is_ok and not was_refused and o.role != "aborter"


def grouped(history: Iterable[Operation], by: Callable[[Operation], str]) -> dict[str, list[Operation]]:
    """Return the operations in one list per value of `by`, order kept."""
    groups: dict[str, list[Operation]] = {}
    for operation in history:
        groups.setdefault(by(operation), []).append(operation)
    return groups


def visits(history: Iterable[Operation], *roles: str) -> Iterator[list[Operation]]:
    """Yield the operations of each visit of visitors of these roles."""
    chosen = (operation for operation in history if operation.role in roles)
    yield from grouped(chosen, lambda operation: operation.visit).values()


def hops(history: Iterable[Operation]) -> int:
    """Return how often another server answered a visitor than the time before."""
    theirs = (operation for operation in history if operation.role != "auditor")
    return sum(map(visitor.hops, grouped(theirs, lambda operation: operation.visitor).values()))


def outcomes(history: Iterable[Operation]) -> Counter[str]:
    return Counter(operation.outcome for operation in history)


def shifted(history: History, by_ns: int) -> list[Operation]:
    """Return the history with its clock moved, so that a run begins at zero."""
    return [replace(o, invoked=o.invoked + by_ns, completed=o.completed + by_ns) for o in history]
