"""One browser after the other: makes the sessions that the load goes to, and looks at them afterwards.

`visit.py make HOST FOLDER` leaves FOLDER/spread and FOLDER/one, a Cookie header per line.
`visit.py ask HOST FOLDER METHOD PATH N` makes N requests, session by session.
`visit.py look HOST FOLDER` prints {"counts": {"spread": n, "one": n}, "broken": n} as JSON: the sum of the
counters, and the number of sessions that differ from the values put in.
"""

from __future__ import annotations

import http.client
import json
import sys
import time
from pathlib import Path
from typing import Any

SPREAD = 64
USER = "ada@example.org"
# A small session of a shop: some 400 bytes of JSON.
CART = [
    {"sku": f"A-{1000 + number}", "name": "A thing with an ordinary name", "quantity": number, "cents": 1999}
    for number in range(1, 6)
]


class Browser:
    """A browser with one cookie; fails on any answer that is not 200 or 204."""

    def __init__(self, host: str, cookie: str = "") -> None:
        self._connection = http.client.HTTPConnection(host, timeout=10)
        self.cookie = cookie

    def ask(self, method: str, path: str, value: object = None) -> Any:
        body = None if value is None else json.dumps(value)
        headers = {"Cookie": self.cookie} if self.cookie else {}
        if value is not None:
            headers["Content-Type"] = "application/json"
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status not in (200, 204):
            raise SystemExit(f"{method} {path}: {answer.status} {text[:200]!r}")
        # The last of a name counts: PHP and Flask may send the old id and the new one.
        for header in answer.headers.get_all("Set-Cookie") or ():
            if header.startswith("session="):
                self.cookie = header.partition(";")[0]
        return json.loads(text) if text else None


def make(host: str, folder: Path) -> None:
    wait(host)
    folder.mkdir(parents=True)
    cookies = []
    for _ in range(SPREAD + 1):
        browser = Browser(host)
        browser.ask("PUT", "/api/session/data/cart", CART)
        browser.ask("POST", "/api/login", {"user": USER})
        browser.ask("POST", "/api/session/counters/n")
        cookies.append(browser.cookie)
    (folder / "spread").write_text("".join(f"{cookie}\n" for cookie in cookies[:SPREAD]))
    (folder / "one").write_text(f"{cookies[SPREAD]}\n")


def wait(host: str, deadline_s: float = 40) -> None:
    ends = time.monotonic() + deadline_s
    while True:
        try:
            Browser(host).ask("GET", "/api/stateless")
            return
        except (OSError, http.client.HTTPException, SystemExit) as error:
            if time.monotonic() > ends:
                raise SystemExit(f"{host} did not answer within {deadline_s:.0f} s: {error}") from error
        time.sleep(0.2)


def ask(host: str, folder: Path, method: str, path: str, requests: str) -> None:
    cookies = (folder / "spread").read_text().splitlines()
    browser = Browser(host)
    for number in range(int(requests)):
        browser.cookie = cookies[number % SPREAD]
        browser.ask(method, path)


def look(host: str, folder: Path) -> None:
    counts, broken, browser = {}, 0, Browser(host)
    for name in ("spread", "one"):
        counts[name] = 0
        for browser.cookie in (folder / name).read_text().splitlines():
            session = browser.ask("GET", "/api/session")
            data = session["data"]
            broken += session["user"] != USER or data.get("cart") != CART
            counts[name] += data.get("n", 0)
    print(json.dumps({"counts": counts, "broken": broken}))


if __name__ == "__main__":
    verb, host, folder, *rest = sys.argv[1:]
    {"make": make, "ask": ask, "look": look}[verb](host, Path(folder), *rest)
