"""The probe API, and the headers of every answer. It knows sessions as dicts, and no store."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

from bottle import Bottle, HTTPError, HTTPResponse, request, response
from prometheus_client import CONTENT_TYPE_LATEST

from hopproof.bottle import SessionPlugin
from hopproof.handler import Json, Listed
from hopproof.ijson import NotIJson, parse
from hopproof.limits import MAX_BYTES
from hopproof.session import Session
from hopproof.web import PROBLEM_JSON, Problem
from metrics import Metrics
from page import CONTENT_SECURITY_POLICY, add_page, checked_user, error_page
from problem import ProblemError, refused

MAX_BODY_BYTES = MAX_BYTES
MAX_NAME_LENGTH = 128


def build_app(
    plugin: SessionPlugin,
    server: str,
    is_draining: Callable[[], bool],
    store_answers: Callable[[], bool],
    metrics: Metrics,
) -> Callable[..., Iterable[bytes]]:
    """Return the WSGI application that calls itself `server` in every answer, and counts what it answers."""
    app = Bottle()
    app.install(plugin)
    add_probe_api(app, server)
    add_health(app, server, is_draining, store_answers)
    add_metrics(app, metrics, store_answers)
    add_page(app, server)
    app.add_hook("before_request", refuse_cross_site)
    app.default_error_handler = show_error  # type: ignore[method-assign]
    return signed(app, server, metrics.count_request)


# The probe API, for harness, load test and benchmark


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
        session.login(checked_user(name))
        return {"user": name}

    @app.post("/api/logout")
    def logout(session: Session) -> HTTPResponse:
        session.destroy()
        return no_content()

    @app.post("/api/logout-everywhere")
    def logout_everywhere(session: Session) -> dict[str, Json]:
        require_login(session)
        return {"ended": session.destroy_all_of_user()}

    @app.get("/api/sessions")
    def list_sessions(session: Session) -> dict[str, Json]:
        require_login(session)
        return {"sessions": [in_list(listed, session) for listed in session.all_of_user()]}

    # A key is the hash of an id: it names a session to its user, and cannot be used as a cookie.
    @app.delete("/api/sessions/<key:re:[0-9a-f]{64}>")
    def end_session(key: str, session: Session) -> HTTPResponse:
        require_login(session)
        if not session.destroy_one_of_user(bytes.fromhex(key)):
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


def json_body() -> Json:
    """Return the value in the request's body. Raises a 400 or 413 problem."""
    if request.content_length > MAX_BODY_BYTES:
        raise body_too_large()
    body = request.body.read(MAX_BODY_BYTES + 1)
    if len(body) > MAX_BODY_BYTES:
        raise body_too_large()
    try:
        return parse(body)
    except NotIJson as error:
        raise refused(400, "not-i-json", f"The body is refused: {error}.") from error


def body_too_large() -> ProblemError:
    return refused(413, "too-large", f"A body has at most {MAX_BODY_BYTES} bytes.")


def name_in_path(prefix: str) -> str:
    """Return the percent-decoded path after the prefix. Raises a 400 problem.

    From the raw path: Bottle drops bytes that are not UTF-8, and so mistakes one name for another.
    """
    path = request.environ["RAW_URI"].partition("?")[0]
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


# For the balancer and for people


def add_health(
    app: Bottle, server: str, is_draining: Callable[[], bool], store_answers: Callable[[], bool]
) -> None:
    @app.get("/healthz")
    def alive() -> dict[str, Json]:
        return {"server": server}

    @app.get("/readyz")
    def ready() -> dict[str, Json]:
        # Never asks the database: a dependency that all servers share must not take them all out.
        if is_draining():
            raise refused(404, "draining", "This server finishes what it has and takes nothing new.")
        return {"server": server}

    @app.get("/healthz/store")
    def store() -> dict[str, Json]:
        if not store_answers():
            raise refused(503, "store-unavailable", "The session table does not answer.", retry_after_s=1)
        return {"server": server}


def add_metrics(app: Bottle, metrics: Metrics, store_answers: Callable[[], bool]) -> None:
    @app.get("/metrics")
    def show_metrics() -> bytes:
        # The balancer refuses visitors this exact path. Bottle would take other spellings of it, too.
        if request.environ["RAW_URI"] != "/metrics":
            raise refused(404, "not-found", "Spell it /metrics.")
        response.content_type = CONTENT_TYPE_LATEST
        return metrics.exposition(store_answers())


# Every answer


def show_error(error: HTTPError) -> str:
    """Return the body of an error: a page for a person, problem JSON for a program."""
    if isinstance(error, ProblemError):
        problem = error.problem
    else:
        title = error.status_line.partition(" ")[2].lower().replace(" ", "-")
        problem = Problem(error.status_code, title, str(error.body))
    wants_page = "text/html" in request.get_header("Accept", "") and not request.path.startswith("/api/")
    response.content_type = "text/html; charset=UTF-8" if wants_page else PROBLEM_JSON
    return error_page(problem) if wants_page else problem.to_json()


def refuse_cross_site() -> None:
    """Refuse a request that another site makes a visitor's browser send. Raises a 403 problem.

    SameSite=Lax keeps the cookie at home, but a login by another site's form would still
    put a new one in its place. Browsers say where a request comes from; programs need not.
    """
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    site = request.get_header("Sec-Fetch-Site")
    if site is None:  # an old browser, or a program
        origin = request.get_header("Origin")
        is_ours = origin is None or origin.partition("://")[2] == request.get_header("Host")
    else:
        is_ours = site in ("same-origin", "none")
    if not is_ours:
        raise refused(403, "cross-site", "Another site cannot change a session here.")


def unchunk(environ: dict[str, Any]) -> None:
    """Give a chunked body a length. gunicorn has joined the chunks, and Bottle would try to do so again."""
    if "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
        del environ["HTTP_TRANSFER_ENCODING"]
        body = environ["wsgi.input"].read(MAX_BODY_BYTES + 1)
        environ["wsgi.input"] = BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))


def signed(
    app: Bottle, server: str, count_request: Callable[[dict[str, Any], str, float], None]
) -> Callable[..., Iterable[bytes]]:
    """Return the application with the server's name, and limits for browsers, on every answer.

    Around Bottle and not a hook in it: no answer gets past this, uncounted.
    """
    signature = [
        ("X-Served-By", server),
        ("Cache-Control", "no-store"),
        ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "same-origin"),
    ]

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        began = time.perf_counter()
        unchunk(environ)

        def start_signed(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            # The route has run: Bottle starts an answer only when it is complete.
            count_request(environ, status, time.perf_counter() - began)
            # no-store is stricter than the session's private.
            others = [header for header in headers if header[0] != "Cache-Control"]
            return start_response(status, [*others, *signature], exc_info)

        return app(environ, start_signed)

    return application
