"""`hopproof`: the sessions table for operators.

It knows sessions by their keys, the SHA-256 of the ids in the visitors' cookies. Nothing in the table, and so
nothing that is printed here, can be used as a cookie.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress

from config import ConfigError, read_config
from hopproof.handler import SessionError
from hopproof.limits import MAX_USER_BYTES
from hopproof_operator import commands
from hopproof_operator.operator import Operator, Refused

FINE, SOME_BROKEN, UNUSABLE, INTERRUPTED, PIPE_CLOSED = 0, 1, 2, 130, 141

UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
UNITS_BYTES = {"b": 1, "k": 1024, "m": 1024**2}


def main(arguments: Sequence[str] | None = None, env: Mapping[str, str] = os.environ) -> int:
    """Carry out one command and return the exit code."""
    options = parser().parse_args(arguments)
    # The log of the handlers goes to the person who typed the command, too.
    logging.basicConfig(format="hopproof: %(message)s", level=logging.INFO, force=True)
    try:
        return run(options, env)
    except (ConfigError, Refused, SessionError) as error:
        print(f"hopproof: {error}", file=sys.stderr)
        return error.exit_code if isinstance(error, Refused) else UNUSABLE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Otherwise Python complains at exit that it cannot flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED


def run(options: argparse.Namespace, env: Mapping[str, str]) -> int:
    config = read_config(env)
    if config.store == "memcached":
        raise Refused("STORE=memcached keeps sessions in memcached alone, which cannot list them")
    operator = Operator(config, env)
    options.command(operator, options)
    sys.stdout.flush()
    if operator.broken:
        rows = "1 row breaks" if operator.broken == 1 else f"{operator.broken} rows break"
        print(f"hopproof: {rows} the row contract, see docs/row-contract.md", file=sys.stderr)
    return SOME_BROKEN if operator.broken else FINE


def parser() -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser(
        prog="hopproof",
        description="Look at the sessions table, end sessions, clean.",
        epilog="A session is named by its key, the SHA-256 of the id in the visitor's cookie, or by the "
        "first digits of the key. Nothing shown here can be used as a cookie. Exit codes: "
        "1 rows that break the row contract, or no such session; 2 not understood, or no database.",
    )
    verbs = whole.add_subparsers(metavar="COMMAND", required=True)

    listing = verbs.add_parser("list", help="the sessions, one a line, in the order of their keys")
    listing.add_argument("--user", type=user, help="only those of this user")
    listing.add_argument(
        "--older", type=seconds, metavar="TIME", help="only those that are older: 90s, 15m, 2h, 3d"
    )
    listing.add_argument(
        "--idle", type=seconds, metavar="TIME", help="only live ones that were not used for so long"
    )
    listing.add_argument("--larger", type=size_in_bytes, metavar="SIZE", help="only larger ones: 500, 4k, 1m")
    listing.add_argument("--json", action="store_true", help="JSON lines, keys and names in full")
    listing.set_defaults(command=commands.list_rows)

    show = verbs.add_parser("show", help="one session as JSON, the values redacted")
    show.add_argument("key", type=key_or_prefix, metavar="KEY")
    show.add_argument("--values", action="store_true", help="the values, too")
    show.set_defaults(command=commands.show)

    end = verbs.add_parser("end", help="end sessions; their visitors are logged out")
    which = end.add_mutually_exclusive_group(required=True)
    which.add_argument("key", type=key_or_prefix, metavar="KEY", nargs="?")
    which.add_argument("--user", type=user, help="all of this user")
    which.add_argument("--all", action="store_true", help="all sessions; a login meanwhile may survive")
    end.add_argument("--yes", action="store_true", help="do not ask")
    end.set_defaults(command=commands.end)

    stats = verbs.add_parser("stats", help="counts, users, ages, idle times and sizes")
    stats.add_argument("--json", action="store_true", help="the same for a program")
    stats.set_defaults(command=commands.stats)

    export = verbs.add_parser("export", help="everything as JSON lines, values included")
    export.add_argument("--user", type=user, help="only those of this user")
    export.set_defaults(command=commands.export)

    clean = verbs.add_parser("clean", help="remove what has expired, at any hour and without a grace")
    when = clean.add_mutually_exclusive_group(required=True)
    when.add_argument("--dry-run", action="store_true", help="only say how many")
    when.add_argument("--now", action="store_true")
    clean.set_defaults(command=commands.clean)

    watch = verbs.add_parser("watch", help="the figures, once a second (Ctrl-C ends)")
    watch.set_defaults(command=commands.watch)
    return whole


def key_or_prefix(text: str) -> str:
    if re.fullmatch(r"[0-9a-fA-F]{4,64}", text, re.ASCII):
        return text.lower()
    raise argparse.ArgumentTypeError(f"{text!r} is no key: 4 to 64 hexadecimal digits, as list shows them")


def user(text: str) -> str:
    with suppress(UnicodeEncodeError):
        if 1 <= len(text.encode()) <= MAX_USER_BYTES:
            return text
    raise argparse.ArgumentTypeError(f"{text!r} is no user: 1 to {MAX_USER_BYTES} bytes of UTF-8")


def seconds(text: str) -> int:
    return _measured(text, UNITS_S, "s", "no time; try 90s, 15m, 2h or 3d")


def size_in_bytes(text: str) -> int:
    return _measured(text, UNITS_BYTES, "b", "no size; try 500, 4k or 1m")


def _measured(text: str, units: Mapping[str, int], usual: str, otherwise: str) -> int:
    found = re.fullmatch(rf"([0-9]{{1,9}})([{''.join(units)}]?)", text.lower(), re.ASCII)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is {otherwise}")
    return int(found[1]) * units[found[2] or usual]


if __name__ == "__main__":
    # The first process of a container has no default for SIGTERM.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    sys.exit(main())
