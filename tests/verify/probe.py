"""The probe API as a deployment spells it: the request of each act, and where its answer tells the result.

The default is the spelling of this project's own servers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

# Stands for an answer that does not say who gave it.
NOBODY = "nobody"
BALANCER = "balancer"


@dataclass(frozen=True, slots=True)
class Request:
    """One request. {key}, {value} and {user} stand for what is sent.

    json: a value with such places, ... for none. form: names and values of a form.
    """

    method: str
    path: str
    json: Any = ...
    form: Mapping[str, str] | None = None

    def of(self, key: str | None, value: Any) -> tuple[str, Any, dict[str, str] | None]:
        """Return path, JSON value (... for none) and form, filled in."""
        places = {"key": key, "value": value, "user": value}
        path = self.path.replace("{key}", quote(key or "", safe=""))
        form = self.form and {name: str(_filled(text, places)) for name, text in self.form.items()}
        return path, self.json if self.json is ... else _filled(self.json, places), form or None


def _filled(template: Any, places: Mapping[str, Any]) -> Any:
    """Return the template with its places filled in. A text that is nothing but a place becomes the value."""
    if isinstance(template, dict):
        return {_filled(name, places): _filled(value, places) for name, value in template.items()}
    if isinstance(template, list):
        return [_filled(value, places) for value in template]
    if not isinstance(template, str):
        return template
    for name, value in places.items():
        if template == f"{{{name}}}":
            return value
        template = template.replace(f"{{{name}}}", str(value))
    return template


REQUESTS = {
    "stateless": Request("GET", "/api/stateless"),
    "read": Request("GET", "/api/session"),
    "set": Request("PUT", "/api/session/data/{key}", json="{value}"),
    "remove": Request("DELETE", "/api/session/data/{key}"),
    "add": Request("POST", "/api/session/counters/{key}"),
    "append": Request("POST", "/api/session/lists/{key}", json="{value}"),
    "login": Request("POST", "/api/login", json={"user": "{user}"}),
    "logout": Request("POST", "/api/logout"),
    "logout-everywhere": Request("POST", "/api/logout-everywhere"),
}
# The parts of an answer that tell something, by act, each with its JSON Pointer (RFC 6901).
ANSWERS = {
    "read": {"user": "/user", "data": "/data"},
    "add": {"value": "/value"},
    "append": {"length": "/length"},
}
PARTS = {part: pointer for parts in ANSWERS.values() for part, pointer in parts.items()}


class NotAsSpelled(ValueError):
    """An answer does not tell what the spelling says. The message names the pointer."""


@dataclass(frozen=True, slots=True)
class Probe:
    """The spelling of one deployment.

    cookie: the name of the session's cookie, None for ours. server_header: names who answered; "" if nothing
    does. balancer: what it says when the balancer answers itself. absent: the acts that are not offered.
    """

    cookie: str | None = None
    server_header: str = "X-Served-By"
    balancer: str = BALANCER
    requests: Mapping[str, Request] = field(default_factory=lambda: MappingProxyType(REQUESTS))
    parts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType(PARTS))
    absent: frozenset[str] = frozenset()

    @property
    def acts(self) -> frozenset[str]:
        return frozenset(self.requests) - self.absent

    def server(self, headers: Mapping[str, str]) -> str:
        """Return the name of who answered, in the words of outcome.py."""
        name = headers.get(self.server_header, NOBODY) if self.server_header else NOBODY
        return BALANCER if name == self.balancer else name

    def result(self, act: str, body: Any) -> Any:
        """Return what a good answer to an act tells, in our spelling. Raises NotAsSpelled."""
        if act not in ANSWERS:
            return body
        found = {part: pointed(body, self.parts[part]) for part in ANSWERS[act]}
        if act == "read":
            found["data"] = found["data"] or {}  # of no session; some say null, some []
        return {**body, **found} if isinstance(body, dict) else found


def pointed(body: Any, pointer: str) -> Any:
    """Return the value at a JSON Pointer. Raises NotAsSpelled if there is none."""
    for name in pointer.split("/")[1:]:
        name = name.replace("~1", "/").replace("~0", "~")
        if isinstance(body, dict) and name in body:
            body = body[name]
        elif isinstance(body, list) and name.isdecimal() and int(name) < len(body):
            body = body[int(name)]
        else:
            raise NotAsSpelled(f"the answer has no {pointer}")
    return body


OURS = Probe()
