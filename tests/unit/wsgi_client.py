"""A browser without a network: it calls the WSGI application as gunicorn would."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value.strip() for header, value in self.headers if header.lower() == name.lower()]

    def header(self, name: str) -> str | None:
        """Return the value of a header, None without it. Fails if it is there twice."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} is there {len(values)} times: {values}"
        return values[0] if values else None

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def problem(self) -> tuple[int, str]:
        """Status and kind of an error. Fails unless it is a whole problem document (RFC 9457)."""
        assert self.header("Content-Type") == "application/problem+json", self
        assert {"type", "title", "status", "detail"} <= self.json.keys(), self.json
        assert self.json["status"] == self.status
        return self.status, self.json["title"]


@dataclass
class Browser:
    """Keeps one cookie, and sends it, as browsers do."""

    app: Callable[..., Any]
    cookie: str | None = None  # "name=value"

    def ask(self, method: str, path: str, body: Any = None, /, **headers: str) -> Answer:
        """Ask. body: bytes as they are, anything else as JSON. headers: CONTENT_TYPE, HTTP_ACCEPT, …"""
        sent = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "RAW_URI": path,
            "PATH_INFO": unquote_to_bytes(path.partition("?")[0]).decode("latin1"),
            "QUERY_STRING": path.partition("?")[2],
            "CONTENT_LENGTH": str(len(sent)),
            "wsgi.input": io.BytesIO(sent),
            **({"HTTP_COOKIE": self.cookie} if self.cookie else {}),
            **headers,
        }
        setup_testing_defaults(environ)
        started: list[Any] = []
        chunks = validator(self.app)(environ, lambda *arguments: started.append(arguments) or started.append)
        answer_body = b"".join(chunks)
        chunks.close()
        status, answer_headers = started[-1][:2]
        answer = Answer(int(status[:3]), answer_headers, answer_body)
        for cookie in answer.all("Set-Cookie"):
            pair = cookie.partition(";")[0]
            self.cookie = None if pair.endswith(('=""', "=")) else pair
        return answer

    def other_tab(self) -> Browser:
        return Browser(self.app, self.cookie)


def meanwhile(act: Callable[[], Any]) -> Any:
    """Return what act returns in another thread: Bottle knows one request per thread."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(act()))
    thread.start()
    thread.join()
    return results[0]
