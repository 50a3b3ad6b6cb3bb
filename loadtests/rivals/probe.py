"""The probe API on the session of any store: the part of it that all of them can do.

Counting and appending read the session and write it, as the documentation of each of these stores shows.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, MutableMapping
from typing import Any

from config import Config, read_config

SERVER = f"web-{socket.gethostname()}"

# For the signatures of a store. The same on every server; a constant, as nothing here is worth forging.
SECRET = "only for the comparison"


def database() -> Config:
    """The settings of the one database, read as the product reads them."""
    return read_config(os.environ)


def sqlalchemy_url() -> str:
    config = database()
    where = f"{config.db_user}:{config.db_password()}@{config.db_host}/{config.db_name}"
    # Without TLS, as ours: the driver would else use what the database offers.
    return f"mysql+pymysql://{where}?ssl_disabled=true"


def respond(
    method: str,
    path: str,
    body: bytes,
    session: MutableMapping[str, Any],
    login: Callable[[], None],
    logout: Callable[[], None],
) -> tuple[int, str]:
    """Return the status and the JSON text of an answer. Keys with a leading underscore are the framework's.

    login does the framework's steps for a visitor who gets more rights; logout ends the session.
    """
    match method, *path.split("/")[2:]:
        case "GET", "stateless":
            return 200, json.dumps({"server": SERVER})
        case "GET", "session":
            data = {key: value for key, value in session.items() if not key.startswith("_")}
            return 200, json.dumps({"server": SERVER, "user": session.get("_user"), "data": data})
        case "PUT", "session", "data", key:
            session[key] = json.loads(body)
            return 204, ""
        case "DELETE", "session", "data", key:
            session.pop(key, None)
            return 204, ""
        case "POST", "session", "counters", key:
            session[key] = session.get(key, 0) + 1
            return 200, json.dumps({"value": session[key]})
        case "POST", "session", "lists", key:
            session[key] = [*session.get(key, []), json.loads(body)]
            return 200, json.dumps({"length": len(session[key])})
        case "POST", "login":
            login()
            session["_user"] = json.loads(body)["user"]
            return 200, json.dumps({"user": session["_user"]})
        case "POST", "logout":
            logout()
            return 204, ""
    return 404, json.dumps({"status": 404})
