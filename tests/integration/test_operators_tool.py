"""The operator's tool, as `make sessions` runs it: it lists, shows and ends visitors' sessions."""

from __future__ import annotations

import json
from typing import Any

from verify.deployment import LIST_READABLE_SECRETS, Deployment, ask_every_server


def listed(deployment: Deployment, user: str) -> list[dict[str, Any]]:
    shown = deployment.script("infra/sessions", "list", "--json", "--user", user).stdout
    return [json.loads(line) for line in shown.splitlines()]


def test_an_operator_finds_a_users_sessions_and_ends_them_on_every_server(deployment: Deployment) -> None:
    grace, elsewhere, ada = (deployment.visitor() for _ in range(3))
    for visitor, user in ((grace, "grace"), (elsewhere, "grace"), (ada, "ada")):
        visitor.login(user)

    assert {row["key"] for row in listed(deployment, "grace")} == {grace.session_key, elsewhere.session_key}
    done = deployment.script("infra/sessions", "end", "--user", "grace", "--yes")
    assert "ended 2 sessions of grace" in done.stdout
    *_, line = (deployment.folder / "operator.jsonl").read_text().splitlines()
    event = json.loads(line)
    assert event["arguments"] == ["end", "--user", "grace", "--yes"]
    assert (event["event"], event["status"]) == ("operator", 0)
    assert listed(deployment, "grace") == []
    shown = ask_every_server(deployment, grace.show).values()
    assert {answer.body["user"] for answer in shown} == {None}
    late = grace.add("n")
    assert (late.status, late.body["title"]) == (409, "session-gone")
    assert ada.show().body["user"] == "ada"


def test_the_tool_reads_its_own_passwords_and_no_other(deployment: Deployment) -> None:
    deployment.script("infra/sessions", "--help")  # builds the image
    run = ("--profile", "operator", "run", "--rm", "--no-deps", "-T", "--entrypoint", "bash", "operator")
    shown = deployment.script("infra/compose", *run, "-c", LIST_READABLE_SECRETS).stdout
    assert shown.split() == ["db_operator_password", "db_operator_reader_password"]


def test_a_broken_session_is_told_to_its_visitor_only_until_an_operator_ends_it(
    deployment: Deployment,
) -> None:
    visitor, other = deployment.visitor(), deployment.visitor()
    for one in (visitor, other):
        one.add("n")
    key = visitor.session_key
    deployment.sql(f"UPDATE sessions SET data = '[1]' WHERE id = UNHEX('{key}')")

    answers = ask_every_server(deployment, visitor.show).values()
    assert {(answer.status, answer.body["title"]) for answer in answers} == {(500, "session-broken")}
    assert visitor.add("n").status == 500
    assert deployment.sql(f"SELECT data FROM sessions WHERE id = UNHEX('{key}')") == [["[1]"]]
    assert other.add("n").body["value"] == 2
    assert f"session {key} breaks the row contract" in deployment.logs("web")

    told = deployment.script("infra/sessions", "list", fails=True).stderr
    assert f"{key} is skipped: its data are no JSON object" in told
    deployment.script("infra/sessions", "end", key, "--yes")
    ended = visitor.show()
    assert (ended.status, ended.body["data"]) == (200, {})
    deployment.script("infra/sessions", "list")
