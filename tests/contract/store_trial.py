"""The contract suite on one handler, with its result in sentences. tests/contract/run calls it."""

from __future__ import annotations

import argparse
import inspect
import linecache
import os
import re
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from newcomer import Newcomer, NotUsable, lacks, load

CONTRACT = Path(__file__).parent
ROOT = CONTRACT.parents[1]

OURS = {"world", "handler", "other"}
# Uses of verbs, methods and settings that a handler or a world may lack.
USES = re.compile(
    r"\.(sessions_of_user|end_one_of_user|end_user|end_oldest_of_user|unreachable_handler)\b|new_handler\((\w+)="
)
NEEDS_A_WORLD = re.compile(r"^def test_\w+\([^)]*\b(world|handler|other)\b", re.MULTILINE)
# A verb that takes this long has hung.
TEST_S = 60


@dataclass(slots=True)
class Promise:
    """A test function: kept if each of its cases passed."""

    sentence: str
    cases: int = 0
    tried: bool = False
    broken: list[str] = field(default_factory=list)  # the cases' names
    reason: str = ""
    traceback: str = ""

    def told(self) -> str:
        cases = f" ({len(self.broken)} of {self.cases} cases: {', '.join(self.broken)})"
        return f"breaks: {self.sentence}{cases if self.cases > 1 else ''}\n        {self.reason}"


class Suite:
    """A plugin of pytest: chooses the tests that need a world and nothing else, and runs them in this one."""

    def __init__(self, world_class: type[Any], words: list[str]) -> None:
        self.world_class = world_class
        self.words = words
        self.lacks = lacks(world_class)
        self.declared: dict[str, str] = dict(getattr(world_class, "not_offered", {}))
        self.promises: dict[str, Promise] = {}
        self.not_offered: dict[str, str] = {}  # sentence to reason
        self.without_promise = list(self.declared)  # words of not_offered that no promise contains
        self.broken_suite = ""

    @pytest.fixture
    def world(self) -> Iterator[Newcomer]:
        world = Newcomer(self.world_class)
        yield world
        world.close()

    @pytest.fixture
    def handler(self, world: Newcomer) -> Any:
        return world.new_handler()

    @pytest.fixture
    def other(self, world: Newcomer) -> Any:
        return world.new_handler()

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Leave out what has no test for a newcomer: some of it needs an engine, or imports the app."""
        is_test = collection_path.match("test_*.py")
        return True if is_test and not NEEDS_A_WORLD.search(collection_path.read_text()) else None

    def pytest_collection_modifyitems(self, items: list[pytest.Function]) -> None:
        chosen = []
        for item in items:
            given = item.callspec.params if hasattr(item, "callspec") else {}
            needed = set(item.fixturenames) - set(given) - {"request"}
            sentence = _sentence(item.originalname)
            if not needed or not needed <= OURS:
                continue
            self.without_promise = [words for words in self.without_promise if words not in sentence]
            if self.words and not any(words in sentence for words in self.words):
                continue
            if reason := self._why_not(item, sentence):
                self.not_offered[sentence] = reason
                continue
            promise = self.promises.setdefault(_promise_id(item.nodeid), Promise(sentence))
            promise.cases += 1
            chosen.append(item)
        items[:] = [] if self.without_promise else chosen

    def _why_not(self, item: pytest.Function, sentence: str) -> str:
        for words, reason in self.declared.items():
            if words in sentence:
                return reason
        used = {name for pair in USES.findall(inspect.getsource(item.function)) for name in pair}
        return next((reason for name, reason in self.lacks.items() if name in used), "")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.broken_suite = report.longreprtext

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Function) -> Iterator[None]:
        def give_up(*_: object) -> None:
            raise TimeoutError(f"no answer within {TEST_S} s")

        signal.signal(signal.SIGALRM, give_up)
        signal.setitimer(signal.ITIMER_REAL, TEST_S, 1)  # again and again: the first may end one wait of two
        try:
            return (yield)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        promise = self.promises[_promise_id(report.nodeid)]
        promise.tried = True
        if report.failed:
            case = report.nodeid.partition("[")[2].removesuffix("]")
            if case not in promise.broken:
                promise.broken.append(case)
            if not promise.reason:
                promise.reason = _reason(report)
                promise.traceback = report.longreprtext

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        if sys.stderr.isatty():
            print(f"\r\033[K{self.promises[_promise_id(nodeid)].sentence[:79]}", end="", file=sys.stderr)

    def print_result(self, with_tracebacks: bool) -> int:
        """Print what was found and return the exit code: 0 if all that is offered is kept, else 1."""
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr)
        for reason in dict.fromkeys(self.not_offered.values()):
            sentences = [each for each, why in self.not_offered.items() if why == reason]
            print(f"not offered: {reason}", *[f"        {sentence}" for sentence in sentences], sep="\n")
        broken = [promise for promise in self.promises.values() if promise.broken]
        tried = sum(promise.tried for promise in self.promises.values())
        for promise in broken:
            print(promise.told())
            if with_tracebacks:
                print(promise.traceback)
        print(
            f"{self.world_class.__name__}: {tried - len(broken)} promises kept, "
            f"{len(broken)} broken, {len(self.not_offered)} not offered"
        )
        return 1 if broken else 0


def _sentence(test: str) -> str:
    return test.removeprefix("test_").replace("_", " ")


def _reason(report: pytest.TestReport) -> str:
    """Return the error and the line that it came from, as text of two lines at most."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is None:
        return report.longreprtext.splitlines()[-1]
    path = Path(crash.path)
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    line = linecache.getline(crash.path, crash.lineno).strip()
    return f"{crash.message.splitlines()[0]}\n        {shown}:{crash.lineno}: {line}"


def _promise_id(nodeid: str) -> str:
    return nodeid.partition("[")[0]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tests/contract/run",
        description="Run the contract on your session handler and print each promise that it breaks.",
        epilog="Exit code: 0 if all promises are kept, 1 if one is broken, 2 if the class cannot be used.",
    )
    parser.add_argument(
        "world", metavar="FILE.py:CLASS", help="your World; described in tests/contract/worlds.py"
    )
    parser.add_argument(
        "-k",
        metavar="WORDS",
        default=[],
        action="append",
        help="only promises that contain these words; may be repeated",
    )
    parser.add_argument(
        "--tracebacks", action="store_true", help="show the test and the line that failed, too"
    )
    return parser.parse_args()


def main() -> int:
    arguments = _arguments()
    try:
        suite = Suite(load(arguments.world), arguments.k)
    except NotUsable as error:
        print(f"contract: {error}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = folder
        # No conftest: those of this repository start containers. No settings: warnings break no promise.
        quiet = ["--noconftest", "-p", "no:terminal", "-p", "no:cacheprovider"]
        settings = ["-c", str(ROOT / "pyproject.toml"), "-o", "addopts=", "-o", "filterwarnings="]
        code = pytest.main([*quiet, *settings, str(CONTRACT)], plugins=[suite])
    if suite.broken_suite:
        print(f"contract: the suite itself is broken\n{suite.broken_suite}", file=sys.stderr)
        return 2
    if not suite.promises and not suite.not_offered:
        suite.without_promise += arguments.k
    if suite.without_promise:
        print(f"contract: no promise contains {suite.without_promise[0]!r}", file=sys.stderr)
        return 2
    result = suite.print_result(arguments.tracebacks)
    if code == pytest.ExitCode.INTERRUPTED:
        print(f"contract: stopped before the end, of {len(suite.promises)} promises", file=sys.stderr)
        return 2
    return result


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    if threading.active_count() > 1:
        os._exit(code)  # a verb that hangs in its thread would keep the process
    sys.exit(code)
