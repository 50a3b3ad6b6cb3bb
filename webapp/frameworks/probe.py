"""The probe API for a framework that routes nothing here: method, target and body in, status and JSON out."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from body import check_length, checked_user, json_value
from health import Server
from hopproof.handler import Json
from hopproof.session import Session
from logins import end_one, log_in, log_out, log_out_everywhere
from origin import check_origin
from probe import in_list, name_after, require_login
from problem import refused

DATA, COUNTERS, LISTS = "/api/session/data/", "/api/session/counters/", "/api/session/lists/"
OWN = "/api/sessions/"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request. target: path and query as they were sent. header: returns a header by its name."""

    method: str
    target: str
    header: Callable[[str], str | None]
    scheme: str
    body: Callable[[], bytes]

    @property
    def path(self) -> str:
        """The path, percent-decoded, one character for each byte."""
        path = self.target.partition("?")[0]
        path = path if path.startswith("/") else "/" + path.split("/", 3)[-1]  # http://host/path
        return unquote_to_bytes(path).decode("latin-1")

    def value(self) -> Json:
        """Return the value in the body. Raises a 400 or 413 problem."""
        length = self.header("Content-Length") or ""
        check_length(int(length) if length.isdigit() else 0)
        body = self.body()
        check_length(len(body))
        return json_value(body)


def respond(
    asked: Asked, session: MutableMapping[str, Any], hop: Session, server: Server
) -> tuple[int, Json | None]:
    """Return status and body of the answer. session: the framework's own, with the entries. hop: its verbs.

    Raises ProblemError, and the errors of the session.
    """
    check_origin(asked.method, asked.header, asked.scheme)
    match asked.method, asked.path:
        case "GET", "/api/session":
            return 200, {"server": server.name, "user": hop.user, "data": dict(session.items())}
        case "PUT", path if path.startswith(DATA):
            session[name_after(DATA, asked.target)] = asked.value()
            return 204, None
        case "DELETE", path if path.startswith(DATA):
            hop.remove(name_after(DATA, asked.target))
            return 204, None
        case "POST", path if path.startswith(COUNTERS):
            return 200, {"value": hop.add(name_after(COUNTERS, asked.target))}
        case "POST", path if path.startswith(LISTS):
            return 200, {"length": hop.append(name_after(LISTS, asked.target), asked.value())}
        case "POST", "/api/login":
            body = asked.value()
            name = body.get("user") if isinstance(body, dict) else None
            log_in(hop, checked_user(name))
            return 200, {"user": name}
        case "POST", "/api/logout":
            log_out(hop)
            return 204, None
        case "POST", "/api/logout-everywhere":
            require_login(hop)
            return 200, {"ended": log_out_everywhere(hop)}
        case "GET", "/api/sessions":
            require_login(hop)
            return 200, {"sessions": [in_list(listed, hop) for listed in hop.all_of_user()]}
        case "DELETE", path if path.startswith(OWN):
            require_login(hop)
            if not end_one(hop, key_in(path.removeprefix(OWN))):
                raise refused(404, "no-such-session", "No live session of yours has this key.")
            return 204, None
    if asked.path == "/api/stateless":
        return 200, {"server": server.name}
    return 200, server.health(asked.path)


def key_in(digits: str) -> bytes:
    """Return the key of 64 hexadecimal digits. Raises a 404 problem."""
    if len(digits) != 64 or set(digits) - set("0123456789abcdef"):
        raise refused(404, "not-found", "A key has 64 hexadecimal digits.")
    return bytes.fromhex(digits)
