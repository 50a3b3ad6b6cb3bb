import re
import ssl
from dataclasses import fields
from pathlib import Path

import pytest

from config import BALANCER_WAITS_S, Config, ConfigError, read_config, whole

ENV_EXAMPLE = Path(__file__).parents[2] / ".env.example"
# Wired by docker-compose.yml, not to be set by a user.
WIRED = {
    "DB_HOST",
    "DB_PORT",
    "DB_USER",
    "DB_PASSWORD_FILE",
    "DB_TLS",
    "DB_TLS_CA",
    "MEMCACHED_HOST",
    "MEMCACHED_PORT",
}


class Asked(dict):
    """An environment that remembers what it was asked for."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.names = set()

    def get(self, name, default=None):
        self.names.add(name)
        return super().get(name, default)


def names():
    env = Asked()
    read_config(env)
    return env.names


def example():
    lines = ENV_EXAMPLE.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_the_defaults_are_those_of_the_contract():
    config = read_config({})

    assert (config.session_idle_s, config.session_absolute_s, config.session_touch_s) == (1800, 43200, 60)
    assert (config.session_max_bytes, config.tombstone_s, config.store_deadline_s) == (65536, 60, 2.5)
    assert (config.janitor_period_s, config.janitor_batch, config.janitor_pause_ms) == (60, 100, 50)
    assert (config.session_cookie, config.session_cookie_max_age_s) == ("session", None)
    assert config.session_cookie_secure is False


def test_every_setting_is_in_the_example_file():
    assert names() - WIRED <= example().keys()


def test_every_setting_of_the_example_file_is_explained():
    text = ENV_EXAMPLE.read_text()

    for name in example():
        assert re.search(rf"^# .+\n(\w+=.*\n)*{name}=", text, re.MULTILINE), f"{name} has no comment above it"


def test_a_setting_in_the_environment_is_taken():
    config = read_config({"SESSION_IDLE_S": "90", "STORE_DEADLINE_S": "1.5", "SESSION_COOKIE_SECURE": "yes"})

    assert (config.session_idle_s, config.store_deadline_s, config.session_cookie_secure) == (90, 1.5, True)


TEXTS = {"DB_HOST", "DB_NAME", "DB_USER", "DB_PASSWORD_FILE", "MEMCACHED_HOST"}


def test_an_empty_setting_is_the_default():
    # Compose passes what .env does not set as an empty text.
    others = [name for name in names() - TEXTS if read_config({name: ""}) != read_config({})]

    assert others == []


WHOLE = sorted(
    name
    for name in names()
    if any(field.name == name.lower() and "int" in str(field.type) for field in fields(Config))
)


@pytest.mark.parametrize("raw", ["soon", "-1", "1.5", "1e3", " 5", "٣", "0x10", "5s", "9" * 5000])
def test_what_is_not_a_whole_number_is_refused_with_what_to_type(raw):
    with pytest.raises(ConfigError) as error:
        whole({"A": raw}, "A", 7, unit="seconds", most=20)

    assert str(error.value) == f"A={raw!r} is not a whole number of seconds from 1 to 20; try A=7"


def complaint(name, raw):
    """Return the setting that stops the boot, None if none does."""
    try:
        read_config({name: raw})
    except ConfigError as error:
        message = str(error)
        assert f"try {name}=" in message
        return message.partition(" is not a whole number")[0]
    return None


def test_every_whole_number_stops_the_boot_if_it_is_none():
    assert {name: complaint(name, "soon") for name in WHOLE} == {name: f"{name}='soon'" for name in WHOLE}


def test_every_whole_number_has_an_upper_bound():
    raw = "9" * 12
    assert {name: complaint(name, raw) for name in WHOLE} == {name: f"{name}={raw!r}" for name in WHOLE}


def test_an_id_is_remembered_for_longer_than_any_request_takes():
    assert read_config({"TOMBSTONE_S": "11"}).tombstone_s == 11
    assert complaint("TOMBSTONE_S", "10") == "TOMBSTONE_S='10'"


def test_anonymous_sessions_have_the_limits_of_users_unless_said_otherwise():
    config = read_config({"SESSION_IDLE_S": "900", "SESSION_MAX_BYTES": "5000"})
    assert (config.session_anonymous_idle_s, config.session_anonymous_max_bytes) == (900, 5000)


@pytest.mark.parametrize(
    ("name", "raw"), [("SESSION_ANONYMOUS_IDLE_S", "1801"), ("SESSION_ANONYMOUS_MAX_BYTES", "65537")]
)
def test_a_visitor_without_a_name_gets_no_more_than_a_user(name, raw):
    assert complaint(name, raw) == f"{name}={raw!r}"


def test_zero_stops_the_boot_but_where_it_means_something():
    allowed = {"SESSION_COOKIE_MAX_AGE_S", "JANITOR_GRACE_S", "SESSIONS_PER_USER"}

    assert {name: complaint(name, "0") for name in WHOLE} == {
        name: None if name in allowed else f"{name}='0'" for name in WHOLE
    }


@pytest.mark.parametrize(("cache", "most"), [("none", 3.5), ("memcached", 2.5)])
def test_a_server_answers_before_the_balancer_gives_up(cache: str, most: float) -> None:
    assert read_config({"CACHE": cache, "STORE_DEADLINE_S": str(most)}).store_deadline_s == most
    with pytest.raises(
        ConfigError, match=rf"STORE_DEADLINE_S={most + 0.5} .* are 5\.0 s, and the balancer waits 4\.5 s"
    ):
        read_config({"CACHE": cache, "STORE_DEADLINE_S": str(most + 0.5)})
    balancer = (Path(__file__).parents[2] / "loadbalancer/haproxy.cfg").read_text()
    assert f"timeout server {BALANCER_WAITS_S * 1000:.0f}ms" in balancer


def test_a_cookie_of_max_age_zero_ends_with_the_browser():
    assert read_config({"SESSION_COOKIE_MAX_AGE_S": "0"}).session_cookie_max_age_s is None


@pytest.mark.parametrize(
    ("name", "raw", "expectation"),
    [
        ("STORE_DEADLINE_S", "0", "positive number of seconds"),
        ("STORE_DEADLINE_S", "0.0", "positive number of seconds"),
        ("STORE_DEADLINE_S", "nan", "positive number of seconds"),
        ("STORE_DEADLINE_S", "inf", "positive number of seconds"),
        ("STORE_DEADLINE_S", "-2.5", "positive number of seconds"),
        ("STORE_DEADLINE_S", "2,5", "positive number of seconds"),
        ("SESSION_COOKIE_SECURE", "true", "neither no nor yes"),
        ("SESSION_COOKIE_SECURE", "1", "neither no nor yes"),
        ("CACHE", "redis", "neither none nor memcached"),
        ("CACHE", "yes", "neither none nor memcached"),
        ("STORE", "MySQL", "neither mysql nor memcached"),
        ("JANITOR_WINDOW", "22", "two different hours from 0 to 23"),
        ("JANITOR_WINDOW", "22-24", "two different hours from 0 to 23"),
        ("JANITOR_WINDOW", "6-6", "two different hours from 0 to 23"),
        ("JANITOR_WINDOW", "22:00-6:00", "two different hours from 0 to 23"),
        ("JANITOR_WINDOW", "-1-5", "two different hours from 0 to 23"),
        ("JANITOR_WINDOW", "22-6\n", "two different hours from 0 to 23"),
        ("SESSION_COOKIE", "my session", "letters"),
        ("SESSION_COOKIE", "a;b", "letters"),
        ("SESSION_COOKIE", "a=b", "letters"),
        ("SESSION_COOKIE", "session\n", "letters"),
        ("SESSION_COOKIE", "sessión", "letters"),
        ("SESSION_COOKIE", "s" * 65, "letters"),
        ("SESSION_COOKIE", "path", "attribute of cookies"),
        ("SESSION_COOKIE", "SameSite", "attribute of cookies"),
        ("SESSION_COOKIE", "__Host-sid", "prefix"),
        ("SESSION_COOKIE", "__secure-sid", "prefix"),
        ("DB_NAME", "a`b", "letters"),
        ("DB_NAME", "d" * 65, "letters"),
    ],
)
def test_a_bad_value_names_variable_value_and_expectation(name, raw, expectation):
    with pytest.raises(ConfigError) as error:
        read_config({name: raw})

    assert f"{name}={raw!r}" in str(error.value)
    assert expectation in str(error.value)
    assert "try " in str(error.value)


@pytest.mark.parametrize(
    ("raw", "hours"),
    [("22-6", {22, 23, 0, 1, 2, 3, 4, 5}), ("2-5", {2, 3, 4}), ("23-0", {23}), ("0-23", set(range(23)))],
)
def test_a_window_is_the_hours_from_its_first_to_its_last(raw, hours):
    window = read_config({"JANITOR_WINDOW": raw}).janitor_window

    assert {hour for hour in range(24) if window.include(hour)} == hours


def test_the_janitor_works_all_day_and_grants_no_grace_unless_somebody_wants_it():
    config = read_config({})

    assert (config.janitor_window, config.janitor_grace_s) == (None, 0)


def test_there_is_no_cache_unless_somebody_wants_one():
    config = read_config({})

    assert (config.store, config.cache, config.cache_ttl_s) == ("mysql", "none", 5)


def test_copies_that_would_live_for_long_stop_the_boot():
    assert read_config({"CACHE_TTL_S": "60"}).cache_ttl_s == 60
    with pytest.raises(ConfigError, match="try CACHE_TTL_S=5"):
        read_config({"CACHE_TTL_S": "61"})


def test_memcached_in_front_of_memcached_stops_the_boot():
    with pytest.raises(ConfigError, match="try CACHE=none"):
        read_config({"STORE": "memcached", "CACHE": "memcached"})


def test_sessions_that_no_item_of_memcached_can_hold_stop_the_boot():
    assert complaint("SESSION_MAX_BYTES", "1000001") == "SESSION_MAX_BYTES='1000001'"


@pytest.mark.parametrize("settings", [{"SESSION_IDLE_S": "60"}, {"SESSION_ANONYMOUS_IDLE_S": "60"}])
def test_touching_less_often_than_sessions_expire_stops_the_boot(settings):
    with pytest.raises(ConfigError, match="SESSION_TOUCH_S=60 is not below"):
        read_config(settings)


def test_the_password_is_read_from_its_file(tmp_path):
    secret = tmp_path / "password"
    secret.write_text("s3cret\n")

    assert read_config({"DB_PASSWORD_FILE": str(secret)}).db_password() == "s3cret"


def test_a_missing_password_file_says_what_to_type():
    with pytest.raises(ConfigError, match="make up"):
        read_config({"DB_PASSWORD_FILE": "/nowhere/password"}).db_password()


def test_the_database_is_asked_in_the_clear_unless_somebody_wants_tls():
    assert read_config({}).db_tls_context() is None
    context = read_config({"DB_TLS": "verify"}).db_tls_context()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_that_holds_no_authority_stops_the_boot(tmp_path, content):
    file = tmp_path / "ca.pem"
    if content:
        file.write_text(content)
    with pytest.raises(ConfigError, match=r"DB_TLS_CA=.*ca\.pem.* try DB_TLS_CA="):
        read_config({"DB_TLS": "verify", "DB_TLS_CA": str(file)}).db_tls_context()


def test_the_settings_show_no_password(tmp_path):
    secret = tmp_path / "password"
    secret.write_text("s3cret")

    assert "s3cret" not in repr(read_config({"DB_PASSWORD_FILE": str(secret)}))
