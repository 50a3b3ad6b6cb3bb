"""G8: clean removes the expired and only the expired."""

from __future__ import annotations

from verify.evidence import Run, Violation


def clean_removes_only_the_expired(run: Run) -> list[Violation]:
    """Of the rows planted, all expired ones are gone and all live ones are there."""
    return [
        Violation(f"{o.act}: {o.result}, expected {o.value}", (o,))
        for o in run.history
        if o.act in ("expired-rows-left", "live-rows-left") and o.result != o.value
    ]
