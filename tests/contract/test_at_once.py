"""Several servers, as threads, that change one session at once. On SQL, test_crowds.py does more."""

import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from threading import Barrier

from worlds import new_key

from hopproof.handler import Change, SessionConflict, SessionGone

SERVERS = 4
EACH = 20
ROUNDS = 10


@contextmanager
def hurried():
    """Let threads take turns so often that one stops between any two steps, also of plain Python."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def at_once(world, act):
    """Return what act(handler, number) returned on each of the servers, which start at the same moment."""
    line = Barrier(SERVERS)

    def serve(number):
        handler = world.new_handler()
        try:
            line.wait(20)
            return act(handler, number)
        finally:
            handler.close()

    with hurried(), ThreadPoolExecutor(SERVERS) as servers:
        return list(servers.map(serve, range(SERVERS)))


def told(write):
    """Return "ok", or the name of the error that says that another was faster."""
    try:
        write()
    except (SessionConflict, SessionGone) as error:
        return type(error).__name__
    return "ok"


def test_counts_of_several_servers_at_the_same_moment_are_all_kept(world, handler):
    key = world.put()

    answers = at_once(
        world, lambda handler, _: [handler.write(key, Change(add=("n", 1))) for _ in range(EACH)]
    )

    assert sorted(chain(*answers)) == [*range(1, SERVERS * EACH + 1)]
    assert handler.read(key).data == {"n": SERVERS * EACH}


def test_names_that_several_servers_set_at_the_same_moment_are_all_kept(world, handler):
    key = world.put()

    at_once(world, lambda handler, me: [handler.write(key, Change(set={f"{me}": i})) for i in range(EACH)])

    assert handler.read(key).data == {f"{number}": EACH - 1 for number in range(SERVERS)}


def test_of_several_servers_that_create_one_key_at_the_same_moment_one_wins(world):
    keys = [new_key() for _ in range(ROUNDS)]

    def create(handler, _):
        return [told(lambda key=key: handler.write(key, Change(create=True))) for key in keys]

    for answers in zip(*at_once(world, create), strict=True):
        assert Counter(answers) == {"ok": 1, "SessionConflict": SERVERS - 1}


def test_of_several_logins_at_the_same_moment_one_wins_and_the_others_leave_no_session(world, handler):
    keys = [world.put() for _ in range(ROUNDS)]
    new = {(key, number): new_key() for key in keys for number in range(SERVERS)}

    def log_in(handler, me):
        changes = [(key, Change(user="ada", rotate_to=new[key, me])) for key in keys]
        return [told(lambda key=key, change=change: handler.write(key, change)) for key, change in changes]

    answers = at_once(world, log_in)

    for key, of_one_session in zip(keys, zip(*answers, strict=True), strict=True):
        assert Counter(of_one_session) == {"ok": 1, "SessionGone": SERVERS - 1}
        assert [handler.read(new[key, number]) is not None for number in range(SERVERS)] == [
            answer == "ok" for answer in of_one_session
        ]


def test_no_write_at_the_same_moment_as_the_logout_revives_the_session(world, handler):
    keys = [world.put() for _ in range(ROUNDS)]

    def serve(handler, me):
        for key in keys:
            if me == 0:
                handler.destroy(key)
            else:
                told(lambda key=key: handler.write(key, Change(add=("n", 1))))

    at_once(world, serve)

    assert [handler.read(key) for key in keys] == [None] * ROUNDS
