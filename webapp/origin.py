"""Requests that another site makes a visitor's browser send.

SameSite=Lax keeps the cookie at home, but a login by another site's form would still put a new one in its
place. Browsers say where a request comes from; programs need not.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import events
from problem import refused

DEFAULT_PORTS = {"http": 80, "https": 443}


def check_origin(method: str, header: Callable[[str], str | None], scheme: str) -> None:
    """Refuse the request if another site sent it. Raises a 403 problem.

    header: returns a header of the request by its name. scheme: of the request, unless the balancer says it.
    """
    if method in ("GET", "HEAD", "OPTIONS"):
        return
    site, origin = header("Sec-Fetch-Site"), header("Origin")
    if site is None:  # an old browser, or a program
        scheme = header("X-Forwarded-Proto") or scheme
        is_ours = origin is None or is_same_origin(origin, f"{scheme}://{header('Host')}")
    else:
        is_ours = site in ("same-origin", "none")
    if not is_ours:
        events.record("refused-origin", origin=origin, site=site)
        raise refused(403, "cross-site", "Another site cannot change a session here.")


def is_same_origin(one: str, other: str) -> bool:
    """Say whether scheme, host and port are the same (RFC 6454). The port of a scheme may be left out."""
    try:
        parts = [urlsplit(origin) for origin in (one, other)]
        origins = [(url.scheme, url.hostname, url.port or DEFAULT_PORTS.get(url.scheme)) for url in parts]
    except ValueError:
        return False
    return None not in origins[0] and origins[0] == origins[1]
