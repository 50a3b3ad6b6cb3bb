"""The output of the operators' tool, and arguments that it refuses."""

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from hopproof_operator.__main__ import main, seconds, size_in_bytes
from hopproof_operator.display import RowLines, duration, figures, iso, redacted, size, visible
from hopproof_operator.table import Row, share_done
from hopproof_operator.tally import BYTES, MAX_USERS, Distinct, Histogram, Tally


def row(user="ada", *, state="live", age_s=60, ttl_s=1740, json_bytes=100, key=b"k" * 32):
    now = 1_700_000_000
    return Row(key, user, 1, now - age_s, now + ttl_s, now + 43_000, now, json_bytes, state)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (0, "0s"),
        (59, "59s"),
        (60, "1m00s"),
        (3599, "59m59s"),
        (3600, "1h00m"),
        (86_399, "23h59m"),
        (86_400, "1d00h"),
        (99 * 86_400, "99d00h"),
        (100 * 86_400, "100d"),
        (-5, "-5s"),
    ],
)
def test_a_duration_takes_six_characters_and_two_units(given, shown):
    assert duration(given) == shown


@pytest.mark.parametrize(
    ("given", "shown"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (65_536, "64 KiB"), (3 * 1024**2, "3.0 MiB")],
)
def test_a_size_is_rounded(given, shown):
    assert size(given) == shown


def test_a_number_that_is_no_date_has_none():
    assert iso(0) == "1970-01-01T00:00:00Z"
    assert iso(10**18) is None


@pytest.mark.parametrize("name", ["a\x1b[31m", "a\nb", "a\x9bb", "a\u202eb", "a\0"])
def test_a_user_cannot_steer_the_operators_terminal(name):
    shown = RowLines(80, 1800).row(row(name)).plain

    assert visible(name).isprintable()
    assert shown.isprintable()
    assert len(shown.splitlines()) == 1


@pytest.mark.parametrize("user", ["ada", None, "日本の人" * 8, "x" * 64, "é" * 32])
@pytest.mark.parametrize("width", [80, 120, 200])
def test_every_line_fits_the_terminal_and_the_columns_stand(width, user):
    lines = RowLines(width, 1800)
    shown = lines.row(row(user)).plain

    assert cell_len(shown) == cell_len(lines.head().plain) <= width


def test_a_value_is_redacted_to_its_type_and_size():
    secret = {"pin": "1234", "list": [1234]}

    assert redacted(secret) == "object of 2, 28 B"
    assert not any("1234" in redacted(value) for value in [secret, "1234", 1234, 12.34, [1234]])


def test_a_histogram_counts_on_its_edges():
    sizes = Histogram(BYTES)
    for value in (0, 255, 256, 1023, 1024, 65_535, 65_536, 10**9):
        sizes.add(value)

    assert [count for _, count in sizes.named()] == [3, 2, 0, 0, 2, 1]


def test_the_idle_time_is_what_has_passed_of_the_timeout():
    assert row(ttl_s=1740).idle_s(1800) == 60
    assert row(ttl_s=1800).idle_s(1800) == 0
    assert row(ttl_s=5000).idle_s(1800) == 0


def test_who_has_most_sessions_is_found_in_a_crowd_that_does_not_fit():
    tally = Tally(1800)
    for number in range(MAX_USERS + 10):
        tally.add(row(f"user{number}"))
        if number % 1000 == 0:
            tally.add(row("ada"))
    (user, count), *_ = tally.top_users()

    assert tally.users_missed == 1
    assert (user, count) == ("ada", MAX_USERS // 1000)
    assert tally.logged_in == MAX_USERS + 10 + MAX_USERS // 1000 + 1


def test_users_are_counted_one_by_one_while_they_fit_and_nearly_so_beyond():
    few, many = Distinct(), Distinct(most=1000)
    for number in range(40_000):
        few.add(f"user{number % 900}")
        many.add(f"user{number}")

    assert len(few) == 900
    assert len(many) == pytest.approx(40_000, rel=0.1)
    assert len(many._kept) <= 1000


@pytest.mark.parametrize("width", [80, 120])
def test_the_figures_fit_the_terminal(width):
    tally = Tally(1800)
    for user in ("ada", "日本の人", "x" * 64, "a\x1b[0m", "[red]b"):
        tally.add(row(user))
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(figures(tally))
    lines = console.export_text().splitlines()

    assert max(map(cell_len, lines)) <= width
    assert "5  live, 500 B of JSON" in lines[0]
    assert any(line.startswith("[red]b ") for line in lines)
    assert "\x1b" not in "".join(lines)


def test_a_key_tells_how_much_of_the_table_is_done():
    assert share_done(bytes(32)) == 0
    assert share_done(b"\x80" + bytes(31)) == 0.5
    assert 0.99 < share_done(b"\xff" * 32) < 1


def test_times_and_sizes_are_understood():
    assert [seconds(text) for text in ("90", "90s", "15m", "2h", "3D")] == [90, 90, 900, 7200, 259_200]
    assert [size_in_bytes(text) for text in ("500", "4k", "1M")] == [500, 4096, 1024**2]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["list", "--older", "soon"],
        ["list", "--older", "-1m"],
        ["list", "--larger", "1g"],
        ["list", "--user", ""],
        ["list", "--user", "x" * 65],
        ["list", "--user", "\udcff"],
        ["show"],
        ["show", "abc"],
        ["show", "xyz1"],
        ["show", "a" * 65],
        ["end"],
        ["end", "abcd", "--all"],
        ["end", "--user", "ada", "--all"],
        ["clean"],
        ["clean", "--dry-run", "--now"],
    ],
    ids=" ".join,
)
def test_what_is_not_understood_is_refused_before_anything_is_asked(arguments, capsys):
    with pytest.raises(SystemExit) as exit:
        main(arguments, {})

    assert exit.value.code == 2
    assert "usage: hopproof" in capsys.readouterr().err


def test_a_bad_setting_is_one_line(capsys):
    assert main(["list"], {"SESSION_IDLE_S": "soon"}) == 2
    assert capsys.readouterr().err.startswith("hopproof: SESSION_IDLE_S='soon' is not a whole number")
