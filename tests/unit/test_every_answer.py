import pytest
from wsgi_client import meanwhile

from app import build_app
from hopproof.bottle import SessionPlugin
from hopproof.web import Cookie
from metrics import Metrics

SIGNED = {"X-Served-By": "web-test", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
REQUESTS = [
    ("GET", "/", 200),
    ("GET", "/api/stateless", 200),
    ("GET", "/api/session", 200),
    ("DELETE", "/api/session/data/a", 204),
    ("POST", "/login", 400),
    ("POST", "/logout", 303),
    ("GET", "/healthz", 200),
    ("GET", "/readyz", 200),
    ("GET", "/healthz/store", 200),
    ("GET", "/metrics", 200),
    ("GET", "/nothing", 404),
    ("GET", "/api/nothing", 404),
    ("GET", "/api/session/data", 404),
    ("PATCH", "/api/session", 405),
    ("GET", "/api/login", 405),
    ("POST", "/api/login", 400),
    ("POST", "/api/logout-everywhere", 401),
    ("GET", "/api/sessions", 401),
    ("DELETE", "/api/sessions/" + "a" * 64, 401),
    ("DELETE", "/api/sessions/" + "A" * 64, 404),
    ("PUT", "/api/session/data/", 400),
    ("HEAD", "/api/session", 200),
    ("OPTIONS", "/api/session", 405),
    ("TRACE", "/api/session", 405),
    ("TRACE", "/", 405),
]


@pytest.mark.parametrize(("method", "path", "status"), REQUESTS)
def test_every_answer_names_its_server_and_may_be_neither_kept_nor_guessed_at(site, method, path, status):
    answer = site.browser().ask(method, path)

    assert answer.status == status
    assert {name: answer.header(name) for name in SIGNED} == SIGNED
    if status >= 400:
        assert answer.problem[0] == status, "an error is a problem document"


def test_a_405_says_what_is_allowed(site):
    assert "GET" in site.browser().ask("PATCH", "/api/session").header("Allow")


def failing_site():
    def store_answers():
        raise ZeroDivisionError("a secret detail")

    plugin = SessionPlugin(lambda: None, Cookie())
    return build_app(plugin, "web-test", lambda: True, lambda: False, store_answers, Metrics())


def test_a_500_is_signed_a_problem_and_tells_nothing(site):
    site.app = failing_site()
    answer = site.browser().ask("GET", "/healthz/store")

    assert answer.problem[0] == 500
    assert (answer.header("X-Served-By"), answer.header("Cache-Control")) == ("web-test", "no-store")
    assert "secret" not in answer.body.decode()


def test_a_person_gets_an_error_as_a_page(site):
    answer = site.browser().ask("GET", "/nothing", HTTP_ACCEPT="text/html,*/*")

    assert answer.header("Content-Type") == "text/html; charset=UTF-8"
    assert answer.body.lower().startswith(b"<!doctype html>")


def test_a_program_gets_an_error_of_the_api_as_problem_json_whatever_it_accepts(site):
    assert site.browser().ask("GET", "/api/nothing", HTTP_ACCEPT="text/html").problem[0] == 404


@pytest.mark.parametrize("path", ["/<script>alert(1)</script>", "/%3Cscript%3Ealert(1)%3C/script%3E"])
def test_an_error_page_escapes_the_path(site, path):
    assert b"<script" not in site.browser().ask("GET", path, HTTP_ACCEPT="text/html").body


@pytest.mark.parametrize("path", ["/api/%ff", "/%00", "/..%2f..%2fetc%2fpasswd", "//"])
def test_an_odd_path_is_not_found(site, path):
    assert site.browser().ask("GET", path).status == 404


@pytest.mark.parametrize(
    "name", ["ACCEPT", "HOST", "ORIGIN", "SEC_FETCH_SITE", "SEC_PURPOSE", "X_REQUEST_ID"]
)
def test_a_header_that_is_not_utf_8_fails_no_request(site, name):
    asked = [("GET", "/"), ("GET", "/nothing"), ("POST", "/api/session/counters/n")]
    headers = {f"HTTP_{name}": "\xe9\x80"}
    told = [meanwhile(lambda ask=ask: site.browser().ask(*ask, **headers).status) for ask in asked]

    assert told == [200, 404, 403 if name in ("ORIGIN", "SEC_FETCH_SITE") else 200]
