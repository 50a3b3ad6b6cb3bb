"""The pages of docs/ about a framework: their code runs, their tables say what code and comparison say."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

import flask
import itsdangerous
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from test_docs import PAGES, blocks

from hopproof import mysql
from hopproof.memory import MemoryHandler

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(monkeypatch, tmp_path):
    """The handler that the pages' code gets in place of the database's."""
    (tmp_path / ".state/secrets").mkdir(parents=True)
    (tmp_path / ".state/secrets/db_web_password").write_text("secret")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DB_HOST", "localhost")
    store = MemoryHandler()
    monkeypatch.setattr(mysql, "MySQLHandler", lambda pool: store)
    return store


def code(page, mark):
    (found,) = (block for block in blocks(PAGES[page], "python") if mark in block)
    return found


def run(text, **names):
    exec(compile(text, "page", "exec"), names)
    return names


def test_the_application_of_flasks_page_counts(store):
    text = code("flask.md", "Hopproof(app")
    assert len(text.splitlines()) <= 20
    client = run(text, __name__="count")["app"].test_client()

    assert [client.get("/").text for _ in range(2)] == ["visit 1\n", "visit 2\n"]


def test_the_application_of_starlettes_page_counts(store):
    text = code("starlette.md", "async def count")
    assert len(text.splitlines()) <= 20
    client = TestClient(run(text)["app"])

    assert [client.get("/").json() for _ in range(2)] == ["visit 1", "visit 2"]


# Django has one set of settings per process.
DJANGO = """
import sys
from hopproof import mysql
from hopproof.memory import MemoryHandler
store = MemoryHandler()
mysql.MySQLHandler = lambda pool: store
import django.core.management as management
management.execute_from_command_line = lambda arguments: None
exec(open("count.py").read())
from django.test import Client
client = Client()
print([client.get("/").content for _ in range(2)])
"""


def test_the_site_of_djangos_page_counts(store, tmp_path):
    text = code("django.md", "runserver")
    assert len(text.splitlines()) <= 22
    (tmp_path / "count.py").write_text(text)
    ended = subprocess.run(
        [sys.executable, "-c", DJANGO],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": ":".join([str(ROOT / "webapp"), *sys.path])},
        check=False,
    )

    assert (ended.stdout, ended.stderr) == ("[b'visit 1\\n', b'visit 2\\n']\n", "")


def test_the_three_settings_of_djangos_page_are_those_of_the_code():
    names = run(code("django.md", "MIDDLEWARE = ["))
    fields = {field.name for field in dataclasses.fields(hopproof_of_django())}

    assert names["SESSION_ENGINE"] == "hopproof.django"
    assert names["HOPPROOF"].keys() <= fields


def test_djangos_page_lists_every_option():
    listed = PAGES["django.md"].partition("## Settings")[2].partition("\n\nSESSION_COOKIE_NAME")[0]
    missing = [f.name for f in dataclasses.fields(hopproof_of_django()) if f"`{f.name}`" not in listed]

    assert missing == []


def hopproof_of_django():
    import test_django  # noqa: F401  configures Django

    from hopproof.django import Hopproof

    return Hopproof


def test_a_visitor_of_flasks_own_session_moves_over(store):
    before = flask.Flask("shop", root_path=str(ROOT))
    before.secret_key = "old"

    @before.get("/")
    def login():
        flask.session["_user_id"] = "7"
        flask.session["cart"] = (1, 2)
        return "in"

    after = flask.Flask("shop", root_path=str(ROOT))
    after.secret_key = "old"
    run(code("flask.md", "class MovingOver"))["MovingOver"](after, lambda: store)
    after.get("/")(lambda: repr(flask.session["cart"]))

    visitor, client = before.test_client(), after.test_client()
    visitor.get("/")
    client.set_cookie("session", visitor.get_cookie("session").value)

    assert [client.get("/").text for _ in range(2)] == ["(1, 2)", "(1, 2)"]
    assert len(store.sessions_of_user("7")) == 1


def test_a_visitor_of_starlettes_own_session_moves_over(store):
    page = run(code("starlette.md", "async def count"))
    page["app"] = Starlette(
        routes=[Route("/", lambda request: PlainTextResponse(str(request.session.get("cart"))))]
    )
    run(code("starlette.md", "class MovingOver"), **page)
    old = itsdangerous.TimestampSigner("the old one").sign(b64encode(json.dumps({"cart": [1]}).encode()))

    client = TestClient(page["app"], cookies={"session": old.decode()})
    assert client.get("/").text == "[1]"
    assert len(store._rows) == 1
    client.cookies.set("session", "made up")
    assert TestClient(page["app"], cookies={"session": "made up"}).get("/").text == "None"


COMPARED = PAGES["comparison.md"]


def rows(text):
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]


@pytest.mark.parametrize("page", ["flask.md", "django.md", "starlette.md"])
def test_what_a_page_says_of_usual_stores_is_in_the_comparison(page):
    heading, _, *said = rows(PAGES[page].partition("## What its usual stores lose")[2])
    # A table for each condition there: a row for each store, a column for each claim.
    told = {}
    for table in COMPARED.split("### ")[1:]:
        claims, _, *stores = rows(table)
        told |= {(claim, row[0]): cell for row in stores for claim, cell in zip(claims, row, strict=True)}

    assert len(said) == 6
    for name, *cells in said:
        assert cells == [told[name, store] for store in heading[1:]], name
