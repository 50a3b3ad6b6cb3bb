"""A resolver that takes its time does not use up more than a request may wait."""

from __future__ import annotations

import socket
import threading

import pymysql
import pytest

from hopproof.mysql.database import Database


def test_connecting_ends_in_time_although_the_name_is_not_found_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    is_over = threading.Event()
    waited_for_resolver: list[bool] = []

    def never_finds(*_: object, **__: object) -> None:
        waited_for_resolver.append(is_over.wait(20))
        raise socket.gaierror("no such name")

    monkeypatch.setattr(socket, "getaddrinfo", never_finds)
    pool = Database("db", 3306, "hopproof", "web", "secret").pool()
    try:
        with pytest.raises(pymysql.err.OperationalError, match="no connection within 0\\.1 s"):
            pool.borrow(0.1)
        assert waited_for_resolver == []
    finally:
        is_over.set()
