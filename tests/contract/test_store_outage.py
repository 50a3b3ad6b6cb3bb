"""A store that does not answer. test_unreachable.py and test_memcached.py have more of it."""

import pytest
from worlds import new_key

from hopproof.handler import Change, SessionStoreUnavailable


def refused(act):
    with pytest.raises(SessionStoreUnavailable):
        act()


def test_a_read_that_failed_never_looks_like_an_empty_session(world):
    handler = world.unreachable_handler()

    refused(lambda: handler.read(new_key()))


@pytest.mark.parametrize(
    "change", [Change(), Change(set={"a": 1}), Change(create=True)], ids=["touch", "set", "create"]
)
def test_a_write_that_failed_is_not_acknowledged(world, change):
    handler = world.unreachable_handler()

    refused(lambda: handler.write(new_key(), change))


def test_a_logout_that_failed_is_not_acknowledged(world):
    handler = world.unreachable_handler()

    refused(lambda: handler.destroy(new_key()))


def test_a_logout_everywhere_that_failed_is_not_acknowledged(world):
    handler = world.unreachable_handler()

    refused(lambda: handler.end_user("ada"))
    refused(lambda: handler.end_one_of_user("ada", new_key()))


def test_a_list_that_failed_never_looks_like_an_empty_one(world):
    handler = world.unreachable_handler()

    refused(lambda: handler.sessions_of_user("ada"))


def test_a_cleaning_that_failed_does_not_look_like_one_that_found_nothing(world):
    handler = world.unreachable_handler()

    refused(handler.clean)


def test_closing_during_an_outage_is_no_error(world):
    handler = world.unreachable_handler()
    refused(lambda: handler.read(new_key()))

    handler.close()
    handler.close()
