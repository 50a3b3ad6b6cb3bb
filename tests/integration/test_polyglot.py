"""PHP servers in the same rotation, on the same table, with the same cookie: visitors see no difference."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from counting import CountingVisitors
from turns import asked_of, kind_of, visitor_of

from verify.deployment import Deployment, ask_every_server, freeze, readable_secrets, until
from verify.faults import FAULTS
from verify.guarantees import GUARANTEES
from verify.inside import run_inside
from verify.matrix import line
from verify.neighbour import neighbour_of
from verify.strikes.database import tables_locked
from verify.trial import QUICK, strike
from verify.verdict import column
from verify.visitor import Answer, Visitor

USED = {"PROFILES": "polyglot", "PHP_REPLICAS": "2"}
KINDS = ("web", "php")
TABS = 8


@pytest.fixture(scope="module", autouse=True)
def _php_servers_are_in_rotation(deployment: Deployment) -> Iterator[None]:
    before = {name: os.environ.get(name, "") for name in USED}
    os.environ.update(USED)
    deployment.script("infra/compose", "build", "--quiet", "php")
    deployment.script("infra/compose", "up", "--detach", "--wait", "--no-deps", "php", "balancer")
    deployment.wait_for_servers(deployment.servers)
    yield
    deployment.script("infra/compose", "rm", "--stop", "--force", "php")
    os.environ.update(before)
    deployment.script("infra/compose", "up", "--detach", "--wait", "--no-deps", "balancer")
    deployment.wait_for_servers(deployment.servers)


def test_a_php_server_reads_the_password_of_the_web_servers_and_no_other(deployment: Deployment) -> None:
    for container in deployment.containers("php"):
        assert readable_secrets(container) == ["db_web_password"]


def canonical(value: Any) -> str:
    # As text: to Python 1 and 1.0 and True are equal.
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


# One visitor, two languages


def test_a_counter_rises_by_one_while_the_languages_change(visitor: Visitor) -> None:
    answers = [visitor.add("n") for _ in range(20)]
    assert [answer.body for answer in answers] == [{"value": n} for n in range(1, 21)]
    assert [answer.set_cookie is not None for answer in answers] == [True] + [False] * 19
    kinds = [kind_of(answer) for answer in answers]
    assert {("web", "php"), ("php", "web")} <= set(pairwise(kinds))


def test_php_commits_what_it_acknowledges_whatever_the_servers_globals_say(deployment: Deployment) -> None:
    deployment.sql("SET GLOBAL autocommit = 0")
    try:
        # PHP connects for each request; the web servers keep their connections.
        visitor = visitor_of(deployment, "php", lambda visitor: visitor.put("cart", ["Sencha"]))
        asked_of("php", lambda: visitor.put("cart", ["Assam"]))
    finally:
        deployment.sql("SET GLOBAL autocommit = 1")
    for answer in ask_every_server(deployment, visitor.show).values():
        assert answer.body["data"] == {"cart": ["Assam"]}


@pytest.mark.parametrize("kind", KINDS)
def test_what_one_language_did_every_server_shows(deployment: Deployment, kind: str) -> None:
    visitor = visitor_of(deployment, kind, lambda visitor: visitor.put("cart", {"tea": 2}))
    asked_of(kind, lambda: visitor.append("items", {}))
    asked_of(kind, lambda: visitor.put("gone", 1))
    asked_of(kind, lambda: visitor.remove("gone"))
    appended = sum(answer.path.endswith("items") for answer in visitor.history)
    for answer in ask_every_server(deployment, visitor.show).values():
        assert "gone" not in answer.body["data"]
        assert answer.body["data"]["cart"] == {"tea": 2}
        assert answer.body["data"]["items"] == [{}] * appended


@pytest.mark.parametrize("kind", KINDS)
def test_a_login_on_one_language_holds_on_every_server_and_ends_the_old_id(
    deployment: Deployment, kind: str
) -> None:
    while True:
        visitor = deployment.visitor()
        visitor.put("cart", ["Sencha"])
        old = visitor.another_tab()
        if kind_of(visitor.login("ada")) == kind:
            break
    for answer in ask_every_server(deployment, visitor.show).values():
        assert (answer.body["user"], answer.body["data"]) == ("ada", {"cart": ["Sencha"]})
    for answer in ask_every_server(deployment, old.show).values():
        assert (answer.body["user"], answer.body["data"], answer.set_cookie) == (None, {}, None)
    # A slow tab must not throw away the cookie that the login has just set.
    for change in (lambda: old.add("n"), lambda: old.put("x", 1), lambda: old.append("l", 1)):
        for answer in ask_every_server(deployment, change).values():
            assert (answer.status, answer.body["title"], answer.set_cookie) == (409, "session-gone", None)


@pytest.mark.parametrize("kind", KINDS)
def test_a_second_user_on_one_browser_finds_nothing_of_the_first(deployment: Deployment, kind: str) -> None:
    while True:
        visitor = deployment.visitor()
        visitor.login("alice")
        visitor.put("diary", "private")
        deployment.visitor().stateless()
        if kind_of(visitor.login("bob")) == kind:
            break
    for answer in ask_every_server(deployment, visitor.show).values():
        assert (answer.body["user"], answer.body["data"]) == ("bob", {})
    visitor.put("diary", "mine")
    visitor.login("bob")
    assert visitor.show().body["data"] == {"diary": "mine"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_logout_on_one_language_ends_the_session_on_every_server(deployment: Deployment, kind: str) -> None:
    while True:
        visitor = deployment.visitor()
        visitor.login("ada")
        kept = visitor.another_tab()
        if kind_of(visitor.logout()) == kind:
            break
    assert visitor.session_id is None
    for answer in ask_every_server(deployment, kept.show).values():
        assert (answer.body["user"], answer.body["data"]) == (None, {})
    assert kept.add("n").status == 409


@pytest.mark.parametrize("kind", KINDS)
def test_logging_out_everywhere_ends_the_sessions_of_the_user_and_of_nobody_else(
    deployment: Deployment, kind: str
) -> None:
    while True:
        deployment.visitor().stateless()  # shifts the turn: each round meets the servers in another order
        user = f"ü-{secrets.token_hex(4)}"
        devices = [deployment.visitor() for _ in range(3)]
        stranger = deployment.visitor()
        for device in devices:
            device.login(user)
        stranger.login(f"{user}-too")
        ended = devices[0].logout_everywhere()
        if kind_of(ended) == kind:
            break
    assert (ended.body, devices[0].session_id) == ({"ended": 3}, None)
    for answer in ask_every_server(deployment, devices[1].show).values():
        assert answer.body["user"] is None
    assert stranger.show().body["user"] == f"{user}-too"


def test_php_ends_more_sessions_of_a_user_than_one_statement_does(deployment: Deployment) -> None:
    now = "UNIX_TIMESTAMP()"
    while True:
        user = f"many-{secrets.token_hex(4)}"
        visitor = deployment.visitor()
        visitor.login(user)
        deployment.sql(
            "INSERT INTO sessions (id, data, version, `user`, created_at, expires_at, absolute_at)"
            " WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 999)"
            f" SELECT UNHEX(SHA2(CONCAT('{user}', i), 256)), '{{}}', 1, '{user}', {now}, {now} + 600,"
            f" {now} + 900 FROM n"
        )
        ended = visitor.logout_everywhere()
        if kind_of(ended) == "php":
            break
    assert ended.body == {"ended": 1000}
    living = f"SELECT COUNT(*) FROM sessions WHERE `user` = '{user}' AND data IS NOT NULL"
    assert deployment.sql(living) == [["0"]]


def in_php(deployment: Deployment, script: str, *arguments: str, **settings: str) -> str:
    """Return the output of a PHP script in a server's container, which has the handler and its settings."""
    loaded = "foreach (['Json', 'SessionHandler', 'Session'] as $file) { require \"/app/$file.php\"; }"
    read = "['handler' => $handler] = require '/app/settings.php';"
    command = ["php", "-r", f"{loaded} {read} {script}", *arguments]
    return run_inside(deployment.containers("php")[0], command, **settings)[1]


def test_a_login_on_php_ends_the_oldest_session_beyond_the_limit(deployment: Deployment) -> None:
    user = f"many-{secrets.token_hex(4)}"
    devices = [deployment.visitor() for _ in range(3)]
    for number, device in enumerate(devices):
        device.login(user)
        deployment.sql(
            f"UPDATE sessions SET created_at = created_at - {10 - number}"
            f" WHERE id = UNHEX('{device.session_key}')"
        )
    in_php(deployment, "$handler->login($handler->create_sid(), $argv[1]);", user, SESSIONS_PER_USER="2")
    users = [device.show().body["user"] for device in devices]
    assert users == [None, None, user]


def test_php_keeps_anonymous_sessions_within_their_own_limits(deployment: Deployment) -> None:
    script = """
      $id = $handler->create_sid();
      $handler->append($id, 'list', str_repeat('x', 5000));
      try {
          $handler->append($id, 'list', str_repeat('x', 5000));
      } catch (Hopproof\\SessionRefused $refused) {
          echo $refused->getMessage(), '; ';
      }
      $new = $handler->login($id, 'ada');
      echo $handler->append($new, 'list', str_repeat('x', 5000)), ' ', $id, ' ', $new;
    """
    limits = {"SESSION_ANONYMOUS_MAX_BYTES": "8192", "SESSION_ANONYMOUS_IDLE_S": "600"}
    told, _, rest = in_php(deployment, script, **limits).partition("; ")
    length, _, new = rest.split(" ")
    assert (told, length) == ("the session would exceed 8192 bytes", "2")
    left = f"SELECT expires_at - created_at FROM sessions WHERE id = UNHEX(SHA2('{new}', 256))"
    assert int(deployment.sql(left)[0][0]) >= 1800
    anonymous = in_php(
        deployment, "$id = $handler->create_sid(); $handler->add($id, 'n'); echo $id;", **limits
    )
    left = f"SELECT expires_at - created_at FROM sessions WHERE id = UNHEX(SHA2('{anonymous}', 256))"
    assert deployment.sql(left) == [["600"]]


@pytest.mark.parametrize(
    ("setting", "raw"),
    [
        ("SESSION_IDLE_S", "9" * 20),
        ("TOMBSTONE_S", "1"),
        ("SESSION_COOKIE", "path"),
        ("SESSION_COOKIE", "__Secure-sid"),
        ("SESSION_ANONYMOUS_IDLE_S", "1801"),
    ],
)
def test_php_refuses_the_settings_that_python_refuses(deployment: Deployment, setting: str, raw: str) -> None:
    assert f"{setting}='{raw}'" in in_php(deployment, "", **{setting: raw})


# Ids: unknown, malformed, ended


def test_an_id_that_a_visitor_made_up_is_adopted_by_no_language(deployment: Deployment) -> None:
    forged = secrets.token_urlsafe(32)
    for change in (
        lambda v: v.add("n"),
        lambda v: v.put("n", 1),
        lambda v: v.append("n", 1),
        lambda v: v.login("eve"),
    ):
        answers: dict[str, Visitor] = {}
        while answers.keys() != set(KINDS):
            visitor = deployment.visitor_with(forged)
            answer = change(visitor)
            assert answer.status in (200, 204)
            answers[kind_of(answer)] = visitor
        assert all(visitor.session_id not in (None, forged) for visitor in answers.values())
    ((rows,),) = deployment.sql(f"SELECT COUNT(*) FROM sessions WHERE id = UNHEX(SHA2('{forged}', 256))")
    assert rows == "0"


def test_reading_creates_no_row_and_sets_no_cookie_in_any_language(deployment: Deployment) -> None:
    before = deployment.session_keys()
    for session_id in (None, "short", "x" * 5000, secrets.token_urlsafe(32)):
        visitor = deployment.visitor() if session_id is None else deployment.visitor_with(session_id)
        for answer in ask_every_server(deployment, visitor.show).values():
            assert (answer.status, answer.body["data"], answer.set_cookie) == (200, {}, None)
        for answer in ask_every_server(deployment, lambda v=visitor: v.remove("x")).values():
            assert (answer.status, answer.set_cookie) == (204, None)
    assert deployment.session_keys() <= before


# One request to a PHP application: it reads its session, which expires before it counts.
READS_THEN_COUNTS = """
  $session = new Hopproof\\Session($handler, "session=$argv[1]");
  $session->start();
  session_abort();
  $password = trim(file_get_contents('/run/secrets/db_web_password'));
  $rows = Hopproof\\SessionHandler::connect('db', 3306, 'hopproof', 'web', $password, 2);
  $key = hash('sha256', $argv[1]);
  $rows->exec("UPDATE sessions SET expires_at = created_at WHERE id = UNHEX('$key')");
  try {
      $session->add('n');
      echo 'counted';
  } catch (Hopproof\\SessionGone $gone) {
      echo 'gone';
  }
"""


def test_a_session_that_expires_while_php_works_with_it_is_gone(
    deployment: Deployment, visitor: Visitor
) -> None:
    visitor.add("n")
    assert visitor.session_id is not None
    assert in_php(deployment, READS_THEN_COUNTS, visitor.session_id) == "gone"


def test_an_expired_session_is_dead_in_every_language(deployment: Deployment, visitor: Visitor) -> None:
    visitor.add("n")
    deployment.sql("UPDATE sessions SET expires_at = UNIX_TIMESTAMP()")
    old = visitor.another_tab()
    for answer in ask_every_server(deployment, old.show).values():
        assert (answer.body["data"], answer.set_cookie) == ({}, None)


def test_a_read_extends_the_expiry_when_that_is_due_and_not_before(
    deployment: Deployment, visitor: Visitor
) -> None:
    visitor.add("n")
    assert visitor.session_id is not None
    mine = f"WHERE id = UNHEX(SHA2('{visitor.session_id}', 256))"
    for left_s, is_extended in ((1800 - 30, False), (1800 - 90, True)):

        def show_later(left_s: int = left_s) -> Answer:
            deployment.sql(f"UPDATE sessions SET expires_at = UNIX_TIMESTAMP() + {left_s} {mine}")
            return visitor.show()

        asked_of("php", show_later)
        ((left, version),) = deployment.sql(
            f"SELECT expires_at - UNIX_TIMESTAMP(), version FROM sessions {mine}"
        )
        assert (int(left) > left_s, version) == (is_extended, "1")


# Values

VALUES: list[Any] = [
    *(None, True, False, 0, -1, 1, 1.0, -0.5, 1.5, 0.1, 1e300, 5e-324, 1e16, 2**53 - 1, -(2**53) + 1),
    *("", "0", "1e3", "1", "Grüße 🍵 \u200f日本\u2028", "\0\n\\\"'%s:n", "\0", "/"),
    *([], {}, [[]], [{}], {"": {}}, {"0": 1}, {"0": 1, "1": [1.0]}, {"1": {}, "x": []}, {"-a": {"-1": 0}}),
    *({"\0a": "\0b", "ü.$[0]": {"n": 1.0, "_": [None, {}]}}, [[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]),
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_value_that_one_language_wrote_every_server_reads_to_the_letter(
    deployment: Deployment, kind: str
) -> None:
    visitor = deployment.visitor()
    keys = [f"{number}" for number in range(len(VALUES))]
    for key, value in zip(keys, VALUES, strict=True):
        assert asked_of(kind, lambda k=key, v=value: visitor.put(k, v)).status == 204
    for answer in ask_every_server(deployment, visitor.show).values():
        assert [canonical(answer.body["data"][key]) for key in keys] == [canonical(v) for v in VALUES]


def test_a_key_is_the_same_in_every_language(deployment: Deployment, visitor: Visitor) -> None:
    keys = ["a/b", "ü", "0", "-1", '"\\', "a.b[0]$*", "\n", " ", "+", "%41", "k" * 128]

    def every_server_does(act: Callable[[str], Answer], status: int) -> None:
        told = {key: ask_every_server(deployment, partial(act, key)).values() for key in keys}
        assert {key: {answer.status for answer in told[key]} for key in keys} == {
            key: {status} for key in keys
        }

    every_server_does(visitor.add, 200)
    for answer in ask_every_server(deployment, visitor.show).values():
        assert answer.body["data"].keys() == set(keys)
    every_server_does(lambda key: visitor.put(key, []), 204)
    assert {key: visitor.append(key, 1).body["length"] for key in keys} == dict.fromkeys(keys, 1)
    every_server_does(visitor.remove, 204)
    assert visitor.show().body["data"] == {}


def test_a_click_on_the_page_that_meets_php_goes_on_to_a_server_that_has_it(deployment: Deployment) -> None:
    visitor = deployment.visitor()
    for method, path in [("GET", "/?a=b"), ("POST", "/cart"), ("POST", "/logout"), ("GET", "/api/sessions")]:
        answer = asked_of("php", lambda method=method, path=path: visitor.ask(method, path))  # type: ignore[misc]
        assert (answer.status, answer.headers["Location"]) == (307, path)


def test_php_joins_whatever_else_runs_beside(deployment: Deployment) -> None:
    def is_polyglot(profiles: str) -> bool:
        shown = deployment.script("infra/compose", "config", "--format", "json", PROFILES=profiles).stdout
        return bool(json.loads(shown)["services"]["balancer"]["environment"]["POLYGLOT"] == "yes")

    for profiles in ("none", "observe", "polyglot", "observe,polyglot", "polyglot,observe"):
        assert is_polyglot(profiles) == ("polyglot" in profiles)


def test_php_sends_nobody_to_another_host(visitor: Visitor) -> None:
    assert asked_of("php", lambda: visitor.ask("GET", "//elsewhere.example/")).status == 404


def test_what_does_not_go_with_fastcgi_is_refused_whoever_would_get_it(visitor: Visitor) -> None:
    answers = [visitor.add("a\0b") for _ in range(6)]
    answers += [visitor.ask("PUT", "/api/session/data/x", data=iter([b"[1,", b"2]"])) for _ in range(6)]
    assert {(answer.status, answer.server) for answer in answers} == {(400, "balancer")}


NO_I_JSON = [
    *(b"", b"{", b"NaN", b"1e999", b"9007199254740992", b"123456789012345678901234567890", b"[1,]"),
    *(b'{"a":1,"a":2}', b'[{"a":1,"\\u0061":2}]', b'"\xff"', b'"\\ud800"', b'{"\\udfff":1}'),
    *(b'"\xef\xbf\xbf"', b'"\\uffff\\u0000"', b"[" * 17 + b"]" * 17, b"'a'"),
]


@pytest.mark.parametrize(("method", "path"), [("PUT", "data/x"), ("POST", "lists/x")])
def test_a_body_that_is_not_i_json_is_refused_by_every_language(
    deployment: Deployment, visitor: Visitor, method: str, path: str
) -> None:
    visitor.put("x", 1)
    told = {}
    for body in NO_I_JSON:
        send = partial(visitor.ask, method, f"/api/session/{path}", data=body)
        answers = ask_every_server(deployment, send).values()
        told[body] = {(answer.status, answer.body["title"]) for answer in answers}
    assert told == {body: {(400, "not-i-json")} for body in NO_I_JSON}
    assert visitor.show().body["data"] == {"x": 1}


def test_what_cannot_be_done_is_refused_by_every_language_in_the_same_words(
    deployment: Deployment, visitor: Visitor
) -> None:
    visitor.put("text", "1")
    visitor.put("largest", 2**53 - 1)
    refusals: list[tuple[Callable[[], Answer], int, str]] = [
        (lambda: visitor.add("text"), 409, "wrong-type"),
        (lambda: visitor.add("largest"), 409, "wrong-type"),
        (lambda: visitor.append("text", 1), 409, "wrong-type"),
        (lambda: visitor.put("big", "x" * 65520), 413, "too-large"),
        (lambda: visitor.append("big", "x" * 65520), 413, "too-large"),
        (lambda: visitor.add("k" * 129), 400, "bad-key"),
        (lambda: visitor.ask("POST", "/api/session/counters/"), 400, "bad-key"),
        (lambda: visitor.ask("POST", "/api/session/counters/%ff"), 400, "bad-key"),
        (lambda: visitor.login("ü" * 33), 400, "bad-user"),
        (lambda: visitor.ask("POST", "/api/login", json=[]), 400, "bad-user"),
        (lambda: deployment.visitor().logout_everywhere(), 401, "not-logged-in"),
        (lambda: visitor.ask("PATCH", "/api/session"), 405, "method-not-allowed"),
        (lambda: visitor.ask("GET", "/api/nothing"), 404, "not-found"),
        (
            lambda: visitor.ask("POST", "/api/logout", headers={"Sec-Fetch-Site": "cross-site"}),
            403,
            "cross-site",
        ),
        # Of another scheme and of another port; the balancer says http.
        (
            lambda: visitor.ask("POST", "/api/logout", headers=origin("https", deployment.port)),
            403,
            "cross-site",
        ),
        (lambda: visitor.ask("POST", "/api/logout", headers=origin("http", 80)), 403, "cross-site"),
    ]
    for ask, status, title in refusals:
        for server, answer in ask_every_server(deployment, ask).items():
            assert (server, answer.status, answer.body["title"]) == (server, status, title)
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert answer.headers["Cache-Control"] == "no-store"
    assert visitor.show().body["data"] == {"text": "1", "largest": 2**53 - 1}


def origin(scheme: str, port: int) -> dict[str, str]:
    return {"Origin": f"{scheme}://127.0.0.1:{port}"}


def test_a_page_of_our_own_is_let_in_by_every_language(deployment: Deployment, visitor: Visitor) -> None:
    def ask() -> Answer:
        return visitor.ask(
            "POST", "/api/login", json={"user": "ada"}, headers=origin("http", deployment.port)
        )

    assert {answer.status for answer in ask_every_server(deployment, ask).values()} == {200}


def events_of(deployment: Deployment, kind: str, request_id: str | None) -> list[dict[str, object]]:
    """Return the security events of a request, without the fields that name it, its time and its logger."""

    def lines() -> list[dict[str, object]]:
        return [line for line in deployment.logged(kind, f'"{request_id}"') if "event" in line]

    told = until(lines, f"an event of request {request_id}", 10)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}", str(line["time"])) for line in told)
    unlike = ("time", "request_id", "logger", "message", "level")
    return [{name: line[name] for name in line.keys() - set(unlike)} for line in told]


@pytest.mark.parametrize("kind", KINDS)
def test_every_language_tells_the_security_events(deployment: Deployment, kind: str) -> None:
    def events(visitor: Visitor, act: Callable[[], Answer]) -> list[dict[str, object]]:
        return events_of(deployment, kind, asked_of(kind, act).request_id)

    visitor = visitor_of(deployment, kind, lambda visitor: visitor.login("ada"))
    key = visitor.session_key[:12]
    told = events(visitor, lambda: visitor.login("grace"))
    assert [line.keys() for line in told] == [{"event", "key", "user", "before"}]
    assert (told[0]["event"], told[0]["user"], told[0]["key"]) == ("login", "grace", visitor.session_key[:12])
    assert key != told[0]["key"]

    other = visitor.another_tab()
    headers = {"Origin": "https://evil.example"}
    refused = events(visitor, lambda: visitor.ask("POST", "/api/logout", headers=headers))
    assert refused == [{"event": "refused-origin", "origin": "https://evil.example"}]

    key = visitor.session_key[:12]
    asked_of(kind, visitor.show)
    ended = events(visitor, lambda: deployment.visitor_with(other.session_id).logout())
    assert ended == [{"event": "logout", "key": key}]
    assert events(visitor, other.show) == [{"event": "unknown-id", "key": key}]

    def log_out_everywhere() -> Answer:
        everywhere = deployment.visitor()
        everywhere.login("ada-of-the-events")
        return everywhere.logout_everywhere()

    (line,) = events(visitor, log_out_everywhere)
    assert (line["event"], line["user"], line["ended"]) == ("logout-everywhere", "ada-of-the-events", 1)


# At once, and when something breaks


def test_tabs_that_count_append_and_set_at_once_lose_nothing_through_both_languages(
    deployment: Deployment, visitor: Visitor
) -> None:
    visitor.put("x", 0)

    def click(tab: int) -> list[Answer]:
        mine = visitor.another_tab()
        for number in range(12):
            mine.add("n")
            mine.append("items", [tab, number])
            mine.put(f"{tab}.{number}", number)
        return mine.history

    with ThreadPoolExecutor(TABS) as pool:
        answers = [answer for history in pool.map(click, range(TABS)) for answer in history]
    assert {answer.status for answer in answers} == {200, 204}
    assert {kind_of(answer) for answer in answers} == set(KINDS)
    counts = sorted(answer.body["value"] for answer in answers if "counters" in answer.path)
    assert counts == list(range(1, TABS * 12 + 1)), "every answer is another number"
    data = visitor.show().body["data"]
    assert data["n"] == TABS * 12
    assert all([n for of, n in data["items"] if of == tab] == list(range(12)) for tab in range(TABS))
    assert {key for key in data if "." in key} == {f"{t}.{n}" for t in range(TABS) for n in range(12)}


@pytest.mark.parametrize(
    "spoilt", ["data = '[1]'", "version = 0", "created_at = expires_at + 1", "`user` = X'FF'"]
)
def test_a_broken_session_is_told_in_the_same_words_and_a_logout_ends_it(
    deployment: Deployment, visitor: Visitor, spoilt: str
) -> None:
    visitor.put("a", 1)
    deployment.sql(f"UPDATE sessions SET {spoilt} WHERE id = UNHEX('{visitor.session_key}')")

    for kind in KINDS:
        shown = asked_of(kind, visitor.show)
        assert (shown.status, shown.body["title"], shown.set_cookie) == (500, "session-broken", None)
    if "user" not in spoilt:  # only a request that reads the user notices this
        added = asked_of("php", lambda: visitor.add("n"))
        assert (added.status, added.body["title"]) == (500, "session-broken")
    copy = visitor.another_tab()
    assert asked_of("php", visitor.logout).status == 204
    assert copy.show().body["data"] == {}


def test_without_its_database_php_says_503_and_leaves_the_cookie_alone(
    deployment: Deployment, visitor: Visitor
) -> None:
    visitor.add("n")
    database = deployment.container("db")
    freeze(database)
    try:
        for ask in (visitor.show, lambda: visitor.add("n")):
            answer = asked_of("php", ask)
            assert (answer.status, answer.headers["Retry-After"], answer.set_cookie) == (503, "1", None)
            assert answer.body["title"] == "store-unavailable"
        assert asked_of("php", visitor.stateless).status == 200
    finally:
        database.unpause()
    deployment.make_whole()
    until(lambda: visitor.show().status == 200, "the store is back")
    for answer in ask_every_server(deployment, visitor.show).values():
        assert answer.body["data"]["n"] >= 1


def test_a_stopped_php_server_fails_no_request(deployment: Deployment, crowd: CountingVisitors) -> None:
    deployment.containers("php")[0].stop()
    deployment.wait_for_servers(deployment.servers - 1)
    crowd.get_around()
    crowd.assert_nothing_lost()
    assert crowd.not_ok() == []


@pytest.mark.parametrize("fault", ["calm", "php-server-killed", "database-killed"])
def test_every_guarantee_holds_with_php_servers_under(deployment: Deployment, fault: str) -> None:
    trial = strike(deployment, FAULTS[fault], os.environ["HOPPROOF_TEST_RUN"], QUICK)
    cells = column(fault, trial, GUARANTEES)
    assert [line(cell) for cell in cells if cell.verdict not in ("held", "n/a")] == []
    assert {o.server.partition("-")[0] for o in trial.run.history} >= set(KINDS)


def test_while_tables_are_locked_php_refuses_a_write_in_time_and_goes_on_reading(
    deployment: Deployment, visitor: Visitor
) -> None:
    visitor.add("n")
    with tables_locked(deployment):
        answer = asked_of("php", lambda: visitor.add("n"))
        assert (answer.status, answer.body["title"]) == (503, "store-unavailable")
        assert asked_of("php", visitor.show).status == 200


# Ten connections that take seconds for an answer of 60 KB each; prints how much of its value each has got.
READ_SLOWLY = """
import http.client, json, socket, sys, time
headers = {"Cookie": sys.argv[1]}
readers = []
for _ in range(10):
    connection = http.client.HTTPConnection("balancer", 8080)
    connection.sock = socket.socket()
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    connection.sock.connect(("balancer", 8080))
    connection.request("GET", "/api/session", headers=headers)
    readers.append([connection.getresponse(), b""])
while any(not answer.isclosed() for answer, _ in readers):
    for reader in readers:
        reader[1] += reader[0].read(1000)
    time.sleep(0.05)
print(json.dumps([len(json.loads(text)["data"]["large"]) for _, text in readers]))
"""


def test_visitors_who_read_slowly_get_all_of_it(deployment: Deployment, visitor: Visitor) -> None:
    visitor.put("large", "x" * 60_000)
    with neighbour_of(deployment) as slow:
        assert json.loads(slow.run(READ_SLOWLY, f"session={visitor.session_id}")) == [60_000] * 10
