"""The README and docs/ name only what exists, promise only what a test shows, and print code that runs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import bottle
import pytest
from recorded import RecordedHandler
from wsgi_client import Browser

from bench.publish import MEASURED as BENCH
from generated import section_in
from hopproof import mysql
from hopproof.bottle import SessionPlugin
from hopproof.handler import Change
from hopproof.memory import MemoryHandler
from rivals.table import MEASURED as COMPARISON

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PAGES = {page.name: page.read_text() for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]}
every_page = pytest.mark.parametrize("page", PAGES)

WORKS = ("none", "read", "write")

# Names of MySQL, gunicorn and Flask that an explanation mentions and no code uses.
FOREIGN = {"innodb_buffer_pool_size", "gevent_pywsgi", "wsgi_app"}

# Made on the machine that runs it, so not in a clone.
MADE = (".state/", "reports/")
FOLDERS = ("webapp", "infra", "loadbalancer", "loadtests", "tests", "docs", ".github")
FILES = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if "__pycache__" not in path.parts]
NAMES = {f"/{path.relative_to(ROOT)}" for path in [*FILES, *ROOT.iterdir()]}
CODE = "\n".join(NAMES) + "\n".join(
    path.read_text(errors="replace")
    for path in [*FILES, ROOT / "Makefile", ROOT / "docker-compose.yml", ROOT / ".env.example"]
    if path.is_file() and path.suffix not in (".md", ".png") and "test_docs" not in path.name
)

GUARANTEE = re.compile(r"^\| (.+) \| (.+) \| (`test_.+`) \|$", re.MULTILINE)
GUARANTEES = GUARANTEE.findall(PAGES["guarantees.md"])
SHOWN_BY = [name for _, _, tests in GUARANTEES for name in re.findall(r"`(test_\w+)`", tests)]


def part(text: str, heading: str) -> str:
    """Return the text under a heading, up to the next one of any level."""
    found = re.search(rf"^#+ {re.escape(heading)}.*?\n(.*?)(?=^#|\Z)", without_code(text), re.M | re.S)
    assert found is not None, f"there is no heading {heading!r}"
    return found[1].strip()


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def blocks(text: str, language: str = "") -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def spans(text: str) -> list[str]:
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", without_code(text))]


def exists(path: str) -> bool:
    """Say whether the path, or the end of a path, is in the repository."""
    return any(name.endswith(f"/{path.rstrip('/')}") for name in NAMES)


# The README


def test_the_readme_fits_on_its_page() -> None:
    assert len(README.splitlines()) <= 170


def test_the_digest_has_eight_rows_of_the_table_of_guarantees() -> None:
    digest = re.findall(r"^\| (.+) \| (.+) \|$", part(README, "What it guarantees"), re.MULTILINE)[1:]
    assert len(digest) == 8
    assert [row for row in digest if row not in [(when, gets) for when, gets, _ in GUARANTEES]] == []


def test_the_map_names_what_exists() -> None:
    named = re.findall(r"[\w.-]+(?:/[\w.-]*)+|[\w.-]+\.(?:py|cfg|yml|example)\b", blocks(README)[-1])
    assert len(named) >= 15
    assert [path for path in named if not exists(path)] == []


def test_the_figures_of_the_readme_are_the_published_ones() -> None:
    words = " ".join(README.split())
    operations = re.search(r"[\d,]+ operations", words)
    assert operations is not None
    assert operations[0] in section_in(ROOT / "docs/verdict.md", "verify")
    stores = json.loads(COMPARISON.read_text())["stores"]
    lost = [store["checks"]["counters"]["lost"] for name, store in stores.items() if name != "hopproof"]
    stores_asked = f"Of the {len(lost)} [other stores](docs/comparison.md) measured"
    losers = len([number for number in lost if number])
    assert f"{stores_asked} {losers} lost some of 200 increments, up to {max(lost)}." in words
    cpu_ms = json.loads(BENCH.read_text())["systems"]["hopproof"]["us"]["read"]["server"] / 1000
    assert f"A read takes {cpu_ms:.1f} ms of a server's CPU" in words


def test_the_ratios_of_the_pages_are_the_published_ones() -> None:
    bench = section_in(ROOT / "docs/performance.md", "bench")
    row = re.compile(r"^\| (?:read|write), over the best .*? \| (\w+).*? \| ([\d.]+) \|", re.MULTILINE)
    (reader, python_reads), (writer, python_writes), *php = row.findall(bench)
    # The row says Python, six functions: the handler of the tutorials.
    reader, writer = (name.replace("Python", "six functions") for name in (reader, writer))
    assert [system for system, _ in php] == ["PHP", "PHP"]
    reads, writes = (ratio for _, ratio in php)
    assert (
        f"Reads/s are {python_reads} times those of the best Python store measured ({reader}),"
        f" writes/s {python_writes} times ({writer}); against the usual handler of PHP tutorials,"
        f" which lost a third of the increments, {reads} and {writes}."
    ) in " ".join(README.split())
    assert (
        f"{python_reads} times the reads/s and {python_writes} times the writes/s of the best in Python,"
        f" {reads} and {writes} of PHP's"
    ) in " ".join(PAGES["design.md"].split())


# Names on the pages


def test_the_table_of_guarantees_is_found() -> None:
    assert len(GUARANTEES) >= 35


@pytest.mark.parametrize("name", sorted({*SHOWN_BY, *re.findall(r"`(test_\w+)`", "".join(PAGES.values()))}))
def test_a_guarantee_names_a_test_that_exists(name: str) -> None:
    assert f"def {name}(" in CODE


@every_page
def test_a_page_names_files_that_exist(page: str) -> None:
    paths = [
        span
        for span in spans(PAGES[page])
        if re.fullmatch(r"[\w.-]+(/[\w.-]+)*/", span)
        or re.fullmatch(r"[\w.-]+(/[\w.-]+)+", span)
        or re.fullmatch(r"[\w.-]+\.(py|md|sql|cfg|yml|json|svg|php|conf|html|env|cnf|example)", span)
    ]
    assert [path for path in paths if not path.startswith(MADE) and not exists(path)] == []


@every_page
def test_a_page_names_verbs_of_make_that_exist(page: str) -> None:
    code = "\n".join([*spans(PAGES[page]), *blocks(PAGES[page]), *blocks(PAGES[page], "python")])
    verbs = set(re.findall(r"\bmake ([a-z][a-z-]*)", code))
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert verbs - known == set()


@every_page
def test_a_page_names_settings_functions_and_metrics_that_exist(page: str) -> None:
    names = {
        name
        for span in spans(PAGES[page])
        for name in re.findall(r"(?<![\w$])[A-Za-z]+(?:_[A-Za-z0-9]+)+\b", span)
    }
    assert sorted(name for name in names - FOREIGN if name not in CODE) == []


# docs/design.md

ASKED_FIRST = ("Redis", "a signed cookie", "JWT", "sticky sessions")
QUESTIONS = re.findall(r"^### (.+\?)$", PAGES["design.md"], re.MULTILINE)


def test_the_questions_of_every_reader_are_answered_first() -> None:
    assert QUESTIONS[:4] == [f"Why not {thing}?" for thing in ASKED_FIRST]
    assert len(QUESTIONS) >= 14


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_answer_is_short(question: str) -> None:
    assert 1 <= len(part(PAGES["design.md"], question).splitlines()) <= 8


# The code that the pages print


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> MemoryHandler:
    """A store in memory, in the place of the handlers that the printed code makes."""
    memory = MemoryHandler()
    monkeypatch.setattr(mysql, "MySQLHandler", lambda pool: memory)
    return memory


def run(code: str, **given: Any) -> dict[str, Any]:
    names = {"password": "secret", **given}
    exec(compile(code, "printed", "exec"), names)
    return names


def test_the_route_of_the_readme_keeps_a_cart(store: MemoryHandler) -> None:
    visitor = Browser(run(blocks(README, "python")[0])["app"])
    visitor.ask("POST", "/cart/Assam")
    assert visitor.ask("POST", "/cart/Assam").json == {"cart": {"Assam": 2}, "clicks": 2}
    (row,) = store._rows.values()
    assert row.data() == {"cart": {"Assam": 2}, "clicks": 2, "last": "Assam"}


def test_the_route_of_the_readme_costs_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = RecordedHandler()
    monkeypatch.setattr(mysql, "MySQLHandler", lambda pool: recorded)
    visitor = Browser(run(blocks(README, "python")[0])["app"])
    visitor.ask("POST", "/cart/Assam")
    recorded.calls.clear()
    visitor.ask("POST", "/cart/Sencha")
    assert f"in all {len(recorded.calls)} SQL statements: 1 + 2 + 1" in README
    assert recorded.verbs == ["write", "read", "write", "write"]


def test_the_application_of_the_docs_counts_visits(
    store: MemoryHandler, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (code,) = (block for block in blocks(PAGES["lifting.md"], "python") if "app.run" in block)
    assert len(code.splitlines()) <= 15
    (tmp_path / ".state/secrets").mkdir(parents=True)
    (tmp_path / ".state/secrets/db_web_password").write_text("secret")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DB_HOST", "localhost")
    monkeypatch.setattr(bottle.Bottle, "run", lambda app, port: None)
    visitor = Browser(run(code)["app"])
    visitor.ask("GET", "/")
    assert visitor.ask("GET", "/").body == b"visit 2\n"


def test_a_visitor_whose_session_was_ended_starts_afresh_with_the_routes_of_the_docs(
    store: MemoryHandler,
) -> None:
    app = bottle.Bottle()
    app.install(SessionPlugin(lambda: store))
    (code,) = (block for block in blocks(PAGES["lifting.md"], "python") if "start-afresh" in block)
    run(code, app=app, checked_user=lambda form: "ada")
    visitor = Browser(app)
    assert visitor.ask("POST", "/login").status == 302
    store.end_user("ada")
    assert visitor.ask("POST", "/login").problem == (409, "session-gone")
    assert visitor.ask("POST", "/start-afresh").status == 302
    assert visitor.cookie is None
    assert visitor.ask("POST", "/login").status == 302
    assert len(store.sessions_of_user("ada")) == 1
    assert visitor.ask("POST", "/logout").status == 302
    assert (visitor.cookie, store.sessions_of_user("ada")) == (None, [])


def test_the_wsgi_application_of_the_docs_counts_visits_and_answers_problems(store: MemoryHandler) -> None:
    (code,) = (block for block in blocks(PAGES["lifting.md"], "python") if "start_response" in block)
    visitor = Browser(run(code, new_handler=lambda: store)["application"])
    visitor.ask("GET", "/")
    again = visitor.ask("GET", "/")
    assert (again.status, again.body, again.all("Set-Cookie")) == (200, b"visit 2\n", [])
    store.write(next(iter(store._rows)), Change(set={"n": "no number"}))
    assert visitor.ask("GET", "/").problem == (409, "wrong-type")


def test_the_handler_of_the_docs_counts(store: MemoryHandler) -> None:
    (code,) = (block for block in blocks(PAGES["lifting.md"], "python") if "handler.open()" in block)
    run(code, key=bytes(32))
    stored = store.read(bytes(32))
    assert stored is not None
    assert stored.data == {"visits": 2}
