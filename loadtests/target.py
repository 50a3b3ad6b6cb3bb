"""Is there anything to load? `python target.py URL` ends with 2 and says in one line why not."""

from __future__ import annotations

import json
import os
import ssl
import sys
from http.client import HTTPException
from http.cookiejar import CookieJar
from typing import Any
from urllib.request import HTTPCookieProcessor, HTTPSHandler, ProxyHandler, Request, build_opener

TIMEOUT_S = 5


def complaint_about(url: str) -> str | None:
    """Return why the deployment at this URL cannot be loaded, None if it can. Leaves one session there."""
    if not url.startswith(("http://", "https://")):
        return f"TARGET={url!r} is not a URL; try TARGET=http://127.0.0.1:8080"
    tls = ssl.create_default_context(cafile=os.environ.get("TARGET_CA") or None)
    # Never by a proxy, as Locust's visitors.
    browser = build_opener(HTTPCookieProcessor(CookieJar()), HTTPSHandler(context=tls), ProxyHandler({}))

    def ask(method: str, path: str) -> Any:
        with browser.open(Request(url.rstrip("/") + path, method=method), timeout=TIMEOUT_S) as answer:
            return json.load(answer)

    try:
        server = ask("GET", "/api/stateless")["server"]
        counts = [ask("POST", "/api/session/counters/target")["value"] for _ in range(2)]
        data = ask("GET", "/api/session")["data"]
    except (OSError, HTTPException) as error:
        return f"{url} does not answer: {error}; make up starts a deployment, TARGET= names another"
    except (ValueError, KeyError, TypeError) as error:
        return f"{url} answers, but does not speak the probe API ({type(error).__name__}: {error})"
    if not isinstance(server, str) or not isinstance(data, dict):
        return f"{url} answers, but does not speak the probe API (server {server!r}, data {data!r})"
    if counts != [1, 2]:
        # A write that is lost without any load is reported here. The load test would only repeat it.
        print(f"loadtest: two requests counted {counts}, not [1, 2]", file=sys.stderr)
    return None


if __name__ == "__main__":
    if complaint := complaint_about(sys.argv[1]):
        print(f"loadtest: {complaint}", file=sys.stderr)
        sys.exit(2)
