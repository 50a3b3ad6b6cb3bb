"""Any row that another program writes: its visitor gets an answer or session-broken, and no server breaks."""

from __future__ import annotations

import hashlib
import json
import secrets

from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.drawn import tried, values
from verify.deployment import Deployment

# In one example, because a statement as the administrator takes as long as some ten requests.
ROWS = 25

ASKED = [("GET", "/api/session"), ("POST", "/api/session/counters/n"), ("GET", "/")]
times = st.sampled_from([-7200, -1, 0, 1, 600, 7200, 2**40])
data = st.dictionaries(st.sampled_from(["n", "cart", "visits", "list", "", "ü"]), values, max_size=4) | values
row = st.tuples(
    data, st.sampled_from([0, 1, 2, 2**32 - 1]), st.none() | st.binary(max_size=64), times, times, times
)


def insertion(session_id: str, drawn: tuple[object, ...]) -> str:
    """Return the values of a row in SQL; the text of the data as bytes in hexadecimal."""
    stored, version, user, created, expires, absolute = drawn
    key = hashlib.sha256(session_id.encode()).hexdigest()
    text = json.dumps(stored, allow_nan=False).encode().hex()
    name = "NULL" if user is None else f"X'{user.hex()}'"  # type: ignore[attr-defined]
    at = ", ".join(f"UNIX_TIMESTAMP() + {seconds}" for seconds in (created, expires, absolute))
    return f"(X'{key}', CONVERT(X'{text}' USING utf8mb4), {version}, {name}, {at})"


def is_storable(drawn: tuple[object, ...]) -> bool:
    """Say whether MySQL's JSON takes the data: no NaN, and no half of a character."""
    try:
        json.dumps(drawn[0], allow_nan=False, ensure_ascii=False).encode()
    except ValueError:
        return False
    return True


def test_any_row_is_answered_or_told_to_be_broken(deployment: Deployment) -> None:
    # Each example has many rows, so few do.
    @settings(max_examples=max(1, settings().max_examples // 30))
    @given(st.lists(row.filter(is_storable), min_size=ROWS, max_size=ROWS))
    def try_rows(rows: list[tuple[object, ...]]) -> None:
        ids = [secrets.token_urlsafe(32) for _ in rows]
        inserted = ", ".join(insertion(*pair) for pair in zip(ids, rows, strict=True))
        columns = "id, data, version, `user`, created_at, expires_at, absolute_at"
        deployment.sql(f"INSERT INTO sessions ({columns}) VALUES {inserted}")
        for session_id in ids:
            tried["rows of another program"] += 1
            visitor = deployment.visitor_with(session_id)
            for method, path in ASKED:
                answer = visitor.ask(method, path)
                told = answer.body.get("title") if isinstance(answer.body, dict) else None
                assert answer.status < 500 or (answer.status, told) == (500, "session-broken"), answer
            visitor.leave()

    try_rows()
    assert "Traceback" not in deployment.logs("web")
    deployment.sql("DELETE FROM sessions")
