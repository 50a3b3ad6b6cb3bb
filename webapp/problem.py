"""Errors as problem JSON (RFC 9457)."""

from __future__ import annotations

import json

from bottle import HTTPError

PROBLEM_JSON = "application/problem+json"


class Problem(HTTPError):
    """An answer that says what went wrong, to raise or to return from a route.

    kind is the short name of the problem, stable for programs to act on.
    """

    def __init__(
        self, status: int, kind: str, detail: str, *, key: str | None = None, **headers: str
    ) -> None:
        super().__init__(status, detail, **headers)
        self.kind = kind
        self.detail = detail
        self.key = key

    def to_json(self) -> str:
        """Return the problem document. `key` names the session's key at fault, where one is."""
        document: dict[str, object] = {
            "type": f"urn:hopproof:problem:{self.kind}",
            "title": self.kind,
            "status": self.status_code,
            "detail": self.detail,
        }
        if self.key is not None:
            document["key"] = self.key
        return json.dumps(document)
