"""Forms of the page: what is no form gets a 400 problem, and changes nothing."""

import pytest

FORM = "application/x-www-form-urlencoded"
PATHS = ["/login", "/cart", "/end-session"]
NO_FORM = [
    (FORM, b"user=%ff&tea=%ff&key=%ff"),
    (FORM, "user=Zoé".encode("latin-1")),
    (FORM, b"&".join(b"user=ada" for _ in range(21))),
    ("multipart/form-data; boundary=B; charset=foo", b"--B\r\n"),
    ("multipart/form-data", b"user=ada"),
    (";;;", b"user=ada"),
    ("", b"user=ada"),
    ("application/json", b'{"user": "ada"}'),
    ("text/plain", b"user=ada"),
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("content_type", "body"), NO_FORM)
def test_what_is_no_form_is_refused_and_changes_nothing(site, path, content_type, body):
    visitor = site.visitor("bob", n=1)
    before = visitor.ask("GET", "/api/session").json

    assert visitor.ask("POST", path, body, CONTENT_TYPE=content_type).problem == (400, "bad-form")
    assert visitor.ask("GET", "/api/session").json == before


@pytest.mark.parametrize("content_type", [FORM, FORM.upper(), f"{FORM}; charset=UTF-8", f" {FORM} ;x"])
def test_a_form_is_read(site, content_type):
    browser = site.browser()

    assert browser.ask("POST", "/login", b"user=Zo%C3%A9", CONTENT_TYPE=content_type).status == 303
    assert browser.ask("GET", "/api/session").json["user"] == "Zoé"


def test_a_form_larger_than_a_session_is_refused(site):
    body = b"user=" + b"a" * 65536

    assert site.browser().ask("POST", "/login", body, CONTENT_TYPE=FORM).problem == (413, "too-large")


def test_a_form_and_json_have_one_rule_for_names(site):
    browser = site.browser()

    assert browser.ask("POST", "/login", b"user=%EF%BF%BF", CONTENT_TYPE=FORM).problem == (400, "bad-user")
    assert browser.ask("POST", "/api/login", b'{"user": "\xef\xbf\xbf"}').status == 400
