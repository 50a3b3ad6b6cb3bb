"""G3: one session behaves as one copy."""

from __future__ import annotations

from collections.abc import Iterator

from verify import linearizability
from verify.evidence import Run, Violation
from verify.history import Operation, visits


def one_session_behaves_as_one_copy(run: Run) -> list[Violation]:
    """Linearizability of each session, all its names together.

    Raises Undecided if a search was given up and no other session contradicts the claim.
    """
    found, undecided = [], None
    for visit in visits(run.history, "tabs", "shopper"):
        try:
            found += _not_one_copy(visit)
        except linearizability.Undecided as given_up:
            undecided = given_up
    if undecided and not found:
        raise undecided
    return found


def _not_one_copy(visit: list[Operation]) -> Iterator[Violation]:
    culprit = linearizability.unexplained(visit)
    if culprit is not None:
        before = [o for o in visit if o.invoked < culprit.completed and o is not culprit]
        related = [o for o in before if o.key is None or culprit.key in (None, o.key)]
        yield Violation(
            f"no order of {len(before) + 1} operations explains the last", (*related[-6:], culprit)
        )
