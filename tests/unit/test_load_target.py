"""A load test that cannot start with this TARGET says in one line why."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from target import complaint_about

Listen = Callable[[str], str]


@pytest.fixture
def listen() -> Iterator[Listen]:
    """Start a server on a port of 127.0.0.1 that answers everything with one text; return its URL."""
    servers = []

    def start(text: str) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(text.encode())

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, *_: Any) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_host_without_http_is_told_what_to_type() -> None:
    assert "is not a URL; try TARGET=http://" in (complaint_about("localhost:8080") or "")


def test_a_host_that_does_not_answer_is_told(listen: Listen) -> None:
    assert "does not answer" in (complaint_about("http://127.0.0.1:1") or "")


@pytest.mark.parametrize(
    "text",
    ["<html>", "[]", json.dumps({"server": "web-1"}), json.dumps({"server": 1, "value": 1, "data": {}})],
)
def test_a_host_that_answers_something_else_is_told(listen: Listen, text: str) -> None:
    assert "does not speak the probe API" in (complaint_about(listen(text)) or "")


def test_a_host_that_loses_counts_is_loaded_all_the_same(
    listen: Listen, capsys: pytest.CaptureFixture[str]
) -> None:
    assert complaint_about(listen(json.dumps({"server": "web-1", "value": 1, "data": {}}))) is None
    assert "counted [1, 1]" in capsys.readouterr().err
