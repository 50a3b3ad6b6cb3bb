"""Apply one mutant after another to a copy of the tree, and show which test noticed each.

Ends with 1 if one was not noticed, and at once if a mutant's text is not in exactly one file any more,
or if a test that must notice one fails without it.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from mutants import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]
# Mutants never change the tests themselves, or texts about the code.
NOT_SOURCE = re.compile(r"tests/(unit|contract|integration|browser|fuzz|mutants)/|docs/|.*\.(md|json|lock)$")


def copied(folder: Path) -> dict[Path, str]:
    """Copy the tree as it is now, uncommitted changes included; return the texts that mutants may change."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    # Not in git: certificates that images are built with, see infra/extra-ca-from-environment.
    names += [str(path.relative_to(ROOT)) for path in ROOT.glob("infra/**/extra-ca/*.crt")]
    folder.chmod(0o755)  # containers read it, too
    sources = {}
    for name in filter(lambda name: (ROOT / name).is_file(), names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
        if not NOT_SOURCE.match(name):
            sources[folder / name] = (folder / name).read_text(errors="surrogateescape")
    return sources


def places_of(mutants: list[Mutant], sources: dict[Path, str]) -> list[Path]:
    """Return the file of each mutant, the only one that holds its text, and that once."""
    places, complaints = [], []
    for mutant in mutants:
        found = [path for path, text in sources.items() for _ in range(text.count(mutant.old))]
        places += found[:1]
        if len(found) != 1:
            complaints.append(f"{mutant.harm}: {len(found)} places {', '.join(map(str, found))}")
    if complaints:
        sys.exit("mutants: to change in tests/mutants/mutants.py:\n    " + "\n    ".join(complaints))
    return places


def arguments(mutant: Mutant, folder: Path) -> list[str]:
    """Return pytest's arguments: a name of a test file becomes its path, wherever it lies."""
    found = []
    for argument in mutant.tests.split():
        paths = list((folder / "tests").rglob(argument)) if argument.endswith(".py") else [argument]
        if len(paths) != 1:
            sys.exit(f"mutants: {argument} is there {len(paths)} times; change tests/mutants/mutants.py")
        found.append(str(paths[0]))
    return found


def first_failure(folder: Path, arguments: list[str]) -> str | None:
    """Return the test that failed, None if all passed. Anything else, such as an error, ends the run."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *arguments]
    # Otherwise a mutant of the same length could be taken for code compiled in the same second.
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    failed = re.search(r"^FAILED (?:tests/)?(.*?)(?: - |$)", done.stdout, re.MULTILINE)
    if done.returncode not in (0, 1) or (done.returncode == 1 and failed is None):
        sys.exit(f"mutants: pytest {' '.join(arguments)} could not run:\n{done.stdout}{done.stderr}")
    return failed[1] if failed else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help="only mutants whose harm or tests hold one of these words")
    words = parser.parse_args().words
    chosen = [m for m in MUTANTS if not words or any(w in f"{m.harm} {m.tests}" for w in words)]
    if not chosen:
        sys.exit(f"mutants: none has one of these words: {', '.join(words)}")
    survived = 0
    with tempfile.TemporaryDirectory(prefix="hopproof-mutants-") as temporary:
        folder = Path(temporary)
        sources = copied(folder)
        places = dict(zip(MUTANTS, places_of(MUTANTS, sources), strict=True))
        for unchanged in dict.fromkeys(tuple(arguments(mutant, folder)) for mutant in chosen):
            if failed := first_failure(folder, list(unchanged)):
                sys.exit(f"mutants: {failed} fails without any mutant")
        for mutant in chosen:
            path = places[mutant]
            path.write_text(sources[path].replace(mutant.old, mutant.new))
            noticed_by = first_failure(folder, arguments(mutant, folder))
            path.write_text(sources[path])
            survived += noticed_by is None
            verdict = f"red    {noticed_by}" if noticed_by else "GREEN  nothing noticed it"
            print(f"{path.relative_to(folder)!s:34} {mutant.harm:62} {verdict}", flush=True)
    print(f"{len(chosen) - survived} of {len(chosen)} mutants were noticed")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
