"""A visitor: one cookie jar, and a record of what was asked and who answered."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from urllib.parse import quote, urlsplit

import requests

# Above the balancer's longest answer: what takes longer has gone missing.
TIMEOUT_S = 20


@dataclass(frozen=True)
class Answer:
    """One request and what came of it. status 0: no answer arrived; the request may have been done."""

    method: str
    path: str
    status: int
    server: str
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    set_cookie: str | None = None


class Visitor:
    """Speaks the probe API through the balancer. Not for use by two threads at once."""

    def __init__(self, url: str, session_id: str | None = None) -> None:
        self.url = url
        self.history: list[Answer] = []
        self._http = requests.Session()
        self._http.trust_env = False
        if session_id is not None:
            self._http.cookies.set("session", session_id, domain=urlsplit(url).hostname, path="/")

    @property
    def session_id(self) -> str | None:
        return self._http.cookies.get("session")

    def another_tab(self) -> Visitor:
        """A visitor with the same cookie as now, on connections of its own."""
        return Visitor(self.url, self.session_id)

    def ask(self, method: str, path: str, **arguments: Any) -> Answer:
        try:
            got = self._http.request(
                method, self.url + path, timeout=TIMEOUT_S, allow_redirects=False, **arguments
            )
        except requests.RequestException as error:
            answer = Answer(method, path, 0, "nobody", str(error))
        else:
            is_json = "json" in got.headers.get("Content-Type", "")
            answer = Answer(
                method,
                path,
                got.status_code,
                got.headers.get("X-Served-By", "nobody"),
                got.json() if is_json else got.text,
                got.headers,
                got.elapsed.total_seconds(),
                got.headers.get("Set-Cookie"),
            )
        self.history.append(answer)
        return answer

    def add(self, key: str) -> Answer:
        return self.ask("POST", f"/api/session/counters/{quote(key, safe='')}")

    def append(self, key: str, value: Any) -> Answer:
        return self.ask("POST", f"/api/session/lists/{quote(key, safe='')}", json=value)

    def put(self, key: str, value: Any) -> Answer:
        return self.ask("PUT", f"/api/session/data/{quote(key, safe='')}", json=value)

    def remove(self, key: str) -> Answer:
        return self.ask("DELETE", f"/api/session/data/{quote(key, safe='')}")

    def show(self) -> Answer:
        return self.ask("GET", "/api/session")

    def login(self, user: str) -> Answer:
        return self.ask("POST", "/api/login", json={"user": user})

    def logout(self) -> Answer:
        return self.ask("POST", "/api/logout")

    def logout_everywhere(self) -> Answer:
        return self.ask("POST", "/api/logout-everywhere")

    @property
    def servers(self) -> set[str]:
        """The web servers that answered this visitor."""
        return {answer.server for answer in self.history if answer.server.startswith("web-")}

    @property
    def hops(self) -> int:
        """How often a request was answered by another server than the one before."""
        served = [answer.server for answer in self.history if answer.server.startswith("web-")]
        return sum(before != after for before, after in pairwise(served))


class Clicking:
    """A visitor in the background who counts, until told to stop or 60 s are over.

    Use as a context manager around whatever happens to the deployment meanwhile.
    """

    def __init__(self, visitor: Visitor, act: Callable[[Visitor], Answer]) -> None:
        self.visitor = visitor
        self._act = act
        self._stop = threading.Event()
        self._end = threading.Timer(60, self._stop.set)
        self._thread = threading.Thread(target=self._click)

    def _click(self) -> None:
        while not self._stop.is_set():
            self._act(self.visitor)

    def __enter__(self) -> Visitor:
        self._end.start()
        self._thread.start()
        return self.visitor

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._end.cancel()
        self._thread.join()
