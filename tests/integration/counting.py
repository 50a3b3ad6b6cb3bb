"""Visitors who count while something happens to the deployment."""

from __future__ import annotations

import threading
import time

from verify.deployment import Stack, until
from verify.visitor import Answer, Visitor

VISITORS = 6
# Seconds. Longer than two deploys on a busy machine; the end, if a test forgets to stop them.
LIMIT_S = 240


class CountingVisitors:
    """Visitors who count, each on a counter of their own, until they are told to stop."""

    def __init__(self, deployment: Stack) -> None:
        self.visitors = [deployment.visitor() for _ in range(VISITORS)]
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._count, args=(v,)) for v in self.visitors]
        for thread in self._threads:
            thread.start()

    def _count(self, visitor: Visitor) -> None:
        end = time.monotonic() + LIMIT_S
        while not self._stop.is_set() and time.monotonic() < end:
            visitor.add("n")

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def get_around(self) -> None:
        """Return when every visitor has been served ten times more, hops included."""
        before = [(len(_acknowledged(v)), v.hops) for v in self.visitors]

        def done() -> bool:
            return all(
                len(_acknowledged(v)) >= counts + 10 and v.hops > hops
                for v, (counts, hops) in zip(self.visitors, before, strict=True)
            )

        until(done, "ten more answers and a hop for every visitor", 60)

    def not_ok(self) -> list[Answer]:
        return [answer for v in self.visitors for answer in v.history if answer.status != 200]

    def assert_nothing_lost(self) -> None:
        """Each acknowledged count is there, once; each unknown one at most once; time runs forward."""
        self.stop()
        for visitor in self.visitors:
            counts = _acknowledged(visitor)
            unknown = len(visitor.history) - len(counts)
            final = visitor.another_tab().show().body["data"]["n"]
            assert counts == sorted(set(counts)), "a counter went back or stood still"
            assert len(counts) <= final <= len(counts) + unknown, (len(counts), final, unknown)


def _acknowledged(visitor: Visitor) -> list[int]:
    return [answer.body["value"] for answer in list(visitor.history) if answer.status == 200]
