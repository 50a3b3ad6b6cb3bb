"""The page with entries that the probe API has stored under its names."""

import pytest

FORM = "application/x-www-form-urlencoded"
ANYTHING = [
    5,
    [None],
    True,
    "a",
    [],
    ["tea"],
    {},
    {"count": "a", "trail": []},
    {"count": 1},
    {"count": 1, "trail": "web"},
    {"count": -1, "trail": []},
    {"count": 2**53 - 1, "trail": []},
    {"count": 1.5, "trail": [1, None]},
    {"Assam": "a", "Sencha": None, "Earl Grey": -1, "Gunpowder": 2**53 - 1},
    {"x": {"y": []}},
]


@pytest.mark.parametrize("stored", ANYTHING)
def test_the_page_is_shown_whatever_is_stored_under_its_names(site, stored):
    visitor = site.visitor("ada", visits=stored, cart=stored)

    assert [visitor.ask("GET", "/").status for _ in range(2)] == [200, 200]
    assert site.data(visitor)["visits"]["count"] >= 2


@pytest.mark.parametrize("stored", ANYTHING)
def test_tea_goes_into_whatever_is_stored_as_the_cart(site, stored):
    visitor = site.visitor(cart=stored)

    assert visitor.ask("POST", "/cart", b"tea=Darjeeling", CONTENT_TYPE=FORM).status == 303
    assert site.data(visitor)["cart"] == {"Darjeeling": 1}


def test_the_part_that_the_page_understands_stays(site):
    visitor = site.visitor(
        visits={"count": 3, "trail": ["web-a", 1, "web-b"]}, cart={"Assam": 2, "Sencha": "x"}
    )
    visitor.ask("GET", "/")
    visitor.ask("POST", "/cart", b"tea=Assam", CONTENT_TYPE=FORM)

    assert site.data(visitor)["visits"] == {"count": 4, "trail": ["web-a", "web-b", "web-test"]}
    assert site.data(visitor)["cart"] == {"Assam": 3}


# Requests that are no visit


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("HEAD", {}),
        ("GET", {"HTTP_SEC_PURPOSE": "prefetch"}),
        ("GET", {"HTTP_SEC_PURPOSE": "prefetch;prerender"}),
        ("GET", {"HTTP_PURPOSE": "Prefetch"}),
    ],
)
def test_what_is_no_visit_counts_none_and_makes_no_session(site, method, headers):
    stranger = site.browser()
    answer = stranger.ask(method, "/", **headers)
    assert (answer.status, answer.header("Set-Cookie")) == (200, None)
    assert site.visit.store._rows == {}

    visitor = site.browser()
    visitor.ask("GET", "/")
    answer = visitor.ask(method, "/", **headers)
    assert answer.status == 200
    assert site.data(visitor)["visits"]["count"] == 1
