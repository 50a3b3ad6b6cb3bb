"""A deployment that is not ours, as a small file describes it: `make verify TARGET=file`.

docs/your-deployment.md says what the file holds. What it declares absent is not judged, with its reason.
"""

from __future__ import annotations

import ipaddress
import re
import subprocess
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import docker
from docker.models.containers import Container

from verify.deployment import until
from verify.guarantees import GUARANTEES
from verify.kinds import kinds_for
from verify.probe import PARTS, REQUESTS, Probe, Request
from verify.subject import Subject
from verify.visitor import Visitor

ROLES = ("server", "balancer", "database", "cache")
# Features that may be absent besides acts, and the guarantees that then say nothing.
FEATURES = {"hops": ("G9",), "refusals": ()}
TABLE = ("command", "expire", "count")
BUDGET = ("wait_s", "lost_s")
FAULT = ("title", "command", "heal", "hold_s", "errors", "takes", *BUDGET)
KEYS = (
    *("url", "ca", "owner_agrees", "cookie", "server_header", "balancer", "idle_timeout_s", "error_within_s"),
    *("absent", "requests", "answers", "containers", "faults", "table"),
)
# A session that ends by age is waited for, if that takes no longer.
LONGEST_WAIT_S = 10
# As long as trial.py lets any fault last.
LONGEST_HOLD_S = 20
# Requests in which every server has answered, by round-robin or by chance.
ASKS = 30


class BadTarget(ValueError):
    """The file cannot be used. The message says which entry, and what may stand there."""


def read(path: Path) -> Target:
    """Return the target of a file. Raises BadTarget."""
    try:
        described = tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise BadTarget(f"{path}: {error}") from error
    try:
        return Target(described, path.parent)
    except BadTarget as error:
        raise BadTarget(f"{path}: {error}") from None


class Target(Subject):
    """Judged from outside, and by its containers and its table as far as the file names them."""

    def __init__(self, described: Mapping[str, Any], folder: Path = Path()) -> None:
        known(described, KEYS, "")
        url = described.get("url")
        parts = urlsplit(url if isinstance(url, str) else "")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadTarget(f"url is {url!r}; it has to be an address such as http://127.0.0.1:3000")
        self.is_local = is_loopback(parts.hostname)
        if not self.is_local and described.get("owner_agrees") is not True:
            raise BadTarget(
                f"{parts.hostname} is not this machine. A run sends some 400 requests a second for minutes: "
                "ask its owner, then set owner_agrees = true"
            )
        ca = described.get("ca")
        self.absent = _absent(described.get("absent", {}))
        super().__init__(
            str(url).rstrip("/"), ca and str(folder / ca), _probe(described, frozenset(self.absent))
        )
        # Elsewhere: at most 24 visitors at once, and ten minutes.
        self.takes_arrivals = self.is_local
        self.ends_after_s = None if self.is_local else 600
        self.remembers_the_dead = "refusals" not in self.absent
        self.error_within_s = _number(described, "error_within_s", 0.1, 60)
        self._idle_timeout_s = _number(described, "idle_timeout_s", 1, LONGEST_WAIT_S)
        self._roles = _roles(described.get("containers", {}))
        self._table = _table(described.get("table", {}))
        # As they are described. anybody.py makes them faults.
        self.faults = _faults(described.get("faults", {}))
        self.folder = folder
        self.not_judged = self._not_judged()
        self._names: set[str] = set()

    def _not_judged(self) -> dict[str, str]:
        found = {"G8": "the file does not say how rows are planted and cleaned"}
        if not any(fault.keys() & {*BUDGET} for fault in self.faults.values()):
            found["G10"] = "the file sets no budget"
        if not self.probe.server_header:
            found["G9"] = "no answer says which server gave it"
        for feature, reason in self.absent.items():
            found |= dict.fromkeys(FEATURES.get(feature, ()), reason)
        come = kinds_for(self).keys()
        for name, guarantee in GUARANTEES.items():
            if not come & set(guarantee.roles):
                found[name] = "; ".join(self.absent.values()) or "no session ends by age"
        return found

    def declared(self) -> list[str]:
        """Return what will not be judged, or only in part, and why, a line each."""
        by_number = sorted(self.not_judged.items(), key=lambda item: int(item[0][1:]))
        said = [f"{name} n/a: {reason}" for name, reason in by_number]
        said += [f"without {feature}: {reason}" for feature, reason in self.absent.items()]
        if "expire" not in self.acts:
            said.append("no session ends by age: the file has no table.expire, and no short idle_timeout_s")
        if not self.counts_rows:
            said.append("what reading leaves behind is not counted: the file has no table.count")
        if roles := [role for role in ROLES if role not in self._roles]:
            said.append(f"no fault strikes {', '.join(roles)}: containers names none")
        return said

    def check(self) -> None:
        """Ask everything once, undisturbed. Raises BadTarget for what does not answer as the file says."""
        for role in self._roles:
            try:
                self.containers(role)
            except (AssertionError, docker.errors.DockerException) as error:
                raise BadTarget(f"containers.{role}: {error}") from error
        visitor = self.visitor()
        try:
            self._ask_everything(visitor)
        finally:
            visitor.leave()

    def _ask_everything(self, visitor: Visitor) -> None:
        def expect(act: str, told: object, *given: Any) -> None:
            answer = visitor.act(act, *given)
            request = self.probe.requests[act]
            asked = f"{act} ({request.method} {self.url}{request.path})"
            if answer.outcome != "ok":
                what = f"{answer.status} {answer.body}" if answer.status else answer.body
                raise BadTarget(f"{asked} answered {str(what)[:300]}")
            found = {name: answer.body[name] for name in told} if isinstance(told, dict) else None
            if isinstance(told, dict) and found != told:
                raise BadTarget(f"{asked} told {found}, where {told} is expected")

        def offered(*acts: str) -> bool:
            return self.probe.acts.issuperset(acts)

        data: dict[str, Any] = {"n": 2}
        expect("add", {"value": 1}, "n")
        if visitor.session_id is None:
            raise BadTarget(f"no cookie named {visitor.cookie} came with a new session: set cookie")
        expect("add", {"value": 2}, "n")
        if offered("set"):
            expect("set", None, "last", "a|1")
            data["last"] = "a|1"
        if offered("append"):
            expect("append", {"length": 1}, "items", "a|1")
            data["items"] = ["a|1"]
        expect("read", {"data": data, "user": None})
        if offered("remove", "set"):
            expect("remove", None, "last")
            del data["last"]
        if offered("login"):
            expect("login", None, None, "a")
            expect("read", {"data": data, "user": "a"})
        if offered("stateless"):
            expect("stateless", None)
        if offered("logout"):
            expect("logout", None)
            expect("read", {"data": {}, "user": None})
        if self.counts_rows:
            self.count_rows()

    @property
    def counts_rows(self) -> bool:
        return bool(self._table.get("count"))

    @property
    def acts(self) -> frozenset[str]:
        can_expire = self._table.get("expire") or self._idle_timeout_s
        return self.probe.acts | ({"expire"} if can_expire else set())

    @property
    def services(self) -> set[str]:
        return set(self._roles)

    def containers(self, role: str) -> list[Container]:
        """The containers of a role, stopped ones included, oldest first. Raises AssertionError for none."""
        client = docker.from_env()
        found = []
        for one in self._roles[role]:
            if one.startswith("label:"):
                labels = [label.removeprefix("label:") for label in one.split()]
                found += client.containers.list(all=True, filters={"label": labels})
            else:
                found.append(client.containers.get(one))
        assert found, f"there is no container for {role} = {self._roles[role]}"
        return sorted(found, key=lambda container: container.attrs["Created"])

    def server_names(self) -> set[str]:
        return set(self._names)

    def make_whole(self) -> None:
        self.thaw()
        expected = len(self.containers("server")) if "server" in self._roles else 0
        visitor = self.visitor()

        def names_of_all() -> bool:
            """Ask so often that every server answers, all of them well."""
            answers = [visitor.act("stateless" if "stateless" in self.acts else "read") for _ in range(ASKS)]
            names = {answer.server for answer in answers} & visitor.servers
            if not all(answer.outcome == "ok" for answer in answers):
                return False
            if self.probe.server_header and len(names) < expected:
                return False
            self._names = names
            return True

        def keeps_a_session() -> bool:
            """Answer a new visitor, whose session is in the store."""
            with_session = self.visitor()
            kept = with_session.add("n").outcome == "ok" and with_session.show().outcome == "ok"
            with_session.leave()
            return kept

        until(names_of_all, f"good answers of {expected or 'the'} servers", 90, rest_s=0.5)
        until(keeps_a_session, "a session of a new visitor", 90, rest_s=0.5)
        visitor.leave()
        self.servers = len(self._names) if "G9" not in self.not_judged else 0

    def thaw(self) -> None:
        """Start and unpause every container that stands still."""
        for role in self._roles:
            for container in self.containers(role):
                if container.status == "paused":
                    container.unpause()
                elif container.status != "running":
                    container.start()

    def expire(self, session_id: str, wait: Callable[[float], bool]) -> bool:
        statement = self._table.get("expire")
        if statement is None:
            assert self._idle_timeout_s is not None
            return not wait(self._idle_timeout_s + 1)
        return self._run_sql(statement.replace("{id}", session_id.replace("'", "''"))) is not None

    def count_rows(self) -> int:
        """Return the number of sessions in the table. Raises AssertionError."""
        said = self._run_sql(self._table["count"])
        assert said, f"table.command failed with {self._table['count']!r}"
        return int(said)

    def _run_sql(self, statement: str) -> str | None:
        """Return what the command says to a statement, None if it failed."""
        done = subprocess.run(
            self._table["command"], input=statement, capture_output=True, text=True, timeout=60, check=False
        )
        return None if done.returncode else done.stdout


def is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def known(described: Mapping[str, Any], names: tuple[str, ...], where: str) -> None:
    """Raise BadTarget for an entry that there is not."""
    if not isinstance(described, dict):
        raise BadTarget(f"{where} is {described!r}, not a table")
    if unknown := [name for name in described if name not in names]:
        raise BadTarget(f"there is no {where}{' and no '.join(unknown)}; there are: {' '.join(names)}")


def _absent(described: Mapping[str, Any]) -> dict[str, str]:
    known(described, (*REQUESTS, *FEATURES), "absent.")
    for name, reason in described.items():
        if name in ("read", "add"):
            raise BadTarget(f"absent.{name}: without it there is nothing to judge")
        if not isinstance(reason, str) or not reason:
            raise BadTarget(f"absent.{name} is {reason!r}; it has to be the reason, a text")
    return dict(described)


def _probe(described: Mapping[str, Any], absent: frozenset[str]) -> Probe:
    spelled = described.get("requests", {})
    known(spelled, tuple(REQUESTS), "requests.")
    requests = dict(REQUESTS)
    for act, request in spelled.items():
        known(request, ("method", "path", "json", "form"), f"requests.{act}.")
        try:
            requests[act] = Request(**{"json": ..., **request})
        except TypeError as error:
            raise BadTarget(f"requests.{act}: method and path are needed") from error
    parts = described.get("answers", {})
    known(parts, tuple(PARTS), "answers.")
    for part, pointer in parts.items():
        if not isinstance(pointer, str) or pointer[:1] not in ("", "/"):
            raise BadTarget(f"answers.{part} is {pointer!r}; it has to be a JSON Pointer such as /data")
    texts = {name: described[name] for name in ("server_header", "balancer") if name in described}
    cookie = described.get("cookie", "session")
    return Probe(cookie, requests=requests, parts=PARTS | parts, absent=absent & set(REQUESTS), **texts)


def _roles(described: Mapping[str, Any]) -> dict[str, list[str]]:
    known(described, ROLES, "containers.")
    found = {role: [who] if isinstance(who, str) else who for role, who in described.items()}
    for role, who in found.items():
        if not isinstance(who, list) or not who or not all(isinstance(one, str) for one in who):
            raise BadTarget(f"containers.{role} is {who!r}; it has to be names, or label:name=value")
    return found


def _table(described: Mapping[str, Any]) -> dict[str, Any]:
    known(described, TABLE, "table.")
    if described and "command" not in described:
        raise BadTarget("table.command is missing: a program that takes SQL on its standard input")
    _words(described, "command", "table.")
    return dict(described)


def _faults(described: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    if not isinstance(described, dict):
        raise BadTarget(f"faults is {described!r}, not a table")
    for name, fault in described.items():
        where = f"faults.{name}."
        if not re.fullmatch("[a-z][a-z0-9-]*", name) or name == "calm":
            raise BadTarget(f"faults: {name!r} is no name; take small letters and hyphens, but not calm")
        known(fault, FAULT, where)
        for entry in ("command", "heal"):
            _words(fault, entry, where)
        if "heal" in fault and "command" not in fault:
            raise BadTarget(f"{where}heal has to follow a command")
        if not isinstance(fault.get("title", ""), str) or not isinstance(fault.get("errors", True), bool):
            raise BadTarget(f"{where}title has to be a text, and {where}errors true or false")
        if fault.get("takes", ROLES[0]) not in ROLES:
            raise BadTarget(f"{where}takes is {fault['takes']!r}; there are: {' '.join(ROLES)}")
        _number(fault, "hold_s", 0, LONGEST_HOLD_S, where)
        for entry in BUDGET:
            _number(fault, entry, 0, 60, where)
    return dict(described)


def _words(described: Mapping[str, Any], name: str, where: str) -> None:
    words = described.get(name, ["true"])
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        raise BadTarget(f"{where}{name} is {words!r}; it has to be a program and its arguments, as a list")


def _number(
    described: Mapping[str, Any], name: str, least: float, most: float, where: str = ""
) -> float | None:
    value = described.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise BadTarget(f"{where}{name} is {value!r}; it has to be a number from {least} to {most}")
    return float(value)
