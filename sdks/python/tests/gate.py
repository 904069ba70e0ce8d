"""Between a client and a node, to make the node silent: as one that is stopped, whose machine still takes connections."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

_CHUNK_BYTES = 64 * 1024


class Gate:
    """Passes bytes on both ways while it is open. Shut, it takes connections and bytes, and passes them on later."""

    def __init__(self, target: str) -> None:
        self.address = ""
        self.connections = 0
        self._target = target
        self._open = asyncio.Event()
        self._open.set()
        self._server: asyncio.Server | None = None
        self._passing: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._is_closed = False

    def shut(self) -> None:
        self._open.clear()

    def open(self) -> None:
        self._open.set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.address = f"127.0.0.1:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self._is_closed = True
        for writer in self._writers:
            # With what it still holds, which nobody takes any more.
            writer.transport.abort()
        for task in self._passing:
            task.cancel()
        if self._passing:
            await asyncio.wait(self._passing)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        host, _, port = self._target.rpartition(":")
        try:
            there_reader, there_writer = await asyncio.open_connection(host, int(port))
        except OSError:
            writer.close()
            return
        self._writers.add(there_writer)
        if self._is_closed:
            writer.transport.abort()
            there_writer.transport.abort()
            return
        for one, other in ((reader, there_writer), (there_reader, writer)):
            task = asyncio.create_task(self._pass(one, other))
            self._passing.add(task)
            task.add_done_callback(self._passing.discard)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await self._open.wait()
                chunk = await reader.read(_CHUNK_BYTES)
                await self._open.wait()
                if not chunk:
                    return
                writer.write(chunk)
                await writer.drain()
        except OSError:
            return  # The other end is gone, which ends this one too.
        finally:
            writer.close()
