"""A visitor: one cookie jar, and a record of its requests and their answers."""

from __future__ import annotations

import hashlib
import json
import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from http.cookies import Morsel, SimpleCookie
from itertools import pairwise
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from verify.outcome import Outcome, outcome_of
from verify.probe import BALANCER, NOBODY, OURS, NotAsSpelled, Probe

# Seconds. Above the balancer's longest time-out: a later answer counts as lost.
TIMEOUT_S = 20
# The services whose containers answer visitors; each signs as its service and its id.
SERVER_KINDS = ("web", "php", "flask", "django", "fastapi")


@dataclass(frozen=True)
class Answer:
    """One request and its answer.

    status 0: no answer arrived. is_sent False: there was no connection, so nothing was done.
    invoked_ns, completed_ns: this machine's monotonic clock.
    """

    method: str
    path: str
    status: int
    server: str
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    invoked_ns: int = 0
    completed_ns: int = 0
    set_cookie: str | None = None
    is_sent: bool = True

    @property
    def seconds(self) -> float:
        return (self.completed_ns - self.invoked_ns) / 1e9

    @property
    def outcome(self) -> Outcome:
        """Done, certainly not done, or unknown."""
        return outcome_of(self.status, self.server, is_sent=self.is_sent)

    @property
    def clears_cookie(self) -> bool:
        """True if the answer makes a browser forget a cookie, in whichever of the usual spellings."""
        return any(_clears(morsel) for morsel in SimpleCookie(self.set_cookie or "").values())

    @property
    def request_id(self) -> str | None:
        return self.headers.get("X-Request-ID")


def _clears(morsel: Morsel[str]) -> bool:
    return morsel["max-age"].startswith(("-", "0")) or "1970" in morsel["expires"]


class Visitor:
    """Speaks the probe API through the balancer. Not for use by two threads at once."""

    def __init__(
        self, url: str, session_id: str | None = None, ca: str | None = None, probe: Probe = OURS
    ) -> None:
        """ca: the file of the authority behind an https URL, None for those that this machine trusts."""
        self.url = url
        self.ca = ca
        self.probe = probe
        self.cookie = probe.cookie or ("__Host-session" if url.startswith("https:") else "session")
        self.history: list[Answer] = []
        self._cookies = {} if session_id is None else {self.cookie: session_id}
        # One kept connection and no retries, so that each answer is seen as it came.
        self._http = urllib3.PoolManager(maxsize=1, retries=False, timeout=TIMEOUT_S, ca_certs=ca)

    @property
    def session_id(self) -> str | None:
        return self._cookies.get(self.cookie)

    @property
    def session_key(self) -> str:
        """The key of the visitor's session, in hexadecimal, as in the table, in tools and logs."""
        assert self.session_id, "without a session there is no key"
        return hashlib.sha256(self.session_id.encode()).hexdigest()

    def another_tab(self) -> Visitor:
        """A visitor with the same cookie as now, on connections of its own."""
        return self.with_id(self.session_id)

    def with_id(self, session_id: str | None) -> Visitor:
        """A visitor of the same deployment with this id."""
        return Visitor(self.url, session_id, self.ca, self.probe)

    def connect(self, *protocols: str) -> socket.socket:
        """Return a connection on which a test writes bytes of its own. Raises OSError.

        protocols: offered in the handshake (ALPN), such as h2.
        """
        address = urlsplit(self.url)
        raw = socket.create_connection((address.hostname, address.port), 5)
        if address.scheme != "https":
            return raw
        context = ssl.create_default_context(cafile=self.ca)
        context.set_alpn_protocols(list(protocols))
        return context.wrap_socket(raw, server_hostname=address.hostname)

    def ask(
        self,
        method: str,
        path: str,
        *,
        json: Any = ...,
        data: Mapping[str, str] | Iterable[bytes] | bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request. json: a value. data: a form, an iterable that goes in chunks, or raw."""
        body, sent = _body(json, data)
        sent |= headers or {}
        if self._cookies and "Cookie" not in sent:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        invoked_ns = time.monotonic_ns()
        try:
            got = self._http.request(
                method, self.url + path, body=body, headers=sent, redirect=False, decode_content=True
            )
        except (HTTPError, OSError) as error:
            is_sent = not isinstance(error, NewConnectionError | ConnectTimeoutError)
            completed_ns = time.monotonic_ns()
            answer = Answer(method, path, 0, NOBODY, str(error), {}, invoked_ns, completed_ns, None, is_sent)
        else:
            self._keep_cookies(got.headers.getlist("Set-Cookie"))
            answer = Answer(
                method,
                path,
                got.status,
                self.probe.server(got.headers),
                _content(got),
                got.headers,
                invoked_ns,
                time.monotonic_ns(),
                got.headers.get("Set-Cookie"),
            )
        self.history.append(answer)
        return answer

    def _keep_cookies(self, set_cookies: list[str]) -> None:
        for text in set_cookies:
            for name, morsel in SimpleCookie(text).items():
                if _clears(morsel):
                    self._cookies.pop(name, None)
                else:
                    self._cookies[name] = morsel.value

    def leave(self) -> None:
        """Close the connection."""
        self._http.clear()

    def act(self, act: str, key: str | None = None, value: Any = None) -> Answer:
        """Do one act of the probe API. The body of a good answer is in our spelling.

        An answer that is good, and does not tell the result, counts as none: nobody knows what was done.
        """
        request = self.probe.requests[act]
        path, json_value, form = request.of(key, value)
        answer = self.ask(request.method, path, json=json_value, data=form)
        if not answer.status or answer.outcome != "ok":
            return answer
        try:
            answer = replace(answer, body=self.probe.result(act, answer.body))
        except NotAsSpelled as missing:
            answer = replace(answer, status=0, body=f"{answer.status}: {missing}")
        self.history[-1] = answer
        return answer

    def add(self, key: str) -> Answer:
        return self.act("add", key)

    def append(self, key: str, value: Any) -> Answer:
        return self.act("append", key, value)

    def put(self, key: str, value: Any) -> Answer:
        return self.act("set", key, value)

    def remove(self, key: str) -> Answer:
        return self.act("remove", key)

    def show(self) -> Answer:
        return self.act("read")

    def stateless(self) -> Answer:
        return self.act("stateless")

    def login(self, user: str) -> Answer:
        return self.act("login", value=user)

    def logout(self) -> Answer:
        return self.act("logout")

    def logout_everywhere(self) -> Answer:
        return self.act("logout-everywhere")

    @property
    def servers(self) -> set[str]:
        """The web servers that answered this visitor."""
        return set(served(self.history))

    @property
    def hops(self) -> int:
        """How often a request was answered by another server than the one before."""
        return hops(self.history)


class Answered(Protocol):
    """An answer, or the record of one."""

    @property
    def server(self) -> str: ...


def served(answers: Iterable[Answered]) -> list[str]:
    """Return the web servers that answered, in order."""
    return [answer.server for answer in answers if is_server(answer.server)]


def is_server(name: str) -> bool:
    """Return whether a name is a server's. The balancer is none, and "nobody" stands for no answer."""
    return name not in (BALANCER, NOBODY)


def hops(answers: Iterable[Answered]) -> int:
    """Return how often an answer came from another server than the one before."""
    return sum(before != after for before, after in pairwise(served(answers)))


def _body(json_value: Any, data: Any) -> tuple[Any, dict[str, str]]:
    if json_value is not ...:
        return json.dumps(json_value).encode(), {"Content-Type": "application/json"}
    if isinstance(data, Mapping):
        return urlencode(data), {"Content-Type": "application/x-www-form-urlencoded"}
    return data, {}


def _content(got: urllib3.BaseHTTPResponse) -> Any:
    if "json" not in got.headers.get("Content-Type", ""):
        return got.data.decode(errors="replace")
    return json.loads(got.data)
