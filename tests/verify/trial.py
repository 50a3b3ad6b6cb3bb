"""One fault, one crowd, one history."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from verify.auditor import auditor_of
from verify.crowd import Crowd
from verify.evidence import Run
from verify.faults import Fault
from verify.history import Operation, Recorder, not_as_asked
from verify.strikes.proof import DidNotStrike
from verify.subject import Subject


@dataclass(frozen=True, slots=True)
class Pace:
    """The durations of a trial. quiet_s: after so many seconds of only ok answers it has recovered.

    unjudged: why it does not judge what visitors felt; None: it does.
    """

    warm_up_s: float = 5
    longest_hold_s: float = 20
    quiet_s: float = 3
    unjudged: str | None = None


FULL = Pace()
# For saboteurs, which show at once, and for every test run.
QUICK = Pace(warm_up_s=2, longest_hold_s=2, quiet_s=1, unjudged="a short run, perhaps on a busy machine")


@dataclass(frozen=True, slots=True)
class Trial:
    """One fault with its crowd: the run for the checkers, and the facts for the reader.

    evidence: the trace that the fault left; None: it did not strike, and `trouble` says why.
    recovery_s: from the strike (the heal, if visitors needed it) to the last answer that was not ok;
    None: there were still such answers half a minute after the heal. unjudged: see Pace.
    not_judged: see Subject.
    """

    fault: Fault
    run: Run
    evidence: str | None
    trouble: str | None
    recovery_s: float | None
    unjudged: str | None = None
    not_judged: Mapping[str, str] = field(default_factory=dict)


def strike(subject: Subject, fault: Fault, seed: str, pace: Pace = FULL) -> Trial:
    """Let a crowd in, let the fault strike and heal, and return the history of all visitors.

    The fault is healed before this returns or raises, also after Ctrl-C.
    """
    recorder = Recorder()
    auditor = auditor_of(subject, recorder)
    evidence, trouble = None, None
    subject.make_whole()
    servers = len(subject.server_names())
    planted = auditor.plant_rows()
    with Crowd(subject, recorder, seed) as crowd:
        time.sleep(pace.warm_up_s)
        struck = healed = time.monotonic_ns()
        try:
            with auditor.reading_at_each_member(), fault.strike(subject) as evidence:
                time.sleep(min(fault.hold_s, pace.longest_hold_s))
                healed = time.monotonic_ns()
        except (DidNotStrike, AssertionError) as error:
            evidence, trouble = None, str(error)
        back = time.monotonic_ns()
        try:
            subject.make_whole()
        except AssertionError as error:
            # Not whole, but perhaps serving: what it answers is judged, and what holds proves nothing.
            evidence, trouble = None, str(error)
        auditor.clean_twice_at_once(planted)
        has_recovered = _is_quiet(recorder, pace.quiet_s)
        ended = time.monotonic_ns()
    crowd.read_finals()
    crowd.replay_dead_ids()
    auditor.count_rows_around_reading(seed)
    auditor.count_rows_of_forged(crowd.scene.forged_ids)
    history = recorder.history()
    budget = None if pace.unjudged else fault.budget
    run = Run(
        history,
        struck,
        healed,
        fault.takes == "store",
        servers,
        back,
        ended,
        budget,
        subject.error_within_s,
        subject.remembers_the_dead,
    )
    since = struck if fault.heals_itself else healed
    recovery_s = _recovery_s(history, since) if has_recovered else None
    return Trial(fault, run, evidence, trouble, recovery_s, pace.unjudged, subject.not_judged)


def _recovery_s(history: list[Operation], since: int) -> float:
    return max([0, *(o.completed - since for o in history if not_as_asked(o))]) / 1e9


def _is_quiet(recorder: Recorder, quiet_s: float) -> bool:
    """Wait until all visitors have been served for so long, and return whether they were within 30 s."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        time.sleep(0.2)
        last = max((o.completed for o in recorder.history() if not_as_asked(o)), default=0)
        if time.monotonic_ns() - last > quiet_s * 10**9:
            return True
    return False
