"""The body of a request as a JSON value or a form, and the name of a user. Anything else is a 4xx problem."""

from __future__ import annotations

from urllib.parse import parse_qsl

from bottle import request

from header import header
from hopproof.handler import Json
from hopproof.ijson import NotIJson, check, parse
from hopproof.limits import MAX_BYTES, MAX_USER_BYTES
from problem import refused

MAX_BODY_BYTES = MAX_BYTES
MAX_FIELDS = 20


def json_body() -> Json:
    """Return the value in the request's body. Raises a 400 or 413 problem."""
    return json_value(_body())


def json_value(body: bytes) -> Json:
    """Return the value that a body holds. Raises a 400 problem."""
    try:
        return parse(body)
    except NotIJson as error:
        raise refused(400, "not-i-json", f"The body is refused: {error}.") from error


def form() -> dict[str, str]:
    """Return the fields of the form in the body, the last of each name. Raises a 400 or 413 problem.

    Not Bottle's request.forms: its errors are no answers, and it takes bytes that are not UTF-8.
    """
    kind = (header("Content-Type") or "").partition(";")[0].strip().lower()
    body = _body()
    if body and kind != "application/x-www-form-urlencoded":
        raise refused(400, "bad-form", "A form is sent as application/x-www-form-urlencoded.")
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise refused(400, "bad-form", "The form is not UTF-8, or has too many fields.") from error
    return dict(fields)


def checked_user(name: Json) -> str:
    """Return the name of a user. Raises a 400 problem."""
    try:
        check(name)
    except NotIJson as error:
        raise refused(400, "bad-user", f"The name of a user is refused: {error}.") from error
    if not isinstance(name, str) or not 1 <= len(name.encode()) <= MAX_USER_BYTES:
        raise refused(400, "bad-user", f"A user is a name of 1 to {MAX_USER_BYTES} bytes of UTF-8.")
    return name


def _body() -> bytes:
    check_length(request.content_length)
    body: bytes = request.body.read(MAX_BODY_BYTES + 1)
    check_length(len(body))
    return body


def check_length(length: int) -> None:
    """Refuse a body of so many bytes if it is too large. Raises a 413 problem."""
    if length > MAX_BODY_BYTES:
        raise refused(413, "too-large", f"A body has at most {MAX_BODY_BYTES} bytes.")
