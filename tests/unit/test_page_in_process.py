import re

import pytest

FORM = "application/x-www-form-urlencoded"


def post(browser, path, body=b""):
    return browser.ask("POST", path, body, CONTENT_TYPE=FORM)


def text(browser):
    return browser.ask("GET", "/").body.decode()


def test_the_page_names_the_server_that_made_it(site):
    answer = site.browser().ask("GET", "/")

    assert answer.header("Content-Type").lower() == "text/html; charset=utf-8"
    assert "web-test" in answer.body.decode()


def test_the_page_counts_visits(site):
    browser = site.browser()
    for _ in range(3):
        browser.ask("GET", "/")

    assert site.data(browser)["visits"] == {"count": 3, "trail": ["web-test"] * 3}


def test_the_page_remembers_the_last_twelve_servers(site):
    browser = site.browser()
    for _ in range(15):
        browser.ask("GET", "/")

    assert site.data(browser)["visits"] == {"count": 15, "trail": ["web-test"] * 12}


def test_a_name_is_shown_as_text_and_not_as_markup(site):
    browser = site.browser()
    answer = post(browser, "/login", b"user=%3Cscript%3Ealert(1)%3C%2Fscript%3E")

    assert answer.status == 303
    page = text(browser)
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_a_login_shows_the_name(site):
    browser = site.browser()
    post(browser, "/login", "user=Zoé".encode())

    assert "Zoé" in text(browser)


@pytest.mark.parametrize(
    "body", [b"", b"user=", b"user=+++", b"user=" + b"a" * 65, b"user=a%00&user=" + b"a%00" * 40]
)
def test_a_name_that_is_none_is_refused(site, body):
    browser = site.browser()

    assert post(browser, "/login", body).problem == (400, "bad-user")
    assert browser.cookie is None


@pytest.mark.parametrize("path", ["/login", "/logout", "/logout-everywhere", "/end-session", "/cart"])
def test_a_form_answers_with_a_redirect_that_a_reload_does_not_repeat(site, path):
    answer = post(site.visitor("ada"), path, b"user=bob&tea=Assam")

    assert answer.status == 303
    assert answer.header("Location") == "/", "relative: nobody here knows whether TLS ends in front"


def test_the_cart_counts_packets(site):
    browser = site.browser()
    for body in (b"tea=Assam", b"tea=Assam", b"tea=Sencha", b"tea=Assam&action=remove"):
        post(browser, "/cart", body)

    assert site.data(browser)["cart"] == {"Assam": 1, "Sencha": 1}


def test_the_cart_drops_what_it_has_none_of(site):
    browser = site.browser()
    post(browser, "/cart", b"tea=Assam")
    post(browser, "/cart", b"tea=Assam&action=remove")
    post(browser, "/cart", b"tea=Assam&action=remove")

    assert site.data(browser)["cart"] == {}


@pytest.mark.parametrize("body", [b"", b"tea=", b"tea=Coffee"])
def test_the_cart_takes_tea_only(site, body):
    browser = site.browser()

    assert post(browser, "/cart", body).status == 303
    assert browser.cookie is None


def test_a_logout_is_seen_on_the_page(site):
    visitor = site.visitor("ada-of-the-test")
    assert "ada-of-the-test" in text(visitor)
    post(visitor, "/logout")

    assert "ada-of-the-test" not in text(visitor)


def test_logging_out_everywhere_ends_the_other_browser_too(site):
    here, there = site.visitor("ada"), site.visitor("ada")
    post(here, "/logout-everywhere")

    assert there.ask("GET", "/api/session").json["user"] is None


def keys_on_page(browser):
    return re.findall('name="key" value="(.*?)"', text(browser))


def test_the_page_lists_the_sessions_of_the_user_this_one_first(site):
    browsers = [site.visitor("ada") for _ in range(3)]
    site.visitor("bob")
    lists = [keys_on_page(browser) for browser in browsers]

    assert [sorted(keys) for keys in lists] == [sorted(lists[0])] * 3
    assert {keys[0] for keys in lists} == set(lists[0])
    assert len(lists[0]) == 3


def test_the_page_of_nobody_lists_nothing(site):
    site.visitor("ada")

    assert keys_on_page(site.visitor()) == []
    assert "sessions_of_user" not in site.handler.verbs


def test_the_page_tells_how_old_a_session_is_and_when_it_was_last_used(site):
    here, _ = site.visitor("ada"), site.visitor("ada")
    site.visit.now += 190
    page = text(here)

    assert page.count("logged in 3 min ago, used in the last minute") == 1
    assert page.count("logged in 3 min ago, used in the last 4 min") == 1


def test_the_page_lists_a_few_of_very_many_sessions_and_tells_how_many_there_are(site):
    browsers = [site.visitor("ada") for _ in range(20)]

    assert len(keys_on_page(browsers[0])) == 8
    assert "And 12 more." in text(browsers[0])


def test_a_session_ended_from_the_list_is_ended_and_no_other(site):
    here, there, elsewhere = (site.visitor("ada") for _ in range(3))
    key = keys_on_page(there)[0]
    post(here, "/end-session", f"key={key}".encode())

    assert [len(keys_on_page(browser)) for browser in (here, elsewhere)] == [2, 2]
    assert there.ask("GET", "/api/session").json["user"] is None


def test_ending_this_session_from_the_list_is_a_logout_on_the_page(site):
    visitor = site.visitor("ada")
    post(visitor, "/end-session", f"key={keys_on_page(visitor)[0]}".encode())

    assert visitor.cookie is None


def test_the_form_of_somebody_else_ends_nothing(site):
    visitor = site.visitor("ada")
    key = keys_on_page(visitor)[0].encode()
    for stranger in (site.browser(), site.visitor(), site.visitor("bob")):
        post(stranger, "/end-session", b"key=" + key)

    assert keys_on_page(visitor) == [key.decode()]


@pytest.mark.parametrize("body", [b"", b"key=", b"key=" + b"a" * 63, b"key=" + b"aa+" * 32])
def test_what_is_no_key_ends_nothing_and_is_no_error(site, body):
    visitor = site.visitor("ada")

    assert post(visitor, "/end-session", body).status == 303
    assert len(keys_on_page(visitor)) == 1
    assert "end_one_of_user" not in site.handler.verbs


def test_logging_out_everywhere_as_nobody_is_no_error(site):
    assert post(site.visitor(), "/logout-everywhere").status == 303


def test_the_page_is_a_page_though_its_session_was_ended_elsewhere(site):
    visitor = site.visitor("ada")
    tab = visitor.other_tab()
    visitor.ask("POST", "/api/logout")

    answer = tab.ask("GET", "/")
    assert answer.status == 200
    assert answer.header("Set-Cookie") is None
