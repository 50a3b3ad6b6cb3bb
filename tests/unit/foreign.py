"""A deployment that is not ours, in one process: two servers in turn, one dict of sessions, own spelling."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

# Its target file, besides the url.
SPELLED: dict[str, Any] = {
    "cookie": "sid",
    "server_header": "Via-Server",
    "requests": {
        "stateless": {"method": "GET", "path": "/ping"},
        "read": {"method": "GET", "path": "/me"},
        "set": {"method": "POST", "path": "/put", "form": {"name": "{key}", "text": "{value}"}},
        "add": {"method": "POST", "path": "/count", "json": {"counter": "{key}", "by": 1}},
        "login": {"method": "POST", "path": "/in", "json": {"who": ["{user}"]}},
        "logout": {"method": "POST", "path": "/out"},
    },
    "answers": {"data": "/session/bag", "user": "/session/who", "value": "/0"},
    "absent": {
        "append": "it has no lists",
        "remove": "it forgets nothing",
        "logout-everywhere": "it does not know who has which session",
        "refusals": "it makes a new session instead",
    },
}


class Foreign:
    """The sessions.

    loses_writes: a change writes back all that it read a moment before. away: as long as there is this file,
    every answer is 503.
    """

    def __init__(self, *, loses_writes: bool = False, away: Path | None = None) -> None:
        self.loses_writes = loses_writes
        self.away = away
        self.sessions: dict[str, dict[str, Any]] = {}
        self.lock = threading.Lock()
        self.turn = count()

    def change(self, session: str | None, name: str, text: Any) -> tuple[str, Any]:
        """Set a name, or count it up if text is None. Return the id, a new one if need be, and the value."""
        if session not in self.sessions:
            session = secrets.token_urlsafe(16)
            self.sessions[session] = {"who": None, "bag": {}}
        if self.loses_writes:
            bag = dict(self.sessions[session]["bag"])
            time.sleep(0.005)
            bag[name] = bag.get(name, 0) + 1 if text is None else text
            self.sessions[session]["bag"] = bag
            return session, bag[name]
        with self.lock:
            bag = self.sessions.get(session, {"bag": {}})["bag"]
            bag[name] = bag.get(name, 0) + 1 if text is None else text
            return session, bag[name]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    foreign: Foreign

    def parse_request(self) -> bool:
        if not super().parse_request():
            return False
        if self.foreign.away and self.foreign.away.exists():
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.answer({}, status=503)
            return False
        return True

    def do_GET(self) -> None:
        empty = {"who": None, "bag": None}
        self.answer({"session": self.foreign.sessions.get(self.session or "", empty)})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        foreign, old = self.foreign, self.session
        match self.path:
            case "/put":
                form = parse_qs(body)
                session, _ = foreign.change(old, form["name"][0], form["text"][0])
                self.answer({}, session)
            case "/count":
                session, value = foreign.change(old, json.loads(body)["counter"], None)
                self.answer([value], session)
            case "/in":
                bag = foreign.sessions.pop(old or "", {"bag": {}})["bag"]
                session = secrets.token_urlsafe(16)
                foreign.sessions[session] = {"who": json.loads(body)["who"][0], "bag": bag}
                self.answer({}, session)
            case "/out":
                foreign.sessions.pop(old or "", None)
                self.answer({}, "")

    @property
    def session(self) -> str | None:
        try:
            cookies = SimpleCookie(self.headers.get("Cookie", ""))
        except Exception:
            return None
        return unquote(cookies["sid"].value) if "sid" in cookies else None

    def answer(self, body: Any, session: str | None = None, status: int = 200) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Via-Server", f"app{next(self.foreign.turn) % 2}.example")
        if session is not None and session != self.session:
            gone = "; Max-Age=0" if not session else ""
            self.send_header("Set-Cookie", f"sid={session}; Path=/{gone}")
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: object) -> None:
        """Say nothing of a visitor who left before the answer: some do."""


@contextmanager
def running(foreign: Foreign) -> Iterator[str]:
    """Serve until the context ends; yields the URL."""
    kind = type("ForeignHandler", (Handler,), {"foreign": foreign})
    with Server(("127.0.0.1", 0), kind) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
