"""Requests of a browser that says its origin only: a whole origin is compared."""

import pytest

OURS = [
    ("http", "shop.example", "http://shop.example"),
    ("http", "shop.example:80", "http://shop.example"),
    ("http", "shop.example", "http://shop.example:80"),
    ("https", "shop.example", "https://shop.example"),
    ("https", "shop.example:443", "https://shop.example"),
    ("https", "shop.example:8443", "https://shop.example:8443"),
    ("http", "SHOP.example", "http://shop.example"),
    ("http", "[::1]:8080", "http://[::1]:8080"),
]
OTHERS = [
    ("http", "shop.example", "https://shop.example"),
    ("https", "shop.example", "http://shop.example"),
    ("http", "shop.example:443", "https://shop.example"),
    ("http", "shop.example:8080", "http://shop.example"),
    ("http", "shop.example", "http://shop.example.evil.example"),
    ("http", "shop.example", "http://evil.example/shop.example"),
    ("http", "shop.example", "shop.example"),
    ("http", "shop.example", "null"),
    ("http", "shop.example", ""),
    ("http", "shop.example", "http://"),
    ("http", "shop.example", "http://shop.example:x"),
    ("http", "[::1]", "http://[::1"),
    ("http", "[::1", "http://[::1"),
    ("gopher", "shop.example", "gopher://shop.example"),
]


def status(site, scheme, host, origin):
    headers = {"HTTP_HOST": host, "HTTP_X_FORWARDED_PROTO": scheme, "HTTP_ORIGIN": origin}
    return site.browser().ask("POST", "/api/login", {"user": "ada"}, **headers).status


@pytest.mark.parametrize(("scheme", "host", "origin"), OURS)
def test_our_own_page_may_log_in(site, scheme, host, origin):
    assert status(site, scheme, host, origin) == 200


@pytest.mark.parametrize(("scheme", "host", "origin"), OTHERS)
def test_another_origin_may_not(site, scheme, host, origin):
    assert status(site, scheme, host, origin) == 403
