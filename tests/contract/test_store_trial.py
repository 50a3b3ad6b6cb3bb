"""The command for somebody else's handler, on the handler of the docs, whole and broken on purpose."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs/examples/sqlite_store.py"

Command = Callable[..., subprocess.CompletedProcess[str]]

# Replacements in the example, the words that narrow the run, and the broken promise.
BROKEN = {
    "an upsert that revives": (
        [("raise SessionGone(ended=True)", 'text = "{}"')],
        "revive",
        "a slow write does not revive a session that was logged out (7 of 7 cases: touch, set, ",
    ),
    "an end that leaves no tombstone": (
        [
            ('"UPDATE sessions SET data = NULL, user = NULL, expires_at = ?"', '"DELETE FROM sessions"'),
            ("(ended_until, now, *values)", "(now, *values)"),
        ],
        "ended session is",
        "an ended session is remembered for the tombstone time",
    ),
    "a session that is written back whole": (
        [
            (
                "        gain_s = ",
                "        self.__dict__.setdefault('seen', {})[key] = text\n        gain_s = ",
            ),
            ("else json.loads(text)", "else json.loads(self.__dict__.get('seen', {}).get(key, text))"),
        ],
        "two servers",
        "changes of different keys by two servers both survive",
    ),
    "reading and writing without a lock": (
        [('db.execute("BEGIN IMMEDIATE")', "pass")],
        "same moment",
        "counts of several servers at the same moment are all kept",
    ),
    "a failure that reads as empty": (
        [
            ("def read(", "def _read("),
            (
                "    def destroy(",
                "    def read(self, key):\n"
                "        try:\n            return self._read(key)\n"
                "        except SessionStoreUnavailable:\n            return None\n\n    def destroy(",
            ),
        ],
        "never looks like",
        "a read that failed never looks like an empty session",
    ),
}

A_WORLD = """
class World:
    def new_handler(self, **settings): {new_handler}
    def age(self, seconds): pass
    def row_count(self): return {rows}
"""
UNUSABLE = {
    "no class named": ("", "store.py", "'store.py' does not say FILE.py:CLASS; type: tests/contract/run "),
    "no such file": ("", "nowhere.py:World", "there is no file "),
    "no such class": ("class Weird: pass", "store.py:World", "has no class World; its classes: Weird."),
    "a function": ("def World(): pass", "store.py:World", "has no class World; its classes: none."),
    "no method": (
        "class World: pass",
        "store.py:World",
        "World has no new_handler and no age and no row_count; ",
    ),
    "no Python": ("class World", "store.py:World", "store.py cannot be imported: SyntaxError: "),
    "no driver": (
        "import psycopg9",
        "store.py:World",
        "store.py imports psycopg9, which is not there; type: ",
    ),
    "a constructor with arguments": (
        "class World:\n  def __init__(self, url): pass\n  new_handler = age = row_count = print",
        "store.py:World",
        "World() failed with TypeError: ",
    ),
    "no handler": (
        A_WORLD.format(new_handler="return dict()", rows=0),
        "store.py:World",
        "World().new_handler() returned dict, which has no open and no read and no write and ",
    ),
    "a handler that cannot be opened": (
        A_WORLD.format(new_handler="raise OSError('no route to host')", rows=0),
        "store.py:World",
        "World().new_handler() failed with OSError: no route to host (store.py, line 4)",
    ),
    "a store that is not empty": (
        A_WORLD.format(new_handler="return MemoryHandler()", rows=7),
        "store.py:World",
        "a new World has row_count() 7; expected 0",
    ),
    "a copy of the package": (
        A_WORLD.format(new_handler="return Copied()", rows=0)
        + """
class SessionGone(Exception): pass

class Copied(MemoryHandler):
    def write(self, key, change):
        if not change.create: raise SessionGone
""",
        "store.py:World",
        "the handler raises newcomer_store.SessionGone, of a copy of the package; for the suite, write: ",
    ),
    "a reason for no promise": (
        A_WORLD.format(new_handler="return MemoryHandler()", rows=0)
        + "    not_offered = {'levitates': 'no'}",
        "store.py:World",
        "no promise contains 'levitates'",
    ),
}

# The example without what a store may lack.
SMALLER = """
del SQLiteHandler.sessions_of_user, SQLiteHandler.end_one_of_user, SQLiteHandler.end_user
del SQLiteHandler.end_oldest_of_user
del SQLiteWorld.unreachable_handler

class SmallWorld(SQLiteWorld):
    not_offered = {"beyond the absolute timeout": "sessions live for ever"}

    def new_handler(self, lifetimes=Lifetimes(), max_bytes=MAX_BYTES):
        return SQLiteHandler(self.path, lifetimes, max_bytes)
"""


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Return the command as a stranger calls it: from elsewhere, without an engine within reach."""
    memory = Path("/dev/shm")  # the example waits for its disk at every write
    temporary = memory if memory.is_dir() else tmp_path
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TMPDIR": str(temporary)}
    if "HOPPROOF_STATE" in os.environ:
        environment["HOPPROOF_STATE"] = os.environ["HOPPROOF_STATE"]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [ROOT / "tests/contract/run", *arguments],
            cwd=tmp_path,
            env=environment | {"DOCKER_HOST": "tcp://127.0.0.1:1"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


def test_the_store_of_the_docs_keeps_every_promise(command: Command) -> None:
    done = command(f"{EXAMPLE}:SQLiteWorld")

    assert (done.returncode, done.stderr) == (0, "")
    kept, _, rest = done.stdout.removeprefix("SQLiteWorld: ").partition(" ")
    assert rest == "promises kept, 0 broken, 0 not offered\n"
    assert int(kept) > 150


@pytest.mark.parametrize("defect", BROKEN)
def test_a_broken_store_is_told_which_promise_it_breaks(
    command: Command, tmp_path: Path, defect: str
) -> None:
    replacements, words, promise = BROKEN[defect]
    text = EXAMPLE.read_text()
    for before, after in replacements:
        assert text.count(before) == 1
        text = text.replace(before, after)
    (tmp_path / "broken.py").write_text(text)
    done = command("broken.py:SQLiteWorld", "-k", words)

    assert f"breaks: {promise}" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 1


def test_the_docs_print_what_a_store_without_a_tombstone_is_told() -> None:
    _, _, promise = BROKEN["an end that leaves no tombstone"]

    assert f"\nbreaks: {promise}\n" in (ROOT / "docs/lifting.md").read_text()


def test_what_a_store_lacks_is_told_and_not_counted_as_kept(command: Command, tmp_path: Path) -> None:
    (tmp_path / "small.py").write_text(EXAMPLE.read_text() + SMALLER)
    words = ("everywhere", "grace", "failed", "the absolute timeout")
    done = command("small.py:SmallWorld", *(option for each in words for option in ("-k", each)))

    assert "not offered: the handler has no end_user\n        logging out everywhere " in done.stdout
    assert "not offered: new_handler has no setting clean_grace_s\n        cleaning with a " in done.stdout
    assert "not offered: SmallWorld has no unreachable_handler\n        a read that failed " in done.stdout
    assert "not offered: sessions live for ever\n        nothing moves the expiry beyond " in done.stdout
    lacking = re.findall(r"^        ", done.stdout, re.MULTILINE)
    assert re.fullmatch(
        f"SmallWorld: [1-9] promises kept, 0 broken, {len(lacking)} not offered", done.stdout.splitlines()[-1]
    )
    assert done.returncode == 0


@pytest.mark.parametrize("what", UNUSABLE)
def test_a_class_that_cannot_be_used_is_told_what_was_expected(
    command: Command, tmp_path: Path, what: str
) -> None:
    text, argument, message = UNUSABLE[what]
    (tmp_path / "store.py").write_text(f"from hopproof.memory import MemoryHandler\n{text}\n")
    done = command(argument)

    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert (done.returncode, done.stdout) == (2, "")
