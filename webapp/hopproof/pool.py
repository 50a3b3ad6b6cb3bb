"""Open connections, kept between requests: a connection per request costs about 30 ms.

It knows no driver: a connection is anything with `open`, `said_something` and `abandon`,
and connecting is a function of the seconds it may take.

Why not a library: the pools on offer wait for a free connection for ever or for one fixed
time, but here waiting, connecting and the statements share one deadline per request.
"""

from __future__ import annotations

import os
import select
import socket
import ssl
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Generic, Protocol, TypeVar


class PoolExhausted(Exception):
    """All connections of this process stayed in use for the whole time allowed."""


class Connection(Protocol):
    """The part of a connection that a pool uses."""

    @property
    def open(self) -> bool:
        """False once this side has closed it."""

    def said_something(self) -> bool:
        """True if the other side has sent bytes, or closed the connection, without being asked."""

    def abandon(self) -> None:
        """Close this process's end without telling the other side. Never raises."""


C = TypeVar("C", bound=Connection)


def said_something(sock: socket.socket | None) -> bool:
    """Return whether the socket has bytes to read or is closed. A plain socket is left non-blocking."""
    try:
        if isinstance(sock, ssl.SSLSocket):
            return bool(select.select([sock], [], [], 0)[0])
        # A peek and no select: gevent's select lets other requests run first, even when it need not wait.
        sock.settimeout(0)  # type: ignore[union-attr]
        sock.recv(1, socket.MSG_PEEK)  # type: ignore[union-attr]
    except BlockingIOError:
        return False
    except (OSError, ValueError, TypeError, AttributeError):
        pass  # closed, or a descriptor beyond what select can watch: a new connection is the safe answer
    return True


class Pool(Generic[C]):
    """At most `size` connections of one process, shared by its threads or greenlets.

    A forked child starts with a pool of its own: two processes that talk over one
    socket read each other's answers.
    """

    def __init__(self, connect: Callable[[float], C], size: int) -> None:
        self._connect = connect
        self._size = size
        self._start()

    def _start(self) -> None:
        self._pid = os.getpid()
        self._idle: list[C] = []
        # A queue used as a semaphore: under gevent, threading's yields to other greenlets at each release.
        self._places: SimpleQueue[None] = SimpleQueue()
        for _ in range(self._size):
            self._places.put(None)

    def borrow(self, seconds: float) -> C:
        """Return a connection that was alive a moment ago, within the given seconds.

        Raises PoolExhausted, and passes on the errors of `connect`.
        """
        if self._pid != os.getpid():
            for inherited in self._idle:
                inherited.abandon()
            self._start()

        deadline = time.monotonic() + seconds
        try:
            self._places.get(timeout=seconds)
        except Empty:
            raise PoolExhausted(f"all {self._size} connections were in use for {seconds:.1f} s") from None
        try:
            # The one used last comes first: the rest may grow old enough to be closed.
            while connection := self._last_used():
                # An idle server sends bytes only to close the connection. Asking the kernel
                # saves the round trip of a ping. And a write does not find out halfway,
                # when its outcome would be unknown.
                if not connection.said_something():
                    return connection
                connection.abandon()
            return self._connect(max(deadline - time.monotonic(), 0.001))
        except BaseException:
            self._places.put(None)
            raise

    def _last_used(self) -> C | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def close(self) -> None:
        """Close the idle connections."""
        while connection := self._last_used():
            connection.abandon()

    def give_back(self, connection: C) -> None:
        """Take back a borrowed connection. A closed one is dropped, and its place is free."""
        if connection.open:
            self._idle.append(connection)
        self._places.put(None)
