"""The promises of the session contract, as a visitor meets them through the balancer."""

from __future__ import annotations

import http.client
import json
import secrets

import pytest

from hopproof.mysql.row import INTACT
from verify.deployment import Deployment, ask_every_server
from verify.visitor import Answer, Visitor


def kind_of(answer: Answer) -> str:
    return answer.body["type"].rpartition(":")[2]


def test_the_old_id_is_dead_after_a_login_and_the_new_one_lives(
    deployment: Deployment, visitor: Visitor
) -> None:
    visitor.add("n")
    old = visitor.another_tab()
    visitor.login("ada")
    assert visitor.session_id != old.session_id
    answers = ask_every_server(deployment, old.show)
    assert all(answer.body["data"] == {} and answer.set_cookie is None for answer in answers.values())
    assert visitor.show().body["data"] == {"n": 1}


def test_a_slow_write_across_a_login_in_another_tab_does_not_log_the_visitor_out(visitor: Visitor) -> None:
    visitor.add("n")
    slow_tab = visitor.another_tab()  # its request left before the login was answered
    visitor.login("ada")
    answer = slow_tab.put("x", 1)
    assert (answer.status, kind_of(answer), answer.set_cookie) == (409, "session-gone", None)
    shown = visitor.show().body
    assert (shown["user"], shown["data"]) == ("ada", {"n": 1})


@pytest.mark.parametrize("act", ["add", "append", "put", "remove", "login"])
def test_a_slow_change_across_a_logout_is_refused_and_revives_nothing(visitor: Visitor, act: str) -> None:
    visitor.login("ada")
    slow_tab = visitor.another_tab()
    visitor.logout()
    changes = {
        "add": lambda: slow_tab.add("n"),
        "append": lambda: slow_tab.append("items", 1),
        "put": lambda: slow_tab.put("x", 1),
        "remove": lambda: slow_tab.remove("x"),
        "login": lambda: slow_tab.login("ada"),
    }
    answer = changes[act]()
    assert (answer.status, kind_of(answer), answer.set_cookie) == (409, "session-gone", None)
    assert slow_tab.show().body["user"] is None


def test_only_a_logout_clears_the_cookie(visitor: Visitor) -> None:
    visitor.login("ada")
    assert [answer.set_cookie for answer in (visitor.show(), visitor.put("x", 1))] == [None, None]
    assert visitor.logout().clears_cookie
    assert visitor.session_id is None


def test_logging_out_everywhere_ends_every_session_of_the_user_and_of_nobody_else(
    deployment: Deployment,
) -> None:
    user, other = f"ada-{secrets.token_hex(4)}", f"bob-{secrets.token_hex(4)}"
    tabs = [deployment.visitor() for _ in range(3)]
    bystander = deployment.visitor()
    for tab in tabs:
        tab.login(user)
    bystander.login(other)
    kept = tabs[0].another_tab()
    answer = tabs[0].logout_everywhere()
    assert (answer.status, answer.body) == (200, {"ended": 3})
    assert tabs[0].session_id is None
    assert [tab.show().body["user"] for tab in (kept, *tabs[1:])] == [None, None, None]
    assert bystander.show().body["user"] == other


def test_logging_out_everywhere_needs_a_login(visitor: Visitor) -> None:
    visitor.add("n")
    answer = visitor.logout_everywhere()
    assert (answer.status, kind_of(answer)) == (401, "not-logged-in")


def test_reading_creates_no_row_and_sets_no_cookie(deployment: Deployment) -> None:
    before = deployment.session_keys()
    for session_id in (None, secrets.token_urlsafe(32), "short", "x" * 5000, "../../etc/passwd"):
        visitor = deployment.visitor() if session_id is None else deployment.visitor_with(session_id)
        for _ in range(3):
            answer = visitor.show()
            assert (answer.status, answer.body["data"], answer.set_cookie) == (200, {}, None)
    assert deployment.session_keys() <= before


def test_an_id_that_a_visitor_made_up_is_never_adopted(deployment: Deployment) -> None:
    forged = secrets.token_urlsafe(32)
    visitor = deployment.visitor_with(forged)
    assert visitor.add("n").body == {"value": 1}
    (cookie,) = [a.set_cookie for a in visitor.history if a.set_cookie]
    assert forged not in cookie
    assert deployment.visitor_with(forged).show().body["data"] == {}


def test_the_table_holds_no_id_that_could_be_used_as_a_cookie(
    deployment: Deployment, visitor: Visitor
) -> None:
    visitor.login("ada")
    found = deployment.sql(
        f"SELECT COUNT(*) FROM sessions WHERE id = UNHEX(SHA2('{visitor.session_id}', 256))"
    )
    assert found == [["1"]]


def test_the_cookie_is_sent_once_and_with_the_agreed_attributes(visitor: Visitor) -> None:
    for _ in range(4):
        visitor.add("n")
    first, *later = [answer.set_cookie for answer in visitor.history]
    attributes = {part.strip().lower() for part in first.split(";")[1:]}
    assert attributes == {"httponly", "path=/", "samesite=lax"}
    assert later == [None, None, None]


def test_an_expired_session_reads_as_empty_before_anybody_has_cleaned(
    deployment: Deployment, visitor: Visitor
) -> None:
    visitor.login("ada")
    key = visitor.session_key
    assert visitor.session_id is not None
    assert deployment.expire(visitor.session_id, lambda seconds: False)
    # Aged in the second in which it began, and no row that breaks the contract (and would raise an alert).
    assert deployment.sql(f"SELECT {INTACT} FROM sessions WHERE id = UNHEX('{key}')") == [["1"]]
    answers = ask_every_server(deployment, visitor.show)
    assert all(a.body["user"] is None and a.set_cookie is None for a in answers.values())
    assert visitor.add("n").body == {"value": 1}


def test_a_body_that_is_not_i_json_is_refused_and_changes_nothing(visitor: Visitor) -> None:
    bodies = [
        *(b"{", b"", b"NaN", b'{"a": 1, "a": 2}', b'"\xff"', b'"\\ud800"', b"9007199254740993", b"1e999"),
        *(b"[" * 20 + b"]" * 20, b"[" * 30000),
    ]
    visitor.put("x", "before")
    answers = {body: visitor.ask("PUT", "/api/session/data/x", data=body) for body in bodies}
    told = {body: (answer.status, kind_of(answer)) for body, answer in answers.items()}
    assert told == dict.fromkeys(bodies, (400, "not-i-json"))
    assert visitor.show().body["data"] == {"x": "before"}


def test_a_session_may_hold_48_kib_and_not_80(visitor: Visitor) -> None:
    assert visitor.put("a", "x" * 24 * 1024).status == 204
    assert visitor.put("b", "x" * 24 * 1024).status == 204
    assert visitor.put("b", "y" * 24 * 1024).status == 204, "replacing is not adding"
    answer = visitor.put("c", "x" * 32 * 1024)
    assert (answer.status, kind_of(answer)) == (413, "too-large")
    assert visitor.show().body["data"].keys() == {"a", "b"}


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_64_kib_is_refused_by_the_balancer(visitor: Visitor, chunked: bool) -> None:
    body = b'"' + b"x" * 70000 + b'"'
    answer = visitor.ask("PUT", "/api/session/data/x", data=iter([body]) if chunked else body)
    assert (answer.status, answer.server) == (413, "balancer")
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_counting_what_is_no_number_is_refused(visitor: Visitor) -> None:
    visitor.put("x", "three")
    answer = visitor.add("x")
    assert (answer.status, kind_of(answer), answer.body["key"]) == (409, "wrong-type", "x")
    assert visitor.append("x", 1).status == 409


def test_a_key_is_1_to_128_characters_of_utf_8(visitor: Visitor) -> None:
    taken = ["%C3%BC%2F%00%0A%25", "x" * 128]
    refused = ["x" * 129, "", "%ffa", "%ED%A0%80"]
    told = {key: visitor.ask("PUT", f"/api/session/data/{key}", json=1).status for key in [*taken, *refused]}
    assert told == dict.fromkeys(taken, 204) | dict.fromkeys(refused, 400)


def test_two_keys_that_differ_by_a_broken_byte_are_not_mixed_up(visitor: Visitor) -> None:
    visitor.put("a", "untouched")
    visitor.ask("PUT", "/api/session/data/%ffa", json="broken")
    assert visitor.show().body["data"] == {"a": "untouched"}


MALFORMED = [
    *("session=", "session", "a/b=1; session=x", 'session="quoted"', "=;;=", "session=" + "A" * 12000, "\xff")
]


def test_a_malformed_cookie_means_anonymous(deployment: Deployment) -> None:
    told = {}
    for cookie in MALFORMED:
        connection = http.client.HTTPConnection("127.0.0.1", deployment.port, timeout=10)
        connection.putrequest("GET", "/api/session")
        connection.putheader("Cookie", cookie.encode("latin-1"))
        connection.endheaders()
        answer = connection.getresponse()
        told[cookie] = (answer.status, json.load(answer)["data"])
        connection.close()
    assert told == {cookie: (200, {}) for cookie in MALFORMED}


def test_an_unknown_path_and_a_wrong_method_are_problem_json(visitor: Visitor) -> None:
    for answer, status in (
        (visitor.ask("GET", "/api/nothing"), 404),
        (visitor.ask("PATCH", "/api/login"), 405),
    ):
        assert answer.status == answer.body["status"] == status
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.server.startswith("web-")
