"""Which version of each store is pinned here, for the table of `make bench`."""

from __future__ import annotations

import json
import re
from pathlib import Path

RIVALS = Path(__file__).parent


def python_version(package: str) -> str:
    """Return the version of a Python package in requirements.lock, or raise KeyError if it is not there."""
    lock = (RIVALS / "requirements.lock").read_text()
    found = re.search(rf"^{re.escape(package)}==(\S+)", lock, re.MULTILINE)
    if found is None:
        raise KeyError(package)
    return found[1]


def node_version(package: str) -> str:
    """Return the version of an npm package in package-lock.json, or raise KeyError if it is not there."""
    packages = json.loads((RIVALS / "express" / "package-lock.json").read_text())["packages"]
    version: str = packages[f"node_modules/{package}"]["version"]
    return version
