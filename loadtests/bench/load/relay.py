"""A server that seems to be far away: `relay.py HOST PORT MS` passes each answer on so much later."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable


async def copy(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, later: Callable[..., object]
) -> None:
    with contextlib.suppress(OSError):
        while sent := await reader.read(65536):
            later(writer.write, sent)
    later(writer.close)


async def main(host: str, port: int, ms: float) -> None:
    loop = asyncio.get_running_loop()

    async def relay(client_reader: asyncio.StreamReader, client_writer: asyncio.StreamWriter) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        await asyncio.gather(
            copy(client_reader, writer, lambda act, *given: act(*given)),
            copy(reader, client_writer, lambda act, *given: loop.call_later(ms / 1000, act, *given)),
        )

    async with await asyncio.start_server(relay, "0.0.0.0", port) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
