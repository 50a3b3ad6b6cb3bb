"""Log lines as JSON, with the balancer's request id, so that its log and ours can be joined."""

from __future__ import annotations

import json
import logging
import sys
from contextvars import ContextVar

from header import header

# Of the request under way, where the framework is not Bottle.
request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": _request_id(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps({name: value for name, value in line.items() if value is not None})


def to_stdout() -> None:
    """Send the log of this process, from level info on, to standard output as JSON lines."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def _request_id() -> str | None:
    try:
        return header("X-Request-ID")
    except RuntimeError:  # outside of Bottle's requests
        return request_id.get()
