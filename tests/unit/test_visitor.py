"""The visitor's reading of an answer's cookie."""

from __future__ import annotations

import pytest

from verify.history import operation_of
from verify.visitor import Answer


@pytest.mark.parametrize(
    ("set_cookie", "seen"),
    [
        (None, "kept"),
        ("session=abc; HttpOnly; Path=/; SameSite=Lax", "set"),
        ("session=abc; Max-Age=3600; Path=/", "set"),
        ("session=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/", "cleared"),
        ('session=""; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=-1; Path=/', "cleared"),
        ("session=deleted; expires=Thu, 01 Jan 1970 00:00:01 GMT; Max-Age=0; path=/", "cleared"),
    ],
    ids=["none", "for the browser", "lasting", "ours", "Bottle's", "PHP's"],
)
def test_a_cookie_is_kept_set_or_cleared_in_every_spelling(set_cookie, seen):
    answer = Answer("POST", "/", 204, "web-1", set_cookie=set_cookie)
    operation = operation_of(
        answer, None, role="r", visitor="v", visit="v.0", tab=0, act="logout", key=None, value=None
    )

    assert operation.cookie == seen
