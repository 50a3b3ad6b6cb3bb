"""One change as one statement: an UPDATE, or the INSERT that moves the session to a new key.

No statement writes a value that was read before, so none can overwrite what another server did.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from ..handler import Change, Nobody, SessionBroken, SessionConflict, SessionError, SessionRefused
from ..ijson import encode
from ..limits import MAX_INTEGER
from .row import BEGINS, INTACT, LIVE, TOUCHED

# The reasons for refusing a change of a live session.
Condition = Literal["broken", "overtaken", "not countable", "not a list", "too large"]

# Checked by its text: MySQL's JSON_TYPE has another name for integers from 2^32 on, and MariaDB's takes
# 1e16 for an integer.
IS_INTEGER = "CAST({0} AS CHAR) REGEXP '^-{{0,1}}[0-9]{{1,16}}$'"

TOUCH = f"UPDATE sessions SET expires_at = {TOUCHED} WHERE id = %(key)s AND {LIVE}"

# NOBODY comes as an empty text and becomes NULL; NULL leaves the row's user as it is.
USER = "NULLIF(COALESCE(%(user)s, `user`), '')"
MAX_BYTES = f"IF({USER} IS NULL, %(anonymous_max_bytes)s, %(max_bytes)s)"

# The data that a change begins with: a new user does not get those of another one.
DATA = "data"
DATA_OF_THIS_USER = "IF(`user` IS NULL OR `user` = %(user)s, data, JSON_OBJECT())"

# The version is assigned before the data, so a count still sees the old data. The user comes after the data,
# which depend on the old one, and before the expiry, which depends on the new one.
CHANGE = f"""UPDATE sessions
  SET version = {{version}}, data = {{data}}, `user` = {USER}, expires_at = {TOUCHED}
  WHERE id = %(key)s AND {{where}}"""

# One statement moves the session to its new id and leaves a tombstone under the old one, so
# no request ever sees it under both or neither: the SELECT yields the row twice, as the new id,
# which is inserted, and as the old id, which is there already and so becomes the tombstone.
# A new id that is taken would become one as well; made into the old id, it is a duplicate instead.
ROTATE = f"""INSERT INTO sessions (id, version, data, `user`, created_at, expires_at, absolute_at)
  SELECT IF(copy.is_new, %(new_key)s, id), {{version}}, {{data}}, {USER}, {BEGINS.format(USER)}
  FROM sessions AS old JOIN (SELECT TRUE AS is_new UNION ALL SELECT FALSE) AS copy
  WHERE id = %(key)s AND {{where}} FOR UPDATE
  ON DUPLICATE KEY UPDATE sessions.id = %(key)s, sessions.data = NULL, sessions.`user` = NULL,
    sessions.expires_at = UNIX_TIMESTAMP() + %(tombstone_s)s"""

# Run when a change matched no row: it tells which condition of the change the row does not meet.
REASON = f"""SELECT data IS NULL, {MAX_BYTES}{{verdicts}}
  FROM sessions WHERE id = %(key)s AND expires_at > UNIX_TIMESTAMP()"""


@dataclass(frozen=True, slots=True)
class Plan:
    """The SQL of all changes of one shape, with named parameters.

    conditions: the meaning of each column of `reason` after the first two.
    """

    change: str
    rotate: str
    reason: str
    conditions: tuple[Condition, ...]


def plan_of(change: Change) -> Plan:
    """Return the SQL of a change that is no touch and creates nothing."""
    return _plan(
        len(change.set),
        len(change.remove),
        change.add is not None,
        change.append is not None,
        change.expected_version is not None,
        isinstance(change.user, str),
    )


# Composing the text takes longer than sending it.
@lru_cache(maxsize=256)
def _plan(sets: int, removes: int, adds: bool, appends: bool, expects: bool, names_user: bool) -> Plan:
    before = DATA_OF_THIS_USER if names_user else DATA
    data, count, replaced = before, None, []
    conditions: dict[Condition, str] = {"broken": INTACT}
    if expects:
        conditions["overtaken"] = "version = %(seen)s"
    for number in range(sets):
        path = f"%(path{number})s"
        data = f"JSON_SET({data}, {path}, JSON_EXTRACT(%(value{number})s, '$'))"
        # The size of a replaced value is subtracted.
        replaced.append(f"COALESCE(OCTET_LENGTH(JSON_EXTRACT({before}, {path})), 0)")
    for number in range(removes):
        data = f"JSON_REMOVE({data}, %(gone{number})s)"
    if adds:
        old = f"JSON_EXTRACT({before}, %(counter)s)"
        count = f"COALESCE(CAST({old} AS SIGNED), 0) + %(n)s"
        data = f"JSON_SET({data}, %(counter)s, {count})"
        is_integer = IS_INTEGER.format(old)
        conditions["not countable"] = f"({old} IS NULL OR {is_integer}) AND ABS({count}) <= {MAX_INTEGER}"
    if appends:
        items = f"COALESCE(JSON_EXTRACT({before}, %(list)s), JSON_ARRAY())"
        count = f"JSON_LENGTH({items}) + 1"
        data = f"JSON_SET({data}, %(list)s, JSON_ARRAY_APPEND({items}, '$', JSON_EXTRACT(%(item)s, '$')))"
        conditions["not a list"] = f"JSON_TYPE({items}) = 'ARRAY'"
    # Removing must always be possible, also from a session that exceeds a limit that was lowered later.
    if sets or adds or appends:
        size = " - ".join([f"OCTET_LENGTH({before}) + %(grows_by)s", *replaced])
        conditions["too large"] = f"{size} <= {MAX_BYTES}"
    # LAST_INSERT_ID(n) makes n come back with the acknowledgement, which saves reading it.
    version = f"version + 1 + 0 * LAST_INSERT_ID({count})" if count else "version + 1"
    where = " AND ".join([LIVE, *conditions.values()])
    return Plan(
        CHANGE.format(version=version, data=data, where=where),
        ROTATE.format(version=version, data=data, where=where),
        REASON.format(verdicts="".join(f", {condition}" for condition in conditions.values())),
        tuple(conditions),
    )


def parameters_of(change: Change) -> dict[str, Any]:
    """Return the values of a change by their names in its plan.

    Raises SessionRefused for a value or name that is not I-JSON.
    """
    found: dict[str, Any] = {"user": user_bytes(change.user), "seen": change.expected_version}
    grows_by = 0
    for number, (name, value) in enumerate(change.set.items()):
        found[f"path{number}"], found[f"value{number}"] = _path(name), encode(value, name)
        grows_by += _size(found[f"path{number}"]) + _size(found[f"value{number}"])
    for number, name in enumerate(change.remove):
        found[f"gone{number}"] = _path(name)
    if change.add is not None:
        name, n = change.add
        encode(n, name)
        found["counter"], found["n"] = _path(name), n
        grows_by += _size(found["counter"]) + len(str(MAX_INTEGER))
    if change.append is not None:
        name, item = change.append
        found["list"] = _path(name)
        found["item"] = encode([item], name)[1:-1]  # in a list, which is one more level of depth
        grows_by += _size(found["list"]) + _size(found["item"])
    return found | {"grows_by": grows_by}


def first_data(change: Change) -> tuple[str, int | None]:
    """Return the JSON text of a new session, and the result of add or append. Raises SessionRefused."""
    result = None
    data = dict(change.set)
    if change.add is not None:
        name, result = change.add
        data[name] = result
    if change.append is not None:
        name, item = change.append
        data[name], result = [item], 1
    members = (f"{_spelled(name)}:{encode(value, name)}" for name, value in data.items())
    return "{" + ",".join(members) + "}", result


def refusal(condition: Condition, change: Change, key: bytes, max_bytes: int) -> SessionError:
    """Return the error for the condition that a live session did not meet."""
    match condition:
        case "broken":
            return SessionBroken(key)
        case "overtaken":
            return SessionConflict(f"version {change.expected_version} was overtaken")
        case "not countable":
            assert change.add is not None
            return SessionRefused.not_countable(*change.add)
        case "not a list":
            assert change.append is not None
            return SessionRefused.not_a_list(change.append[0])
        case "too large":
            return SessionRefused.too_large(max_bytes)


def user_bytes(user: str | Nobody | None) -> bytes | None:
    """Return the parameter of USER and of CREATE."""
    return user.encode() if isinstance(user, str) else None if user is None else b""


def _size(text: str) -> int:
    return len(text.encode())


def _path(name: str) -> str:
    return f"$.{_spelled(name)}"


def _spelled(name: str) -> str:
    """Return the one spelling of a name. MariaDB compares names as they are spelled, escapes included."""
    text = encode(name, name)
    # MariaDB cannot read a path in which a name starts with a minus, in quotes or not.
    return text.replace("-", "\\u002d", 1) if name.startswith("-") else text
