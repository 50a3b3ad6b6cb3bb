"""Every server reads the writes of every other, and the visitor never notices the hop."""

from __future__ import annotations

from verify.deployment import Deployment, ask_every_server
from verify.visitor import Visitor


def test_a_counter_rises_by_one_while_the_servers_change(visitor: Visitor) -> None:
    values = [visitor.add("n").body["value"] for _ in range(12)]
    assert values == list(range(1, 13))
    assert len(visitor.servers) >= 3
    assert visitor.hops >= 8


def test_round_robin_gives_every_server_the_same_share(deployment: Deployment, visitor: Visitor) -> None:
    for _ in range(30):
        visitor.ask("GET", "/api/stateless")
    shares = [sum(a.server == name for a in visitor.history) for name in deployment.server_names()]
    # A health check or a test's own request may shift a turn, never more.
    assert max(shares) - min(shares) <= 2, shares


def test_every_server_reads_what_one_has_written(deployment: Deployment, visitor: Visitor) -> None:
    value = {"tea": ["Assam", 2, 1.0, True, None], "ü": "\U0001f375"}
    assert visitor.put("cart", value).status == 204
    answers = ask_every_server(deployment, visitor.show)
    assert {server: answer.body["data"]["cart"] for server, answer in answers.items()} == dict.fromkeys(
        answers, value
    )


def test_the_server_signs_body_and_header_with_its_container_id(
    deployment: Deployment, visitor: Visitor
) -> None:
    answers = ask_every_server(deployment, lambda: visitor.ask("GET", "/api/stateless"))
    assert all(answer.body == {"server": server} for server, answer in answers.items())


def test_different_keys_written_in_turn_all_survive(visitor: Visitor) -> None:
    for number in range(9):
        visitor.put(f"key {number}", number)
    assert visitor.show().body["data"] == {f"key {number}": number for number in range(9)}
    assert visitor.hops >= 6


def test_a_login_holds_on_every_server(deployment: Deployment, visitor: Visitor) -> None:
    visitor.put("cart", ["Sencha"])
    assert visitor.login("ada").body == {"user": "ada"}
    answers = ask_every_server(deployment, visitor.show)
    assert all(answer.body["user"] == "ada" for answer in answers.values())
    assert all(answer.body["data"] == {"cart": ["Sencha"]} for answer in answers.values())


def test_a_logout_holds_on_every_server(deployment: Deployment, visitor: Visitor) -> None:
    visitor.login("ada")
    kept = visitor.another_tab()
    visitor.logout()
    answers = ask_every_server(deployment, kept.show)
    assert all(answer.body["user"] is None and answer.body["data"] == {} for answer in answers.values())
