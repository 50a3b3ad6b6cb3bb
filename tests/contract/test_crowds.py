"""Several servers that change one session at the same moment. Real processes: SQL worlds only."""

from collections import Counter
from itertools import chain

from crowd import (
    SERVERS,
    clean_in_batches,
    destroy_each,
    end_user_each,
    live_a_little,
    write_each,
    write_one_each,
)
from worlds import new_key

from hopproof.handler import Change

EACH = 25
ROUNDS = 10
GONE = "SessionGone: the session was ended"


def everybody(crowd, world, function, *arguments):
    return crowd.run(*[(function, world.server.web, *arguments)] * SERVERS)


def test_no_count_is_lost_and_no_number_is_given_twice(sql_world, crowd):
    key = sql_world.put(n=100)

    answers = everybody(crowd, sql_world, write_each, key, [Change(add=("n", 1))] * EACH)

    assert sorted(chain(*answers)) == list(range(101, 101 + SERVERS * EACH))


def test_the_sum_of_all_counts_is_stored(sql_world, crowd):
    key = sql_world.put()

    everybody(crowd, sql_world, write_each, key, [Change(add=("n", 3)), Change(add=("n", -2))] * EACH)

    assert sql_world.new_handler().read(key).data == {"n": SERVERS * EACH}


def test_every_item_is_appended_once_and_in_its_writers_order(sql_world, crowd):
    key = sql_world.put()

    crowd.run(
        *[
            (
                write_each,
                sql_world.server.web,
                key,
                [Change(append=("list", [writer, i])) for i in range(EACH)],
            )
            for writer in range(SERVERS)
        ]
    )

    items = sql_world.new_handler().read(key).data["list"]
    assert len(items) == SERVERS * EACH
    for writer in range(SERVERS):
        assert [item for item in items if item[0] == writer] == [[writer, i] for i in range(EACH)]


def test_every_append_is_told_a_length_of_its_own(sql_world, crowd):
    key = sql_world.put()

    answers = everybody(crowd, sql_world, write_each, key, [Change(append=("list", 0))] * EACH)

    assert sorted(chain(*answers)) == list(range(1, 1 + SERVERS * EACH))


def test_changes_of_different_keys_all_survive(sql_world, crowd):
    key = sql_world.put()

    crowd.run(
        *[
            (write_each, sql_world.server.web, key, [Change(set={f"of {writer}": i}) for i in range(EACH)])
            for writer in range(SERVERS)
        ]
    )

    assert sql_world.new_handler().read(key).data == {f"of {writer}": EACH - 1 for writer in range(SERVERS)}


def test_of_all_who_saw_one_version_exactly_one_wins(sql_world, crowd):
    keys = [sql_world.put() for _ in range(ROUNDS)]

    answers = everybody(
        crowd, sql_world, write_one_each, [(key, Change(set={"a": 1}, expected_version=1)) for key in keys]
    )

    for of_one_session in zip(*answers, strict=True):
        conflict = "SessionConflict: version 1 was overtaken"
        assert Counter(of_one_session) == {"ok": 1, conflict: SERVERS - 1}


def test_one_key_is_created_only_once(sql_world, crowd):
    keys = [new_key() for _ in range(ROUNDS)]

    answers = everybody(
        crowd, sql_world, write_one_each, [(key, Change(set={"a": 1}, create=True)) for key in keys]
    )

    for of_one_session in zip(*answers, strict=True):
        assert Counter(of_one_session) == {"ok": 1, "SessionConflict: the new key is taken": SERVERS - 1}


def test_of_all_logins_at_once_exactly_one_wins(sql_world, crowd):
    keys = [sql_world.put() for _ in range(ROUNDS)]

    answers = crowd.run(*[(write_one_each, sql_world.server.web, rotations(keys)) for _ in range(SERVERS)])

    for of_one_session in zip(*answers, strict=True):
        assert Counter(of_one_session) == {"ok": 1, GONE: SERVERS - 1}


def test_a_login_that_lost_leaves_no_session_behind(sql_world, crowd):
    keys = [sql_world.put() for _ in range(ROUNDS)]

    crowd.run(*[(write_one_each, sql_world.server.web, rotations(keys)) for _ in range(SERVERS)])

    assert sql_world.row_count() == 2 * ROUNDS, "expected one live row and one tombstone for each session"


def test_a_write_beside_a_login_is_either_kept_or_refused(sql_world, crowd):
    keys = [sql_world.put(n=0) for _ in range(ROUNDS)]
    new_keys = [new_key() for _ in keys]
    logins = [(old, Change(rotate_to=new, user="ada")) for old, new in zip(keys, new_keys, strict=True)]
    counts = [(key, Change(add=("n", 1))) for key in keys]
    web = sql_world.server.web

    logged_in, *counted = crowd.run(
        (write_one_each, web, logins), *[(write_one_each, web, counts) for _ in range(SERVERS - 1)]
    )

    assert logged_in == ["ok"] * ROUNDS
    handler = sql_world.new_handler()
    for new, answers in zip(new_keys, zip(*counted, strict=True), strict=True):
        acknowledged = [answer for answer in answers if answer != GONE]
        assert sorted(acknowledged) == list(range(1, len(acknowledged) + 1))
        assert handler.read(new).data == {"n": len(acknowledged)}


def test_a_logout_beside_logins_and_writes_lets_nobody_but_one_winner_live(sql_world, crowd):
    keys = [sql_world.put(n=0) for _ in range(ROUNDS)]
    new_keys = [new_key() for _ in keys]
    web = sql_world.server.web
    logins = [(old, Change(rotate_to=new, user="ada")) for old, new in zip(keys, new_keys, strict=True)]
    counts = [(key, Change(add=("n", 1))) for key in keys]

    destroyed, logged_in, *_ = crowd.run(
        (destroy_each, web, keys),
        (write_one_each, web, logins),
        *[(write_one_each, web, counts) for _ in range(SERVERS - 2)],
    )

    handler = sql_world.new_handler()
    assert destroyed == ["ok"] * ROUNDS
    assert set(logged_in) <= {"ok", GONE}
    assert [handler.read(key) for key in keys] == [None] * ROUNDS
    assert [handler.read(new) is not None for new in new_keys] == [answer == "ok" for answer in logged_in]


def test_logging_out_everywhere_beside_logins_raises_no_deadlock(sql_world, crowd):
    keys = [sql_world.put("ada") for _ in range(ROUNDS)]
    web = sql_world.server.web

    answers = crowd.run(
        *[(write_one_each, web, rotations(keys)) for _ in range(SERVERS // 2)],
        *[(end_user_each, web, ["ada"] * ROUNDS) for _ in range(SERVERS // 2)],
    )

    errors = {answer for answer in chain(*answers) if isinstance(answer, str)} - {"ok", GONE}
    assert not errors


def test_cleaning_disturbs_no_visitor(sql_world, crowd):
    expired, live = 2000, [sql_world.put() for _ in range(5)]
    put_expired(sql_world, expired)
    web = sql_world.server.web

    *visitors, first, second = crowd.run(
        *[(live_a_little, web, live, 12)] * (SERVERS - 2),
        *[(clean_in_batches, web, 50)] * 2,
    )

    assert visitors == [[]] * (SERVERS - 2)
    assert first + second == expired


def test_cleaners_at_once_remove_every_row_once(sql_world, crowd):
    put_expired(sql_world, 1000)

    removed = everybody(crowd, sql_world, clean_in_batches, 20)

    assert sum(removed) == 1000
    assert sql_world.row_count() == 0


def rotations(keys):
    return [(key, Change(rotate_to=new_key(), user="ada")) for key in keys]


def put_expired(world, count):
    with world.admin.connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO sessions (id, data, version, created_at, expires_at, absolute_at) "
            "VALUES (%s, '{}', 1, 0, UNIX_TIMESTAMP() - 1, UNIX_TIMESTAMP())",
            [(new_key(),) for _ in range(count)],
        )
