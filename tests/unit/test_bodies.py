import pytest

REFUSED = {
    "nothing": b"",
    "no JSON": b"tea",
    "two values": b"1 2",
    "not UTF-8": b'"\xff"',
    "UTF-16": '"a"'.encode("utf-16"),
    "NaN": b"NaN",
    "Infinity deep inside": b'{"a":[-Infinity]}',
    "two members of one name": b'{"a":1,"a":2}',
    "an integer beyond 2^53": b"9007199254740992",
    "a float beyond all floats": b"1e400",
    "a lone surrogate": b'"\\ud800"',
    "a lone surrogate as a name": b'{"\\udc00":1}',
    "a noncharacter": b'"\\uffff"',
    "17 containers": b"[" * 17 + b"]" * 17,
    "20000 containers": b"[" * 20_000 + b"]" * 20_000,
    "30000 open containers": b"[" * 30_000,
}
WRITES = [("PUT", "/api/session/data/a"), ("POST", "/api/session/lists/list"), ("POST", "/api/login")]
each_write = pytest.mark.parametrize(("method", "path"), WRITES, ids=["set", "append", "login"])


@each_write
def test_a_body_that_is_not_i_json_is_refused(site, method, path):
    visitor = site.visitor(kept=1)
    told = {what: visitor.ask(method, path, body).problem for what, body in REFUSED.items()}

    assert told == dict.fromkeys(REFUSED, (400, "not-i-json"))
    assert site.data(visitor) == {"kept": 1}


def test_a_body_of_100000_containers_is_too_large_to_be_read(site):
    body = b"[" * 100_000 + b"]" * 100_000

    assert site.browser().ask("PUT", "/api/session/data/a", body).problem == (413, "too-large")


@each_write
def test_a_body_over_64_kib_is_refused(site, method, path):
    assert site.browser().ask(method, path, "x" * 65536).problem == (413, "too-large")


@each_write
def test_a_body_over_64_kib_of_unknown_length_is_refused(site, method, path):
    answer = site.browser().ask(method, path, "x" * 65536, CONTENT_LENGTH="")

    assert answer.status in (400, 413)


def test_a_body_is_refused_by_its_announced_length_before_it_is_read(site):
    answer = site.browser().ask("PUT", "/api/session/data/a", b"1", CONTENT_LENGTH=str(10**12))

    assert answer.problem == (413, "too-large")


def test_a_refused_body_starts_no_session(site):
    browser = site.browser()
    browser.ask("PUT", "/api/session/data/a", b"tea")

    assert browser.cookie is None
    assert site.visit.store._rows == {}


def test_48_kib_fit(site):
    browser = site.browser()
    value = "x" * 48 * 1024

    assert browser.ask("PUT", "/api/session/data/a", value).status == 204
    assert site.data(browser) == {"a": value}


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded", "nonsense"])
def test_the_content_type_does_not_matter(site, content_type):
    answer = site.browser().ask("PUT", "/api/session/data/a", 1, CONTENT_TYPE=content_type)

    assert answer.status == 204


def test_a_refusal_shows_no_more_than_a_place_in_the_body(site):
    answer = site.browser().ask("PUT", "/api/session/data/a", b'"secret')

    assert "secret" not in answer.json["detail"]
