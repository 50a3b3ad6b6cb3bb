"""The visitors of a run, each in a thread of its own: visit after visit, until the run is over.

All their operations are drawn from the seed, so the same seed repeats the same schedule. The server that
answers, and the time it takes, are up to the deployment.
"""

from __future__ import annotations

import random
import threading
import time

from verify.history import Recorder
from verify.kinds import Kind, kinds_for
from verify.scene import Scene
from verify.subject import Subject
from verify.tab import Tab


class Crowd:
    """Visitors of all kinds, from entering the context to leaving it."""

    def __init__(self, subject: Subject, recorder: Recorder, seed: str) -> None:
        self.scene = Scene(subject)
        self._recorder = recorder
        self._seed = seed
        self._threads: list[threading.Thread] = []
        self._died: list[BaseException] = []

    def __enter__(self) -> Crowd:
        for role, kind in kinds_for(self.scene.subject).items():
            for i in range(kind.number):
                thread = threading.Thread(target=self._live, args=(role, f"{role}-{i}", kind))
                self._threads.append(thread)
                thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.scene.end()
        for thread in self._threads:
            thread.join()
        if self._died:
            raise self._died[0]

    def _live(self, role: str, name: str, kind: Kind) -> None:
        dice = random.Random(f"{self._seed} {name}")
        try:
            for number in range(100_000):
                if self.scene.is_over:
                    return
                who = {"role": role, "visitor": name, "visit": f"{name}.{number}", "tab": 0}
                tab = Tab(self._recorder, self.scene.subject.visitor(), **who)
                kind.visit(self.scene, tab, dice)
                tab.visitor.leave()
        except BaseException as error:  # else the run would prove less than it says
            self._died.append(error)

    # When all have stopped

    def read_finals(self, deadline_s: float = 30) -> None:
        """Read every session once more, for its final content."""
        end = time.monotonic() + deadline_s
        for tab in self.scene.ended_visits:
            while not tab.do("read", value="final").is_ok and time.monotonic() < end:
                time.sleep(0.2)
            tab.visitor.leave()

    def replay_dead_ids(self) -> None:
        """Try every dead id once more, until every server has been asked."""
        wanted = self.scene.subject.server_names()
        for visit, session_id in self.scene.dead_ids:
            visitor = self.scene.subject.visitor_with(session_id)
            role = visit.rpartition("-")[0]
            tab = Tab(self._recorder, visitor, role=role, visitor=f"{role}-replay", visit=visit, tab=20)
            asked: set[str] = set()
            for _ in range(5 * max(1, len(wanted))):
                asked.add(tab.do("read").server)
                if wanted and wanted <= asked:
                    break
            visitor.leave()
