import pytest

ACCEPTED = {
    "a": "a",
    "a%2Fb": "a/b",
    "a/b": "a/b",
    "%20": " ",
    "%C3%A9": "é",
    "%F0%9F%8D%B5": "🍵",
    "%00": "\0",
    "a%0Ab": "a\nb",
    "%0A": "\n",
    "%0D%0A": "\r\n",
    "%25": "%",
    "%2525": "%25",
    "%": "%",
    "%zz": "%zz",
    "a+b": "a+b",
    "a%3Fb": "a?b",
    "a?b": "a",
    "a%23b": "a#b",
    "..%2F..": "../..",
    "a.b": "a.b",
    "-1": "-1",
    "%22": '"',
    "a" * 128: "a" * 128,
    "%C3%A9" * 128: "é" * 128,
    "%F0%9F%8D%B5" * 128: "🍵" * 128,
}
REFUSED = ["", "?a", "a" * 129, "%C3%A9" * 129, "%ff", "a%ffb", "%C3", "%ED%A0%80", "%C0%AF", "%F4%90%80%80"]
VERBS = [
    ("PUT", "/api/session/data/", 1),
    ("DELETE", "/api/session/data/", None),
    ("POST", "/api/session/counters/", None),
    ("POST", "/api/session/lists/", 1),
]


def test_a_key_is_the_decoded_rest_of_the_path(site):
    browsers = {spelled: site.browser() for spelled in ACCEPTED}
    for spelled, browser in browsers.items():
        browser.ask("PUT", f"/api/session/data/{spelled}", 1)

    assert {spelled: site.data(browser) for spelled, browser in browsers.items()} == {
        spelled: {key: 1} for spelled, key in ACCEPTED.items()
    }


@pytest.mark.parametrize(("method", "prefix", "body"), VERBS, ids=["set", "remove", "count", "append"])
def test_a_key_that_is_none_is_refused(site, method, prefix, body):
    visitor = site.visitor(a=1)
    told = {spelled: visitor.ask(method, prefix + spelled, body).problem for spelled in REFUSED}

    assert told == dict.fromkeys(REFUSED, (400, "bad-key"))
    assert site.data(visitor) == {"a": 1}


@pytest.mark.parametrize(
    "path",
    ["/api/session/d%61ta/a%2Fb", "http://shop.example/api/session/data/a%2Fb", "/%61pi/session/data/a/b"],
)
def test_a_path_may_be_spelled_in_other_ways_and_means_the_same_key(site, path):
    browser = site.browser()
    answer = browser.ask("PUT", path, 1, PATH_INFO="/api/session/data/a/b")

    assert answer.status == 204
    assert site.data(browser) == {"a/b": 1}


def test_a_path_whose_slashes_are_encoded_before_the_key_is_refused(site):
    browser = site.browser()
    answer = browser.ask("PUT", "/api%2Fsession/data/x/y/z", 1)

    assert answer.problem == (400, "bad-key")
    assert browser.cookie is None


@pytest.mark.parametrize(("method", "prefix", "body"), VERBS, ids=["set", "remove", "count", "append"])
def test_every_verb_takes_an_encoded_key(site, method, prefix, body):
    visitor = site.visitor()

    assert visitor.ask(method, f"{prefix}a%2F%F0%9F%8D%B5%0A", body).status in (200, 204)
    assert set(site.data(visitor)) - {"visited"} <= {"a/🍵\n"}


def test_keys_that_differ_in_a_broken_byte_are_not_mixed_up(site):
    visitor = site.visitor(a=1)
    visitor.ask("PUT", "/api/session/data/%ffa", 2)

    assert site.data(visitor) == {"a": 1}


@pytest.mark.parametrize("key", ["%EF%BF%BF", "%EF%B7%90"], ids=["U+FFFF", "U+FDD0"])
def test_a_key_that_is_not_i_json_is_refused_by_name(site, key):
    answer = site.browser().ask("PUT", f"/api/session/data/{key}", 1)

    assert answer.problem == (400, "not-i-json")
    assert answer.json["key"] in ("\uffff", "\ufdd0")
