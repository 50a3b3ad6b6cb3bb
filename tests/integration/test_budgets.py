"""How many statements a request costs, counted by the database's own digests for the app's user."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from verify.deployment import Deployment, ask_every_server, until
from verify.visitor import Visitor


@pytest.fixture(scope="module")
def counted(deployment: Deployment) -> Iterator[Deployment]:
    """Count only the statements of the app's user, on warm connections, in the digests."""
    deployment.sql("UPDATE performance_schema.setup_actors SET ENABLED='NO', HISTORY='NO'")
    deployment.sql("INSERT INTO performance_schema.setup_actors VALUES ('%', 'web', '%', 'YES', 'YES')")
    # MySQL decides at connect whether a user is instrumented.
    connections = "SELECT id FROM information_schema.processlist WHERE user IN ('web', 'janitor')"
    for (connection,) in deployment.sql(connections):
        deployment.sql(f"KILL {connection}")
    visitor = deployment.visitor()
    visitor.add("n")
    for _ in range(3):
        ask_every_server(deployment, visitor.show)
    yield deployment
    deployment.sql("DELETE FROM performance_schema.setup_actors WHERE user='web'")
    deployment.sql("UPDATE performance_schema.setup_actors SET ENABLED='YES', HISTORY='YES'")


def digests(deployment: Deployment) -> dict[str, int]:
    found = deployment.sql(
        "SELECT REPLACE(DIGEST_TEXT, '\\n', ' '), COUNT_STAR"
        " FROM performance_schema.events_statements_summary_by_digest WHERE DIGEST_TEXT IS NOT NULL"
    )
    return {text: int(count) for text, count in found}


def aged(visitor: Visitor, deployment: Deployment, seconds: int) -> None:
    deployment.sql(
        f"UPDATE sessions SET expires_at = expires_at - {seconds}"
        f" WHERE id = UNHEX(SHA2('{visitor.session_id}', 256))"
    )


BUDGETS: dict[str, tuple[Callable[[Visitor], object], int]] = {
    "a request that does not touch the session": (lambda v: v.ask("GET", "/api/stateless"), 0),
    "reading": (lambda v: v.show(), 1),
    "setting a key without reading": (lambda v: v.put("x", 1), 1),
    "removing a key without reading": (lambda v: v.remove("x"), 1),
    "counting": (lambda v: v.add("n"), 1),
    "appending": (lambda v: v.append("items", 1), 1),
    "reading and changing": (lambda v: v.ask("POST", "/cart", data={"tea": "Sencha", "action": "add"}), 2),
    # The login, and the question whether the user has too many sessions.
    "logging in": (lambda v: v.login("ada"), 2),
    "logging out": (lambda v: v.logout(), 1),
}


@pytest.mark.parametrize("what", BUDGETS)
def test_a_request_keeps_its_statement_budget(
    counted: Deployment, visitor: Visitor, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    act, budget = BUDGETS[what]
    visitor.put("x", 0)
    spent = statements_of(counted, lambda: act(visitor))
    with capsys.disabled():
        shown = "; ".join(f"{count} × {text[:60]}…" for text, count in spent.items()) or "none"
        print(f"\n  {what}: {sum(spent.values())} of {budget} ({shown})", end="")
    assert sum(spent.values()) == budget


def test_a_new_session_costs_one_statement(counted: Deployment) -> None:
    assert sum(statements_of(counted, lambda: counted.visitor().add("n")).values()) == 1


def test_an_anonymous_visitor_who_stores_nothing_costs_no_statement(counted: Deployment) -> None:
    assert statements_of(counted, lambda: counted.visitor().show()) == {}


def test_a_malformed_cookie_costs_no_statement(counted: Deployment) -> None:
    assert statements_of(counted, lambda: counted.visitor_with("x" * 43 + "!").show()) == {}


def test_reading_touches_once_per_interval(counted: Deployment, visitor: Visitor) -> None:
    visitor.add("n")
    aged(visitor, counted, 61)
    assert sum(statements_of(counted, visitor.show).values()) == 2
    assert sum(statements_of(counted, visitor.show).values()) == 1


def statements_of(deployment: Deployment, act: Callable[[], object]) -> dict[str, int]:
    """Return the number of statements of the act, by digest."""
    before = digests(deployment)
    act()
    after = digests(deployment)
    return {
        text: count - before.get(text, 0) for text, count in after.items() if count != before.get(text, 0)
    }


def test_the_counting_sees_the_statements_of_the_app(counted: Deployment, visitor: Visitor) -> None:
    until(lambda: any("sessions" in text for text in digests(counted)), "a digest of the app's statements")
