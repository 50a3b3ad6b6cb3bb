"""The page at /, on which a newcomer sees the hop."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

from bottle import Bottle, HTTPResponse, request, template

from hopproof.handler import Json, Listed, SessionGone
from hopproof.session import Session
from hopproof.web import Problem
from probe import checked_user

VIEWS = Path(__file__).parent / "views"
LOOKUP = [str(VIEWS)]  # one list for good: Bottle caches templates by its identity
STYLE = (VIEWS / "style.css").read_text()
ICON = "data:image/svg+xml;base64," + base64.b64encode((VIEWS / "icon.svg").read_bytes()).decode()

# No script, and no inline style but ours.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; "
    f"style-src 'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'"
)

# A session's key in hexadecimal: the hash of its id, which names it and cannot be used as a cookie.
KEY = re.compile(r"[0-9a-f]{64}")

TRAIL_LENGTH = 12
TEAS = ("Assam", "Darjeeling", "Earl Grey", "Gunpowder", "Lapsang", "Sencha")


def add_page(app: Bottle, server: str) -> None:
    @app.get("/")
    def page(session: Session) -> str:
        try:
            # The one-line atomic read-modify-write: it runs again if another tab was faster.
            visits = session.modify(
                "visits", lambda before: one_more(before, server), {"count": 0, "trail": []}
            )
        except SessionGone:
            # Ended from another browser a moment ago: an anonymous visit, not saved under this cookie.
            visits, cart, user = one_more({"count": 0, "trail": []}, server), {}, None
        else:
            cart, user = session.get("cart", {}), session.user
        # Made with the page, not by a script that polls: polling would keep unused sessions alive.
        sessions = [] if user is None else in_order(session.all_of_user(), session.key)
        address = request.get_header("Host", "localhost")
        return render(
            "page",
            server=server,
            visits=visits,
            cart=cart,
            user=user,
            sessions=sessions,
            this=session.key,
            teas=TEAS,
            address=address,
        )

    @app.post("/cart")
    def change_cart(session: Session) -> HTTPResponse:
        tea = request.forms.getunicode("tea")
        if tea in TEAS:
            pieces = -1 if request.forms.get("action") == "remove" else 1
            session.modify("cart", lambda cart: with_tea(cart, tea, pieces), {})
        return back_to_page()

    @app.post("/login")
    def log_in(session: Session) -> HTTPResponse:
        session.login(checked_user(request.forms.getunicode("user", "").strip()))
        return back_to_page()

    @app.post("/logout")
    def log_out(session: Session) -> HTTPResponse:
        session.destroy()
        return back_to_page()

    @app.post("/end-session")
    def end_session(session: Session) -> HTTPResponse:
        key = request.forms.getunicode("key", "")
        if session.user is not None and KEY.fullmatch(key):
            session.destroy_one_of_user(bytes.fromhex(key))
        return back_to_page()

    @app.post("/logout-everywhere")
    def log_out_everywhere(session: Session) -> HTTPResponse:
        if session.user is not None:
            session.destroy_all_of_user()
        return back_to_page()


def back_to_page() -> HTTPResponse:
    # Not Bottle's redirect(): it makes the address absolute, and behind TLS it does not know of https.
    return HTTPResponse(status=303, headers={"Location": "/"})


def one_more(before: Any, server: str) -> Json:
    return {"count": before["count"] + 1, "trail": [*before["trail"], server][-TRAIL_LENGTH:]}


def with_tea(cart: Any, tea: str, pieces: int) -> Json:
    count = cart.get(tea, 0) + pieces
    return {name: n for name, n in {**cart, tea: count}.items() if n > 0}


def in_order(sessions: list[Listed], this: bytes | None) -> list[Listed]:
    """Return this session and then the others, the one that was used last first."""
    return sorted(sessions, key=lambda listed: (listed.key != this, listed.unused_s, listed.key))


def error_page(problem: Problem) -> str:
    """Return a problem as a page for a person."""
    return render("error", problem=problem)


def render(view: str, **values: Any) -> str:
    return template(view, template_lookup=LOOKUP, style=STYLE, icon=ICON, **values)
