"""The headers of a request, whatever their bytes are."""

from __future__ import annotations

from bottle import request


def header(name: str) -> str | None:
    """Return a header, None without it. Each byte is one character, as WSGI hands it over.

    Not Bottle's get_header: it raises on bytes that are not UTF-8, and the answer would be a 500.
    """
    variable = name.upper().replace("-", "_")
    value: str | None = request.environ.get(variable if variable == "CONTENT_TYPE" else f"HTTP_{variable}")
    return value
