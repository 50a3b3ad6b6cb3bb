"""Requests that a visitor could send, half of them nearly right; and bytes that went wrong on the way."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st

# The cases tried, by what they are. Here, because pytest loads conftest.py under a name of its own.
tried: Counter[str] = Counter()

METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"]
PATHS = [
    "/",
    "/cart",
    "/login",
    "/logout",
    "/end-session",
    "/logout-everywhere",
    "/api/session",
    "/api/stateless",
    "/api/login",
    "/api/logout",
    "/api/logout-everywhere",
    "/api/sessions",
    "/api/sessions/" + "a" * 64,
    "/api/session/data/",
    "/api/session/counters/",
    "/api/session/lists/",
    "/healthz",
    "/readyz",
    "/healthz/store",
    "/metrics",
]
NAMES = ["n", "list", "text", "cart", "visits", "", "..", "%", "a/b", "ü", "\x00", "x" * 129]
TYPES = [
    "application/x-www-form-urlencoded",
    "application/json",
    "multipart/form-data; boundary=B",
    "text/plain",
]

# As bytes, in the way that WSGI hands them over: one character for each byte.
raw = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=60)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    body: bytes
    headers: dict[str, str]

    @property
    def is_safe(self) -> bool:
        """Is it one that must not write? A visit of the page is the only GET that may."""
        return self.method in ("GET", "HEAD", "OPTIONS", "TRACE") and self.path.partition("?")[0] != "/"


names = st.sampled_from(NAMES).map(lambda name: quote(name, safe="")) | raw.map(
    lambda text: quote(text.encode("latin-1")) if "?" in text or "#" in text else text
)
paths = st.one_of(
    st.sampled_from(PATHS),
    st.builds(lambda path, name: path + name, st.sampled_from(PATHS), names),
    st.builds(lambda path, query: f"{path}?{query}", st.sampled_from(PATHS), raw),
    raw.map(lambda text: "/" + text),
)
forms = st.dictionaries(
    st.sampled_from(["user", "tea", "action", "key", "x"]),
    st.sampled_from(["ada", "Assam", "remove", "a" * 64, "\uffff", ""]) | st.text(max_size=70),
    max_size=5,
).map(lambda fields: "&".join(f"{n}={quote(v, errors='surrogatepass')}" for n, v in fields.items()).encode())
bodies = st.one_of(
    st.just(b""),
    forms,
    values.map(lambda value: json.dumps(value).encode()),
    st.builds(lambda user: json.dumps({"user": user}).encode(), values),
    st.binary(max_size=200),
    st.integers(65_530, 65_540).map(lambda size: b'"' + b"x" * size + b'"'),
)


def _headers(drawn: dict[str, Any]) -> dict[str, str]:
    return {name: value for name, value in drawn.items() if value is not None}


headers = st.fixed_dictionaries(
    {
        "CONTENT_TYPE": st.none() | st.sampled_from(TYPES) | raw,
        "HTTP_ACCEPT": st.none() | st.sampled_from(["text/html", "application/json"]) | raw,
        "HTTP_HOST": st.sampled_from(["localhost", "localhost:8080", "[::1]"]) | raw,
        "HTTP_ORIGIN": st.none()
        | st.sampled_from(["http://localhost", "null", "https://evil.example"])
        | raw,
        "HTTP_SEC_FETCH_SITE": st.none() | st.sampled_from(["same-origin", "cross-site", "none"]) | raw,
        "HTTP_SEC_PURPOSE": st.none() | st.just("prefetch") | raw,
        "HTTP_X_FORWARDED_PROTO": st.none() | st.sampled_from(["http", "https"]) | raw,
        "HTTP_IF_NONE_MATCH": st.none() | raw,
        "HTTP_RANGE": st.none() | st.just("bytes=0-1") | raw,
        "HTTP_TRANSFER_ENCODING": st.none() | st.just("chunked"),
    }
).map(_headers)
requests = st.builds(Request, st.sampled_from(METHODS), paths, bodies, headers)

# Cookie headers; {} stands for the visitor's own.
cookies = st.one_of(
    st.none(),
    st.just("{}"),
    st.sampled_from(
        ["session=" + "A" * 43, "session=junk; {}", "{}; session=" + "A" * 43, "session", "=;;", "session=é"]
    ),
    raw,
    raw.map(lambda text: "session=" + text),
)


@st.composite
def mangled(draw: st.DrawFn, streams: st.SearchStrategy[bytes]) -> bytes:
    """Return one of the streams, perhaps with bytes lost or changed."""
    stream = draw(streams)
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(stream)))
        stream = stream[:at] + draw(st.binary(max_size=3)) + stream[at + draw(st.integers(0, 3)) :]
    return stream
