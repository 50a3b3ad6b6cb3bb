"""The probe API, for harness, load test and benchmark. It knows sessions as dicts, and no store."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from bottle import Bottle, HTTPResponse, request

from body import checked_user, json_body
from hopproof.handler import Json, Listed
from hopproof.session import Session
from logins import end_one, log_in, log_out, log_out_everywhere
from problem import refused

MAX_NAME_LENGTH = 128


def add_probe_api(app: Bottle, server: str) -> None:
    @app.get("/api/stateless")
    def stateless() -> dict[str, Json]:
        return {"server": server}

    @app.get("/api/session")
    def show(session: Session) -> dict[str, Json]:
        return {"server": server, "user": session.user, "data": dict(session)}

    @app.put("/api/session/data/<:re:[\\s\\S]*>")
    def set_value(session: Session) -> HTTPResponse:
        session[name_in_path("/api/session/data/")] = json_body()
        return no_content()

    @app.delete("/api/session/data/<:re:[\\s\\S]*>")
    def remove_value(session: Session) -> HTTPResponse:
        session.remove(name_in_path("/api/session/data/"))
        return no_content()

    @app.post("/api/session/counters/<:re:[\\s\\S]*>")
    def count(session: Session) -> dict[str, Json]:
        return {"value": session.add(name_in_path("/api/session/counters/"))}

    @app.post("/api/session/lists/<:re:[\\s\\S]*>")
    def append(session: Session) -> dict[str, Json]:
        return {"length": session.append(name_in_path("/api/session/lists/"), json_body())}

    @app.post("/api/login")
    def login(session: Session) -> dict[str, Json]:
        body = json_body()
        name = body.get("user") if isinstance(body, dict) else None
        log_in(session, checked_user(name))
        return {"user": name}

    @app.post("/api/logout")
    def logout(session: Session) -> HTTPResponse:
        log_out(session)
        return no_content()

    @app.post("/api/logout-everywhere")
    def logout_everywhere(session: Session) -> dict[str, Json]:
        require_login(session)
        return {"ended": log_out_everywhere(session)}

    @app.get("/api/sessions")
    def list_sessions(session: Session) -> dict[str, Json]:
        require_login(session)
        return {"sessions": [in_list(listed, session) for listed in session.all_of_user()]}

    # A key is the hash of an id: it names a session to its user, and cannot be used as a cookie.
    @app.delete("/api/sessions/<key:re:[0-9a-f]{64}>")
    def end_session(key: str, session: Session) -> HTTPResponse:
        require_login(session)
        if not end_one(session, bytes.fromhex(key)):
            raise refused(404, "no-such-session", "No live session of yours has this key.")
        return no_content()


def require_login(session: Session) -> None:
    if session.user is None:
        raise refused(401, "not-logged-in", "Log in first: only a user has a list of sessions.")


def in_list(listed: Listed, session: Session) -> Json:
    return {
        "key": listed.key.hex(),
        "age_s": listed.age_s,
        "unused_s": listed.unused_s,
        "is_this": listed.key == session.key,
    }


def name_in_path(prefix: str) -> str:
    """Return the percent-decoded path after the prefix. Raises a 400 problem.

    From the raw path: Bottle drops bytes that are not UTF-8, and so mistakes one name for another.
    """
    return name_after(prefix, request.environ["RAW_URI"])


def name_after(prefix: str, target: str) -> str:
    """Return the percent-decoded path after the prefix in a request's target, as the client sent it.

    Raises a 400 problem.
    """
    path = target.partition("?")[0]
    if not path.startswith("/"):  # http://host/path, as clients of a forward proxy write it
        path = "/" + path.split("/", 3)[3]
    *before, rest = path.split("/", prefix.count("/"))
    if unquote_to_bytes("/".join(before) + "/") != prefix.encode():
        raise refused(400, "bad-key", f"The path before the key is not spelled {prefix}.")
    try:
        name = unquote_to_bytes(rest).decode()
    except UnicodeDecodeError as error:
        raise refused(400, "bad-key", "The key is not UTF-8.") from error
    if not 1 <= len(name) <= MAX_NAME_LENGTH:
        raise refused(400, "bad-key", f"A key has 1 to {MAX_NAME_LENGTH} characters, this one {len(name)}.")
    return name


def no_content() -> HTTPResponse:
    return HTTPResponse(status=204)
