"""A visitor with a browser, on servers that take turns."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from window import Window

from verify.deployment import Deployment

NewWindow = Callable[..., Window]


def test_a_login_on_one_server_and_a_cart_on_another_are_one_session(window: Window) -> None:
    window.log_in("hopping")
    window.click("Add one Assam")
    window.click("Add one Sencha")

    posts = {path: server for method, path, _, server in window.answers if method == "POST"}
    assert posts["/login"] != posts["/cart"], "no hop, so nothing was shown"
    assert (window.is_logged_in, window.packets("Assam"), window.packets("Sencha")) == (True, 1, 1)


def test_the_page_names_the_server_that_its_answer_came_from(window: Window) -> None:
    seen = set()
    for _ in range(6):
        window.visit()
        seen.add(window.server)
        assert window.answers[-1][3] == window.server

    assert len(seen) == 3, f"only {seen} answered"


@pytest.mark.usefixtures("whole")
def test_the_server_that_answered_is_killed_and_the_visitor_clicks_on(
    deployment: Deployment, window: Window
) -> None:
    window.log_in("survivor")
    window.click("Add one Lapsang")
    killed = window.server
    deployment.container_named(killed).kill()
    before = window.visits
    for _ in range(6):
        window.click("Visit again")
        assert window.server != killed
    window.click("Add one Lapsang")

    assert (window.visits, window.packets("Lapsang")) == (before + 7, 2)
    assert window.is_logged_in
    assert window.complaints == []


def test_logging_out_everywhere_in_one_window_ends_the_other(new_window: NewWindow) -> None:
    here, there = (new_window().log_in("everywhere") for _ in "ab")
    here.click("Log out everywhere")
    there.visit()

    assert (here.is_logged_in, there.is_logged_in) == (False, False)


@pytest.mark.parametrize("has_script", [True, False], ids=["", "without JavaScript"])
def test_ending_one_session_from_the_list_ends_that_and_no_other(
    new_window: NewWindow, has_script: bool
) -> None:
    windows = [new_window(java_script_enabled=has_script).log_in(f"one {has_script}") for _ in "abc"]
    mine, theirs, third = (window.this_session for window in windows)
    here = windows[0].visit()
    assert here.sessions[0] == mine
    assert set(here.sessions) == {mine, theirs, third}

    here.click(f"End session {theirs}")
    assert set(here.sessions) == {mine, third}
    assert [window.visit().is_logged_in for window in windows] == [True, False, True]


def test_ending_the_session_one_is_in_is_a_logout(new_window: NewWindow) -> None:
    here, there = (new_window().log_in("leaver") for _ in "ab")
    here.click(f"End session {here.this_session}")

    assert not here.is_logged_in
    assert here.visits == 1, "another session begins with this page"
    assert there.visit().is_logged_in


def test_nobody_sees_the_sessions_of_another_user(new_window: NewWindow) -> None:
    alice, bob = new_window().log_in("alice"), new_window().log_in("bob")

    assert bob.sessions == [bob.this_session]
    assert alice.visit().sessions == [alice.this_session]


def test_the_page_works_without_javascript(new_window: NewWindow) -> None:
    window = new_window(java_script_enabled=False).log_in("plain")
    window.click("Add one Gunpowder")
    window.click("Add one Gunpowder")
    window.click("Remove one Gunpowder")

    assert (window.is_logged_in, window.packets("Gunpowder")) == (True, 1)
    window.click("Log out")
    assert (window.is_logged_in, window.packets("Gunpowder")) == (False, 0)


def test_a_whole_visit_leaves_no_error_in_the_console_and_no_request_without_an_answer(
    new_window: NewWindow,
) -> None:
    here, there = (new_window().log_in("whole visit") for _ in "ab")
    here.click("Visit again")
    here.click("Add one Assam")
    here.click(f"End session {there.this_session}")
    here.click("Log out")

    assert here.complaints == []
    assert {status for _, _, status, _ in here.answers} == {200, 303}
