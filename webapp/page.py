"""The page at /, on which a newcomer sees the hop."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

from bottle import Bottle, HTTPResponse, request, template

from body import checked_user, form
from header import header
from hopproof.handler import Json, Listed, SessionGone
from hopproof.session import Session
from hopproof.web import Problem
from logins import end_one, log_in, log_out, log_out_everywhere

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
MAX_COUNT = 10**9
TEAS = ("Assam", "Darjeeling", "Earl Grey", "Gunpowder", "Lapsang", "Sencha")


def add_page(app: Bottle, server: str) -> None:
    @app.get("/")
    def page(session: Session) -> str:
        try:
            if is_visit():
                # The one-line atomic read-modify-write: it runs again if another tab was faster.
                visits = session.modify("visits", lambda before: one_more(before, server), None)
            else:
                visits = one_more(session.get("visits"), server)
        except SessionGone:
            # Ended from another browser a moment ago: an anonymous visit, not saved under this cookie.
            visits, cart, user = one_more(None, server), {}, None
        else:
            cart, user = cart_of(session.get("cart")), session.user
        # Made with the page, not by a script that polls: polling would keep unused sessions alive.
        sessions = [] if user is None else in_order(session.all_of_user(), session.key)
        address = header("Host") or "localhost"
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
        fields = form()
        tea = fields.get("tea")
        if tea in TEAS:
            pieces = -1 if fields.get("action") == "remove" else 1
            session.modify("cart", lambda cart: with_tea(cart, tea, pieces), {})
        return back_to_page()

    @app.post("/login")
    def login(session: Session) -> HTTPResponse:
        log_in(session, checked_user(form().get("user", "").strip()))
        return back_to_page()

    @app.post("/logout")
    def logout(session: Session) -> HTTPResponse:
        log_out(session)
        return back_to_page()

    @app.post("/end-session")
    def end_session(session: Session) -> HTTPResponse:
        key = form().get("key", "")
        if session.user is not None and KEY.fullmatch(key):
            end_one(session, bytes.fromhex(key))
        return back_to_page()

    @app.post("/logout-everywhere")
    def logout_everywhere(session: Session) -> HTTPResponse:
        if session.user is not None:
            log_out_everywhere(session)
        return back_to_page()


def back_to_page() -> HTTPResponse:
    # Not Bottle's redirect(): it makes the address absolute, and behind TLS it does not know of https.
    return HTTPResponse(status=303, headers={"Location": "/"})


def is_visit() -> bool:
    """Say whether a person asks. HEAD is for programs, and a page fetched ahead may never be shown."""
    purpose = header("Sec-Purpose") or header("Purpose") or ""
    return request.method == "GET" and "prefetch" not in purpose.lower()


def one_more(before: Json, server: str) -> Any:
    visits = visits_of(before)
    return {"count": visits["count"] + 1, "trail": [*visits["trail"], server][-TRAIL_LENGTH:]}


def with_tea(before: Json, tea: str, pieces: int) -> Json:
    cart = cart_of(before)
    return {name: n for name, n in {**cart, tea: cart.get(tea, 0) + pieces}.items() if n > 0}


# The probe API may have stored anything under the page's names. The page goes on with what it understands.


def visits_of(stored: Json) -> dict[str, Any]:
    """Return the count of visits and their servers, both empty where something else is stored."""
    match stored:
        case {"count": int(count), "trail": list(trail)} if 0 <= count < MAX_COUNT:
            return {"count": int(count), "trail": [name for name in trail if isinstance(name, str)]}
    return {"count": 0, "trail": []}


def cart_of(stored: Json) -> dict[str, int]:
    """Return the packets by tea, without entries that are something else."""
    cart = stored if isinstance(stored, dict) else {}
    return {tea: n for tea, n in cart.items() if tea in TEAS and type(n) is int and 0 < n < MAX_COUNT}


def in_order(sessions: list[Listed], this: bytes | None) -> list[Listed]:
    """Return this session and then the others, the one that was used last first."""
    return sorted(sessions, key=lambda listed: (listed.key != this, listed.unused_s, listed.key))


def error_page(problem: Problem) -> str:
    """Return a problem as a page for a person."""
    return render("error", problem=problem)


def render(view: str, **values: Any) -> str:
    return template(view, template_lookup=LOOKUP, style=STYLE, icon=ICON, **values)
