"""hopproof, the operators' tool, on real databases."""

import gc
import io
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pymysql
import pytest
from deadline import until
from prometheus_client import CollectorRegistry
from test_broken_rows import BROKEN, BROKEN_NAMES, put_row
from worlds import content, new_key

from hopproof.handler import Change, SessionGone
from hopproof_operator.__main__ import main
from hopproof_operator.crawler import Crawler
from hopproof_operator.table import BrokenRow, Table

# Each run is taken for a process of its own, whose end closes its connections.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

ROOT = Path(__file__).parents[2]
PASSWORDS = ("DB_PASSWORD_FILE", "ACTING_DB_PASSWORD_FILE")


@dataclass
class Ran:
    code: int
    out: str
    err: str

    @property
    def lines(self):
        return self.out.splitlines()

    @property
    def rows(self):
        return [json.loads(line) for line in self.lines]


@pytest.fixture(scope="module", autouse=True)
def _what_was_there_before_is_no_garbage():
    gc.collect()
    gc.freeze()  # else each collection below looks through all that was ever imported: 0.4 s
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def _the_end_closes_connections():
    yield
    gc.collect()


def environment(world, tmp_path):
    server, password = world.server.root, tmp_path / "password"
    password.write_text(server.password)
    return {
        "DB_HOST": server.host,
        "DB_PORT": str(server.port),
        "DB_USER": "operator_reader",
        "ACTING_DB_USER": "operator",
        **dict.fromkeys(PASSWORDS, str(password)),
    }


@pytest.fixture
def hopproof(sql_world, tmp_path, capsys):
    env = environment(sql_world, tmp_path)

    def run(*arguments, **changed):
        code = main(arguments, env | changed)
        return Ran(code, *capsys.readouterr())

    return run


@pytest.fixture
def typed(monkeypatch):
    """Return a function that makes a terminal with typed input."""

    class Keyboard(io.StringIO):
        def isatty(self):
            return True

    return lambda text: monkeypatch.setattr(sys, "stdin", Keyboard(text))


@pytest.fixture
def handler(sql_world):
    return sql_world.new_handler()


def is_ended(handler, key):
    try:
        handler.write(key, Change(set={"late": 1}))
    except SessionGone as gone:
        return gone.ended
    return False


def table_of(world):
    return Table(world.server.web.pool(), sleep=lambda seconds: None)


@pytest.mark.parametrize("bite", [1, 2, 3, 6, 7, 100])
def test_a_walk_meets_every_row_once_in_the_order_of_the_keys(sql_world, bite):
    keys = sorted(sql_world.put(n=n) for n in range(6))

    assert [row.key for row in table_of(sql_world).walk(bite=bite)] == keys
    assert [row.key for row in table_of(sql_world).walk(bite=bite, after=keys[2])] == keys[3:]


def test_a_walk_rests_after_each_bite(sql_world):
    for n in range(6):
        sql_world.put(n=n)
    rests = []
    table = Table(sql_world.server.web.pool(), sleep=rests.append)

    assert len(list(table.walk(bite=2))) == 6
    assert len(rests) == 3
    assert all(0 < rest < 5 for rest in rests)


def test_a_walk_keeps_no_transaction_and_locks_nothing(sql_world):
    for n in range(4):
        sql_world.put(n=n)
    walk = table_of(sql_world).walk(bite=2)
    next(walk)

    # In the middle of a walk.
    assert sql_world.admin.ask("SELECT COUNT(*) FROM information_schema.innodb_trx") == [(0,)]


def test_the_list_shows_every_session_and_what_it_is(sql_world, handler, hopproof):
    keys = [sql_world.put("ada", n=1), sql_world.put(n=1)]
    handler.destroy(ended := sql_world.put("eve", n=1))
    shown = hopproof("list")

    assert shown.code == 0
    assert shown.lines[0].split() == ["KEY", "USER", "STATE", "AGE", "IDLE", "EXPIRES", "SIZE", "VERSION"]
    assert [line.split()[0] for line in shown.lines[1:]] == sorted(key.hex()[:12] for key in [*keys, ended])
    (ada,) = [line.split() for line in shown.lines if "ada" in line]
    assert ada[2] == "live"
    assert "eve" not in shown.out


def test_the_list_can_be_narrowed(sql_world, hopproof):
    old = sql_world.put("ada", n=1)
    sql_world.age(120)
    new, large = sql_world.put("ada", n=1), sql_world.put("bob", text="x" * 2000)

    def listed(*options):
        return {bytes.fromhex(row["key"]) for row in hopproof("list", "--json", *options).rows}

    assert listed() == {old, new, large}
    assert listed("--user", "ada") == {old, new}
    assert listed("--user", "Ada") == set()
    assert listed("--older", "1m") == {old}
    assert listed("--idle", "1m") == {old}
    assert listed("--larger", "1k") == {large}
    assert listed("--user", "ada", "--older", "1m") == {old}


def test_an_expired_session_is_listed_as_such(sql_world, hopproof):
    sql_world.put(n=1)
    sql_world.age(10_000)

    assert [row["state"] for row in hopproof("list", "--json").rows] == ["expired"]


@pytest.mark.parametrize("wrong", [*BROKEN.values(), *BROKEN_NAMES.values()], ids=[*BROKEN, *BROKEN_NAMES])
def test_a_broken_row_is_told_skipped_and_can_be_ended(sql_world, handler, hopproof, wrong):
    intact, broken = sql_world.put(n=1), put_row(sql_world, **wrong)

    for command in ("list", "export", "stats"):
        shown = hopproof(command, *(["--json"] if command != "export" else []))
        assert shown.code == 1
        assert f"hopproof: {broken.hex()} is skipped: its " in shown.err
        assert "1 row breaks the row contract" in shown.err
        assert broken.hex() not in shown.out
    assert hopproof("show", broken.hex()).code == 1
    assert hopproof("end", broken.hex(), "--yes").code == 0
    assert handler.read(broken) is None
    assert handler.read(intact).data == {"n": 1}
    assert hopproof("list").code == 0


def test_text_that_is_no_json_is_told_and_can_be_ended(unchecked_world, tmp_path, capsys):
    key = put_row(unchecked_world, data='{"n": 1')
    env = environment(unchecked_world, tmp_path)

    assert [type(row) for row in table_of(unchecked_world).walk()] == [BrokenRow]
    assert main(["list"], env) == 1
    assert "its data are no JSON object" in capsys.readouterr().err
    assert main(["end", key.hex(), "--yes"], env) == 0
    assert main(["list"], env) == 0


def test_json_that_is_no_i_json_is_not_exported(sql_world, hopproof):
    key = put_row(sql_world, data='{"n": 9007199254740993}')
    shown = hopproof("export")

    assert (shown.code, shown.out) == (1, "")
    assert f"{key.hex()} is skipped: its data are not I-JSON: an integer leaves" in shown.err


def test_a_session_is_shown_without_its_values(sql_world, hopproof):
    key = sql_world.put("ada", card="4111 1111", cart={"tea": 2}, items=[1, 2], n=7, yes=True, no=None)
    shown = hopproof("show", key.hex()[:10])

    assert shown.code == 0
    row = json.loads(shown.out)
    assert (row["key"], row["user"], row["state"], row["version"]) == (key.hex(), "ada", "live", 1)
    assert row["data"] == {
        "card": "string, 9 B",
        "cart": "object of 1, 9 B",
        "items": "array of 2, 5 B",
        "n": "number",
        "yes": "boolean",
        "no": "null",
    }


def test_a_session_is_shown_with_its_values_if_asked_for(sql_world, hopproof):
    key = sql_world.put(card="4111 1111")

    assert json.loads(hopproof("show", key.hex(), "--values").out)["data"] == {"card": "4111 1111"}


@pytest.mark.parametrize("command", [["show"], ["end", "--yes"]], ids=["show", "end"])
def test_an_unknown_or_ambiguous_key_is_refused(sql_world, handler, hopproof, command):
    keys = [bytes.fromhex("abcd") + new_key()[2:] for _ in range(2)]
    for key in keys:
        handler.write(key, Change(create=True))

    ambiguous, unknown = hopproof(*command, "abcd"), hopproof(*command, "0123456789")
    assert (ambiguous.code, ambiguous.err) == (1, "hopproof: several keys begin with abcd; add digits\n")
    assert unknown.code == 1
    assert unknown.err == "hopproof: no row has the key 0123456789: unknown, or expired and cleaned\n"
    assert [content(handler, key) for key in keys] == [({}, 1, None)] * 2


def test_an_operator_ends_one_session_by_the_first_digits_of_its_key(sql_world, handler, hopproof):
    key, kept = sql_world.put("ada", n=1), sql_world.put("ada", n=1)
    done = hopproof("end", key.hex()[:12], "--yes")

    assert (done.code, done.out) == (0, "ended 1 session\n")
    assert is_ended(handler, key)
    assert not is_ended(handler, kept)
    assert "is ended already" in hopproof("end", key.hex(), "--yes").out


def test_an_operator_ends_all_of_a_user(sql_world, handler, hopproof):
    keys, bobs = [sql_world.put("ada", n=1) for _ in range(3)], sql_world.put("bob", n=1)

    assert hopproof("end", "--user", "ada", "--yes").out == "ended 3 sessions of ada\n"
    assert all(is_ended(handler, key) for key in keys)
    assert not is_ended(handler, bobs)
    assert hopproof("end", "--user", "ada", "--yes").err == "hopproof: ada has no live session\n"


def test_an_operator_ends_every_session_there_is(sql_world, handler, hopproof):
    keys = [sql_world.put("ada", n=1), sql_world.put(n=1), put_row(sql_world, data="[1]")]

    assert hopproof("end", "--all", "--yes").out == "ended 3 sessions\n"
    assert all(is_ended(handler, key) for key in keys)


@pytest.mark.parametrize("which", ["key", "user", "all"])
def test_nothing_is_ended_unless_somebody_says_yes(sql_world, handler, hopproof, typed, which):
    key = sql_world.put("ada", n=1)
    arguments = {"key": [key.hex()], "user": ["--user", "ada"], "all": ["--all"]}[which]

    unattended = hopproof("end", *arguments)
    assert unattended.code == 2
    assert "add --yes" in unattended.err
    for answer in ("\n", "n\n", "no\n"):
        typed(answer)
        refused = hopproof("end", *arguments)
        assert (refused.code, refused.err) == (1, "hopproof: nothing was ended\n")
    assert not is_ended(handler, key)
    typed("y\n")
    asked = hopproof("end", *arguments)
    assert asked.code == 0
    assert {"key": "of ada", "user": "End 1 session of ada?", "all": "of every user, about 1"}[
        which
    ] in asked.out
    assert is_ended(handler, key)


def test_no_server_serves_a_copy_of_what_an_operator_ended(cached_world, memcached, tmp_path, capsys):
    keys = [cached_world.put("ada", n=1), cached_world.put("bob", n=1), cached_world.put(n=1)]
    server = cached_world.new_handler()
    env = environment(cached_world.behind, tmp_path) | {
        "CACHE": "memcached",
        "MEMCACHED_HOST": "127.0.0.1",
        "MEMCACHED_PORT": str(memcached.port),
    }
    for key, arguments in zip(keys, ([keys[0].hex()], ["--user", "bob"], ["--all"]), strict=True):
        server.open()
        assert server.read(key).data == {"n": 1}
        assert main(["end", *arguments, "--yes"], env) == 0
        server.open()
        assert server.read(key) is None


def test_the_figures_add_up(sql_world, handler, hopproof):
    sql_world.put("old", n=1)
    sql_world.age(10_000)
    for user in ("ada", "ada", "bob", None):
        sql_world.put(user, n=1)
    sql_world.put(text="x" * 5000)
    handler.destroy(sql_world.put())
    figures = json.loads(hopproof("stats", "--json").out)

    counts = {name: figures[name] for name in ("live", "logged_in", "users", "expired", "ended")}
    assert counts == {"live": 5, "logged_in": 3, "users": 2, "expired": 1, "ended": 1}
    assert figures["top_users"] == {"ada": 2, "bob": 1}
    assert (figures["size"]["up to 256 B"], figures["size"]["up to 16 KiB"]) == (4, 1)
    assert figures["age"]["up to 1 min"] == figures["idle"]["up to 1 min"] == 5
    assert 5000 < figures["live_bytes"] < 5100
    assert "5  live" in hopproof("stats").out


def test_what_the_crawler_tells_is_what_is_in_the_table(sql_world, handler):
    crawler = Crawler(table_of(sql_world), idle_timeout_s=1800, grace_s=0, period_s=60)

    def told(name, **labels):
        registry = CollectorRegistry()
        registry.register(crawler)
        return registry.get_sample_value(f"hopproof_{name}", labels)

    crawler.crawl()
    assert (told("session_rows", state="live"), told("clean_overdue_seconds")) == (0, 0)
    sql_world.put("old", n=1)
    sql_world.age(2000)
    for user in ("ada", "ada", "bob", None):
        sql_world.put(user, n=1)
    handler.destroy(sql_world.put())
    put_row(sql_world, data="[1]")
    crawler.crawl()

    states = {state: told("session_rows", state=state) for state in ("live", "expired", "ended", "broken")}
    assert states == {"live": 4, "expired": 1, "ended": 1, "broken": 1}
    assert (told("sessions_logged_in"), told("users_logged_in")) == (3, 2)
    assert told("session_size_bytes_gsum") in (4 * len('{"n": 1}'), 4 * len('{"n":1}'))  # MySQL, MariaDB
    assert told("clean_overdue_seconds") == pytest.approx(2000 - 1800, abs=15)
    assert handler.clean() == 1
    crawler.crawl()
    assert told("clean_overdue_seconds") == 0


def test_the_figures_of_an_empty_table_are_no_error(hopproof):
    shown = hopproof("stats")

    assert shown.code == 0
    assert "0  live" in shown.out


def test_what_is_exported_is_what_was_written(sql_world, handler, hopproof):
    data = {"cart": ["tea", {"n": 1.5}], "é": "日本", "": None, "big": 2**53 - 1}
    key = sql_world.put("Ada Lovelace", **data)
    handler.destroy(ended := sql_world.put(n=1))
    rows = {row["key"]: row for row in hopproof("export").rows}

    assert (rows[key.hex()]["data"], rows[key.hex()]["user"]) == (data, "Ada Lovelace")
    assert rows[ended.hex()]["data"] is None
    ((created_at,),) = sql_world.admin.ask("SELECT created_at FROM sessions WHERE id = %s", key)
    assert rows[key.hex()]["created_at"] == created_at
    assert rows[key.hex()]["created"].endswith("Z")


def test_an_operator_cleans(sql_world, handler, hopproof):
    for _ in range(3):
        sql_world.put(n=1)
    sql_world.age(10_000)
    live = sql_world.put(n=1)

    assert hopproof("clean", "--dry-run").out == "3 expired rows would go\n"
    assert sql_world.row_count() == 4
    assert hopproof("clean", "--now", JANITOR_BATCH="2").out == "removed 3 expired rows\n"
    assert handler.read(live).data == {"n": 1}


def test_an_operator_leaves_the_work_to_a_cleaner_that_is_at_it(sql_world, hopproof):
    with sql_world.server.admin() as admin:
        admin.ask("SELECT GET_LOCK(CONCAT('sessions.clean.', LEFT(SHA2('hopproof', 256), 40)), 0)")
        shown = hopproof("clean", "--now")

    assert (shown.code, shown.out) == (1, "")
    assert "another cleaner" in shown.err
    assert shown.err.count("\n") == 1


def test_a_wrong_password_or_no_database_is_one_line(hopproof, tmp_path):
    wrong = tmp_path / "wrong"
    wrong.write_text("wrong")

    for changed in ({"DB_PASSWORD_FILE": str(wrong)}, {"DB_PORT": "1"}, {"DB_PASSWORD_FILE": "/nowhere"}):
        shown = hopproof("list", **changed)
        assert (shown.code, shown.out, shown.err.count("\n")) == (2, "", 1), shown


def test_sessions_in_memcached_alone_are_one_line(hopproof):
    shown = hopproof("list", STORE="memcached")

    assert (shown.code, shown.out, shown.err.count("\n")) == (2, "", 1)


@pytest.mark.parametrize(
    ("user", "statement"),
    [
        ("operator_reader", "UPDATE sessions SET data = NULL"),
        ("operator_reader", "DELETE FROM sessions"),
        ("operator_reader", "UPDATE cache_switch SET off_until = 0"),
        ("operator", "UPDATE sessions SET version = 7"),
        ("operator", "UPDATE sessions SET absolute_at = 7"),
        ("operator", "INSERT INTO sessions SELECT * FROM sessions"),
    ],
)
def test_nobody_may_do_more_than_they_need(sql_world, user, statement):
    server = sql_world.server.root
    connection = pymysql.connect(
        host=server.host, port=server.port, database=server.name, user=user, password=server.password
    )

    with (
        connection,
        connection.cursor() as cursor,
        pytest.raises(pymysql.err.OperationalError, match="denied"),
    ):
        cursor.execute(statement)


@pytest.fixture
def process(sql_world, tmp_path):
    """Return a function that starts the tool on a command whose output is larger than a pipe."""
    sql_world.admin.ask(
        "INSERT INTO sessions (id, data, version, created_at, expires_at, absolute_at) "
        "WITH RECURSIVE numbers AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM numbers WHERE n < 1000) "
        "SELECT UNHEX(SHA2(n, 256)), '{}', 1, 0, 4000000000, 4000000000 FROM numbers"
    )
    path = f"{ROOT / 'webapp'}:{ROOT / 'webapp/operator'}"
    env = os.environ | environment(sql_world, tmp_path) | {"PYTHONPATH": path}
    started = []

    def start(*arguments):
        command = [sys.executable, "-m", "hopproof_operator", *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
        # As at a terminal: tests in the background ignore Ctrl-C, and this process would inherit that.
        started.append(subprocess.Popen(command, env=env, preexec_fn=heed_ctrl_c, **pipes))
        return started[-1]

    yield start
    for running in started:
        running.kill()
        running.communicate()


def test_a_reader_who_has_seen_enough_is_no_error(process):
    listing = process("export")
    listing.stdout.readline()
    listing.stdout.close()

    assert listing.wait(10) == 141
    assert listing.stderr.read() == b""


def heed_ctrl_c():
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_ends_it_without_a_traceback(process):
    listing = process("export")
    until(lambda: listing.stdout.peek())
    listing.send_signal(signal.SIGINT)

    assert listing.wait(10) == 130
    assert listing.stderr.read() == b""
