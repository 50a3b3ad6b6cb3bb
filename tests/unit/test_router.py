"""The router's check speaks MySQL by two packets of bytes. Here they are taken apart."""

from __future__ import annotations

import re
from pathlib import Path

from pymysql.constants import CLIENT, COMMAND

CONFIGURATION = (Path(__file__).parents[2] / "infra/group/router.cfg").read_text()
LOGIN, QUESTION_HEAD = (bytes.fromhex(text) for text in re.findall(r"send-binary (\S+)", CONFIGURATION))
(QUESTION,) = re.findall(r'tcp-check send "(.*)"', CONFIGURATION)


def head(packet: bytes) -> tuple[int, int]:
    """Return the length and the number that stand before a packet's content."""
    return int.from_bytes(packet[:3], "little"), packet[3]


def test_the_login_is_that_of_role_with_an_empty_password() -> None:
    length, number = head(LOGIN)
    content = LOGIN[4:]
    assert (length, number) == (len(content), 1)
    flags = int.from_bytes(content[:4], "little")
    assert flags == CLIENT.LONG_PASSWORD | CLIENT.PROTOCOL_41 | CLIENT.SECURE_CONNECTION | CLIENT.PLUGIN_AUTH
    user, answer, plugin = content[32:].split(b"\0", 2)
    assert (user, answer, plugin) == (b"role", b"", b"caching_sha2_password\0")


def test_the_question_is_as_long_as_it_says() -> None:
    length, number = head(QUESTION_HEAD)
    assert (length, number) == (1 + len(QUESTION.encode()), 0)
    assert QUESTION_HEAD[4] == COMMAND.COM_QUERY


def test_the_answer_that_is_looked_for_is_in_no_column_name() -> None:
    assert re.search(r"'WRITER', 'no'\) AS answer FROM", QUESTION)
    assert "expect string WRITER\n" in CONFIGURATION
