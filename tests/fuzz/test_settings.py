"""Any value of any setting: it is taken, or refused with the name of the setting."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from config import Config, ConfigError, read_config
from fuzz.drawn import tried

LISTED = dict(
    re.findall(r"^([A-Z_]+)=(.*)$", (Path(__file__).parents[2] / ".env.example").read_text(), re.MULTILINE)
)
texts = st.one_of(
    st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=30),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(
        ["0", "-1", "1e9", "٣", "1_000", " 5", "yes", "no", "memcached", "22-6", "path", "9" * 20]
    ),
)


def taken(env: dict[str, str]) -> Config | str:
    """Return the configuration, or the words of the refusal."""
    try:
        return read_config(env)
    except ConfigError as refusal:
        return str(refusal)


@given(st.dictionaries(st.sampled_from(sorted(LISTED)), texts, max_size=3))
def test_any_settings_are_taken_or_refused_by_name(changed: dict[str, str]) -> None:
    tried["settings of the app"] += 1
    found = taken(LISTED | changed)
    if isinstance(found, str):
        assert any(name in found for name in changed)
    else:
        assert 0 < found.store_deadline_s <= 5
        assert 0 < found.session_touch_s < found.session_idle_s
        assert found.session_anonymous_idle_s <= found.session_idle_s
        assert found.session_anonymous_max_bytes <= found.session_max_bytes
        assert found.session_cookie.isascii()
