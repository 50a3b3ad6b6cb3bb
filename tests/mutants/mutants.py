"""Faults put into the source on purpose, and for each the tests that must notice it.

A mutant is found by its text, wherever the file lies: a moved line is still found, a changed one ends the
run with an error.
`tests/mutants/run` applies one after another to a copy of the tree.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """old → new, in the only file that holds `old`. tests: the name of a test file, and pytest's options."""

    harm: str
    old: str
    new: str
    tests: str


MUTANTS = [
    # I-JSON
    Mutant("17 containers are kept", "\nMAX_DEPTH = 16\n", "\nMAX_DEPTH = 17\n", "test_ijson_values.py"),
    Mutant(
        "a noncharacter of the last plane is kept",
        "for plane in range(1, 17)",
        "for plane in range(1, 16)",
        "test_ijson_values.py",
    ),
    Mutant(
        "a tuple is stored as a list",
        "elif kind is list or kind is dict:",
        "elif kind in (list, dict, tuple):",
        "test_ijson_values.py",
    ),
    Mutant(
        "a name inside an object is not checked",
        "                check(name)\n",
        "",
        "test_ijson_values.py",
    ),
    Mutant(
        "infinity is stored",
        "if not math.isfinite(value):",
        "if math.isnan(value):",
        "test_ijson_values.py",
    ),
    Mutant(
        "an integer beyond 2^53-1 is stored",
        "if not -MAX_INTEGER <= value <= MAX_INTEGER:",
        "if not -MAX_INTEGER - 1 <= value <= MAX_INTEGER + 1:",
        "test_ijson_values.py",
    ),
    Mutant(
        "of two members of one name the last is taken",
        "if len(value) < len(pairs):",
        "if False:",
        "test_ijson_text.py",
    ),
    Mutant(
        "a list item is checked without its list",
        "encode([item], name)[1:-1]",
        "encode(item, name)",
        "test_ijson.py -m mysql",
    ),
    Mutant(
        "a summand is not checked",
        '        encode(n, name)\n        found["counter"]',
        '        found["counter"]',
        "test_ijson.py -m mysql",
    ),
    Mutant(
        "a name that is removed is not checked",
        "    for name in change.remove:\n        encode(name, name)\n",
        "",
        "test_ijson.py -m memory",
    ),
    Mutant(
        "the first value of a session is not checked",
        'f"{_spelled(name)}:{encode(value, name)}"',
        "f\"{_spelled(name)}:{__import__('json').dumps(value)}\"",
        "test_ijson.py -m mysql",
    ),
    # Paths and names
    Mutant(
        "a path that begins with a minus is not escaped",
        'text.replace("-", "\\\\u002d", 1) if name.startswith("-") else text',
        "text",
        "test_keys_of_data.py -m mariadb",
    ),
    Mutant(
        "a created name is spelled otherwise than its path",
        'f"{_spelled(name)}:{encode(value, name)}"',
        'f"{encode(name, name)}:{encode(value, name)}"',
        "test_keys_of_data.py -m mariadb",
    ),
    Mutant(
        "quotes in a name end its path",
        'return f"$.{_spelled(name)}"',
        "return f'$.\"{name}\"'",
        "test_keys_of_data.py -m mysql",
    ),
    Mutant(
        "a key in a path may have any length",
        "if not 1 <= len(name) <= MAX_NAME_LENGTH:",
        "if not 1 <= len(name):",
        "test_keys_in_paths.py",
    ),
    # Statements
    Mutant(
        "the database's own word for an integer is believed",
        """"CAST({0} AS CHAR) REGEXP '^-{{0,1}}[0-9]{{1,16}}$'\"""",
        """"JSON_TYPE({0}) = 'INTEGER'\"""",
        "test_wrong_types.py -m mysql",
    ),
    Mutant(
        "a value is stored as text",
        "JSON_EXTRACT(%(value{number})s, '$'))",
        "%(value{number})s)",
        "test_ijson.py -m mysql",
    ),
    Mutant(
        "the expiry moves backwards",
        "LEAST(GREATEST(expires_at, UNIX_TIMESTAMP() + {IDLE_S}), absolute_at)",
        "LEAST(UNIX_TIMESTAMP() + {IDLE_S}, absolute_at)",
        "test_expiring.py -m mysql",
    ),
    Mutant(
        "an expired session is live until it is cleaned",
        'LIVE = "data IS NOT NULL AND expires_at > UNIX_TIMESTAMP()"',
        'LIVE = "data IS NOT NULL"',
        "test_expiring.py -m mysql",
    ),
    Mutant(
        "a session is created by an upsert",
        '1, %(user)s, {BEGINS.format("%(user)s")})',
        '1, %(user)s, {BEGINS.format("%(user)s")}) ON DUPLICATE KEY UPDATE data = %(data)s',
        "test_creating.py -m mysql",
    ),
    Mutant(
        "a tombstone lasts no time",
        '`user` = NULL, expires_at = UNIX_TIMESTAMP() + %(tombstone_s)s"\n',
        '`user` = NULL, expires_at = UNIX_TIMESTAMP()"\n',
        "test_ending.py -m mysql",
    ),
    Mutant(
        "a login onto an id that is taken ends that one",
        "UPDATE sessions.id = %(key)s, sessions.data = NULL",
        "UPDATE sessions.data = NULL",
        "test_rotating.py -m mysql",
    ),
    Mutant(
        "cleaning removes a session that was touched meanwhile",
        "DELETE FROM sessions WHERE id IN %(keys)s AND {DUE}",
        "DELETE FROM sessions WHERE id IN %(keys)s",
        "test_cleaning.py -m mysql",
    ),
    Mutant(
        "a replaced value counts towards the size",
        '" - ".join([f"OCTET_LENGTH({before}) + %(grows_by)s", *replaced])',
        'f"OCTET_LENGTH({before}) + %(grows_by)s"',
        "test_sizes.py -m mysql",
    ),
    Mutant(
        "a second user gets the data of the first",
        "data = {} if change.leaves_data_behind(row.user) else row.data()",
        "data = row.data()",
        "test_rotating.py -m memory",
    ),
    Mutant(
        "a second user gets the data of the first, in SQL",
        '"IF(`user` IS NULL OR `user` = %(user)s, data, JSON_OBJECT())"',
        '"data"',
        "test_rotating.py -m mysql",
    ),
    Mutant(
        "logging out everywhere stops after one batch",
        "            if batch < MAX_ENDED_AT_ONCE:\n                return ended",
        "            return ended",
        "test_ending.py -m mysql",
    ),
    Mutant(
        "a count below zero comes back as a huge one",
        "carried - 2**64 if carried >= 2**63 else carried",
        "carried",
        "test_changing.py -m mysql",
    ),
    Mutant(
        "a write whose answer got lost is sent again",
        "UNDONE | BROKEN if repeatable else UNDONE",
        "UNDONE | BROKEN",
        "test_broken_connections.py -m mysql",
    ),
    # Saving, and the cookie
    Mutant(
        "a redirect saves nothing",
        "if status < 500:",
        "if status < 300:",
        "test_plugin_saving.py",
    ),
    Mutant(
        "a failed route saves half of what it did",
        "if status < 500:",
        "if status < 600:",
        "test_plugin_saving.py",
    ),
    Mutant(
        "an id has several spellings",
        r'r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]"',
        r'r"[A-Za-z0-9_-]{42}[A-Za-z0-9_-]"',
        "test_session_cookie.py",
    ),
    Mutant(
        "a cookie may end in anything",
        "SESSION_ID.fullmatch(value)",
        "SESSION_ID.match(value)",
        "test_session_cookie.py",
    ),
    Mutant(
        "no answer forbids guessing its type",
        '"X-Content-Type-Options", "nosniff"',
        '"X-Content-Type-Options", "sniff"',
        "test_every_answer.py",
    ),
    Mutant(
        "a touch interval of zero is accepted",
        'whole(env, "SESSION_TOUCH_S", limits.TOUCH_AFTER_S, unit="seconds", most=YEAR_S)',
        'whole(env, "SESSION_TOUCH_S", limits.TOUCH_AFTER_S, unit="seconds", most=YEAR_S, least=0)',
        "test_config.py",
    ),
    Mutant(
        "a whole number may be of any script",
        "if raw.isascii() and raw.isdigit()",
        "if raw.isdigit()",
        "test_config.py",
    ),
    Mutant(
        "a change after the save is lost without an error",
        "        self.was_used = True\n        if self._is_sealed:\n",
        "        self.was_used = True\n        if False:\n",
        "test_web.py",
    ),
    Mutant(
        "the cookie is sent again with every answer",
        "elif self.sends_cookie and problem is None",
        "elif problem is None",
        "test_web.py",
    ),
    Mutant(
        "a malformed cookie hides the visitor's own",
        "if name == self.full_name and SESSION_ID.fullmatch(value):\n                return value",
        "if name == self.full_name:\n                return value if SESSION_ID.fullmatch(value) else None",
        "test_session_cookie.py",
    ),
    # Broken or misconfigured servers
    Mutant(
        "the server's global decides whether changes are committed",
        '    "autocommit": "1",\n',
        "",
        "test_hostile_globals.py -m mysql",
    ),
    Mutant(
        "a connection to a server that is not the primary is kept",
        "in OUTCOME_UNKNOWN | NOT_DONE:\n                self.abandon()",
        "in OUTCOME_UNKNOWN | NOT_DONE:\n                pass",
        "test_hostile_globals.py -m mysql",
    ),
    # Copies
    Mutant(
        "every request probes a cache that is away",
        "            self._until = self.now() + self._pause_s  # so that",
        "            self._until += 0  # so that",
        "test_breaker.py",
    ),
    Mutant(
        "a copy is taken from under a mark",
        "if item.value.startswith((LEASE, MARK)):\n                return None",
        "if item.value.startswith(LEASE):\n                return None",
        "test_copies.py",
    ),
    Mutant(
        "one writer's mark removes another's",
        "_marks([*_marks_in(item), mark])",
        "_marks([mark])",
        "test_copies.py",
    ),
    Mutant(
        "a copy of any age is served",
        "if 0 <= age_s <= self.lookout.ttl_s and",
        "if 0 <= age_s and",
        "test_copies.py",
    ),
    # Checkers, and the verdict on them
    Mutant(
        "an item that is twice in a list is no violation",
        "if counts[o.value] != 1:",
        "if counts[o.value] < 1:",
        "test_checkers.py",
    ),
    Mutant(
        "a dead id that still names its user is no violation",
        'return "shows data" if o.result["data"] or o.result["user"] else None',
        'return "shows data" if o.result["data"] else None',
        "test_checkers.py",
    ),
    Mutant(
        "operations that overlap have the order of their beginning",
        "if call.invoked > first_end:",
        "if call.invoked >= first_end:",
        "test_linearizability.py",
    ),
    Mutant(
        "a refused operation may have happened",
        '[o for o in operations if o.outcome != "refused" and',
        "[o for o in operations if",
        "test_linearizability.py",
    ),
    Mutant(
        "a graceful fault excuses errors",
        "strange = [o for o in met if o.status not in fault.statuses or",
        "strange = [o for o in met if (fault.statuses and o.status not in fault.statuses) or",
        "test_verdict.py",
    ),
    Mutant(
        "any error is excused by an outage",
        "strange = [o for o in met if o.status not in fault.statuses or",
        "strange = [o for o in met if not fault.statuses or",
        "test_verdict.py",
    ),
    Mutant(
        "a read may fail where reads go on",
        " or o.act in fault.spares]",
        "]",
        "test_verdict.py",
    ),
    Mutant(
        "one graceful fault may cost answers",
        'Fault("rolling deploy", servers.rolling_deploy)',
        'Fault("rolling deploy", servers.rolling_deploy, NO_SERVER)',
        "test_verdict.py",
    ),
    Mutant(
        "a store that is out may cost a connection",
        "        frozenset({503}),\n",
        "        frozenset({0, 503}),\n",
        "test_verdict.py",
    ),
    Mutant(
        "a refused request may have raised the number",
        'if outcome == "unknown":\n            self.high += 1',
        'if outcome != "ok":\n            self.high += 1',
        "test_load_promises.py",
    ),
    Mutant(
        "a load test without hops passes",
        "seen.hops < answers * MIN_HOPS_SHARE",
        "seen.hops < 0",
        "test_load_gates.py",
    ),
    # Scripts and settings
    Mutant(
        "any number of servers is accepted",
        '[ "$value" -lt "$3" ] || [ "$value" -gt "$4" ]',
        '[ "$value" -lt "$3" ]',
        "test_capacity.py",
    ),
    Mutant(
        "no connection is kept in reserve",
        "if [ $need -gt $((max - reserve)) ]; then",
        "if [ $need -gt $((max + reserve * 10)) ]; then",
        "test_capacity.py",
    ),
    Mutant(
        "a visitor stays on one server",
        "    balance static-rr\n",
        "    balance source\n",
        "test_hopping.py",
    ),
    Mutant(
        "visitors may read the servers' metrics",
        "    http-request deny deny_status 404 if { path /metrics }\n",
        "",
        "test_balancer.py -k metrics",
    ),
]
