"""One throw-away memcached in a container, and a proxy to it that a test can block."""

from __future__ import annotations

import os
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from database_server import DockerContainer
from deadline import until

from hopproof.memcached.cache import CacheUnavailable
from hopproof.memcached.client import Memcached


@dataclass
class MemcachedServer:
    container: DockerContainer
    port: int

    def __post_init__(self) -> None:
        self.client = Memcached("127.0.0.1", self.port, timeout_s=5)

    def answers(self) -> bool:
        with suppress(CacheUnavailable):
            self.client.gets("anything")
            return True
        return False


@contextmanager
def running_memcached() -> Iterator[MemcachedServer]:
    """Run the image of MEMCACHED_IMAGE until the end."""
    image = os.environ.get("MEMCACHED_IMAGE")
    if not image:
        raise RuntimeError(
            "MEMCACHED_IMAGE is not set: it names the image to test against, "
            "see infra/bare/images/versions.env; the test runner sets it"
        )
    container = DockerContainer(image, labels={"hopproof.test": os.environ["HOPPROOF_TEST_RUN"]})
    container.ports["11211/tcp"] = ("127.0.0.1",)  # type: ignore[assignment]  # any free port of this machine only
    with container:
        server = MemcachedServer(container, container.get_exposed_port(11211))
        until(server.answers, 30, lambda: b"".join(container.get_logs()).decode(errors="replace"), 0.1)
        try:
            yield server
        finally:
            server.client.close()


class Road:
    """A proxy to a port. Once blocked, it accepts connections and sends nothing more."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._is_blocked = False
        self._is_over = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._ways: dict[socket.socket, socket.socket] = {}
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def block(self) -> None:
        self._is_blocked = True

    def unblock(self) -> None:
        self._is_blocked = False

    def close(self) -> None:
        self._is_over = True
        self._thread.join(10)
        for end in [self._listener, *self._ways]:
            end.close()

    def _carry(self) -> None:
        while not self._is_over:
            waiting = [self._listener, *(() if self._is_blocked else self._ways)]
            for ready in select.select(waiting, [], [], 0.02)[0]:
                if ready is self._listener:
                    here = self._listener.accept()[0]
                    there = socket.create_connection(("127.0.0.1", self._to))
                    self._ways |= {here: there, there: here}
                elif ready in self._ways and not self._is_blocked:
                    self._pass_on(ready)

    def _pass_on(self, end: socket.socket) -> None:
        said = b""
        with suppress(OSError):
            said = end.recv(65536)
            self._ways[end].sendall(said)
        if not said:
            other = self._ways.pop(end)
            self._ways.pop(other)
            end.close()
            other.close()
