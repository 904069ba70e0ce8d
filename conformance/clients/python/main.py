"""The conformance client of Python: does what the runner asks on stdin with the public SDK, and answers on stdout.

Works on all requests at once, and ends with stdin.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
import sys
import threading
from pathlib import Path
from typing import Any

_GENERATED = Path(__file__).parent / "gen"
sys.path[:0] = [str(_GENERATED), str(_GENERATED / "proto" / "gomsg" / "conformance" / "v1")]

import conformance_pb2 as wire  # noqa: E402
from dispatch import METHODS  # noqa: E402
from errors import error_to_wire  # noqa: E402
from streams import Streams  # noqa: E402
from values import arguments, to_wire  # noqa: E402

import gomsg  # noqa: E402

LENGTH_BYTES = 4

CLOSING_SECONDS = 5.0
"""What is left of a client after so long was left behind."""

CLOSING_POLL_SECONDS = 0.02


class _Client:
    def __init__(self, client: gomsg.Client, before: int) -> None:
        self.client = client
        self.before = before
        """Sockets and timers that were there before it."""


class Program:
    """What one runner asks for."""

    def __init__(self) -> None:
        self._clients: dict[str, _Client] = {}
        self._open: set[str] = set()
        """Names of the clients that are not closed."""
        self._calls: dict[int, asyncio.Task[Any]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._streams = Streams(lambda event: self._send(wire.Response(event=event)))

    def take(self, request: wire.Request) -> None:
        task = asyncio.create_task(self._answer(request), name=f"conformance-{request.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, request: wire.Request) -> None:
        try:
            response = await self._outcome(request)
        except Exception as error:
            response = wire.Response(error=error_to_wire(error))
        response.id = request.id
        self._send(response)

    async def _outcome(self, request: wire.Request) -> wire.Response:
        action = request.WhichOneof("action")
        if action == "connect":
            self._connect(request.connect)
        elif action == "call":
            return wire.Response(result=await self._call(request.id, request.call))
        elif action == "open_stream":
            await self._streams.open(self._clients[request.open_stream.client].client, request.open_stream)
        elif action == "settle":
            await self._streams.settle(request.settle)
        elif action == "close_stream":
            await self._streams.close(request.close_stream.stream)
        elif action == "close_client":
            return wire.Response(closed=wire.Closed(leaked=await self._close(request.close_client.client)))
        elif action == "cancel":
            task = self._calls.get(request.cancel.request_id)
            if task is not None:
                task.cancel()
        return wire.Response(result=to_wire(None))

    def _connect(self, request: wire.Connect) -> None:
        before = _resources()
        options: dict[str, Any] = {}
        if request.HasField("timeout"):
            options["timeout"] = request.timeout.ToTimedelta()
        if request.HasField("unreachable_timeout"):
            options["unreachable_timeout"] = request.unreachable_timeout.ToTimedelta()
        for name in ("max_in_flight_bytes", "max_waiting_calls", "max_collected"):
            if getattr(request, name) > 0:
                options[name] = getattr(request, name)
        self._open.add(request.client)
        self._clients[request.client] = _Client(gomsg.connect(list(request.addresses), **options), before)

    async def _call(self, request_id: int, request: wire.Call) -> wire.Value:
        entry = METHODS[request.method]
        client = self._clients[request.client].client
        args, options = arguments(request.method, request.args, request.options)
        if request.HasField("timeout"):
            options[entry.timeout] = request.timeout.ToTimedelta()
        method = getattr(getattr(client, entry.service), entry.name)

        async def called() -> Any:
            if entry.kind == "iter":
                return [element async for element in method(*args, **options)]
            return await method(*args, **options)

        task = asyncio.create_task(called(), name=f"conformance-call-{request_id}")
        self._calls[request_id] = task
        try:
            return to_wire(await task, entry.returns_duration)
        except asyncio.CancelledError as error:
            # Python's own way to give a call up; the other languages tell it by a typed error.
            raise _canceled(request.method) from error
        finally:
            del self._calls[request_id]

    async def _close(self, name: str) -> int:
        """Closes a client. Returns how much it left behind."""
        held = self._clients[name]
        await held.client.close()
        self._open.discard(name)
        if self._open:
            return 0  # What is there may be another client's: only the last one is held to account.
        for _ in range(round(CLOSING_SECONDS / CLOSING_POLL_SECONDS)):
            if _resources() <= held.before and not _tasks_of_sdk():
                break
            # gRPC closes sockets on threads of its own, moments later.
            await asyncio.sleep(CLOSING_POLL_SECONDS)
        return max(0, _resources() - held.before) + _tasks_of_sdk()

    def _send(self, response: wire.Response) -> None:
        message = response.SerializeToString()
        sys.stdout.buffer.write(len(message).to_bytes(LENGTH_BYTES, "big") + message)
        sys.stdout.buffer.flush()


def _canceled(method: str) -> gomsg.CanceledError:
    return gomsg.CanceledError(
        f"{method}: canceled by the caller", reason=gomsg.ErrorReason.CANCELED, code=1, method=method
    )


def _resources() -> int:
    """Open TCP sockets of this process. What gRPC keeps for the process as a whole, such as its pollers, is no client's."""
    count = 0
    for entry in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else ():
        with contextlib.suppress(OSError):  # Closed since it was listed.
            if stat.S_ISSOCK(os.fstat(int(entry)).st_mode):
                with socket.socket(fileno=os.dup(int(entry))) as one:
                    count += one.family in (socket.AF_INET, socket.AF_INET6)
    return count


def _tasks_of_sdk() -> int:
    return sum(1 for task in asyncio.all_tasks() if task.get_name().startswith("gomsg-"))


def _read_requests(loop: asyncio.AbstractEventLoop, program: Program, ended: asyncio.Event) -> None:
    """On a thread of its own, since stdin may be a file or a pipe."""
    source = sys.stdin.buffer
    while True:
        head = source.read(LENGTH_BYTES)
        if len(head) < LENGTH_BYTES:
            break
        body = source.read(int.from_bytes(head, "big"))
        loop.call_soon_threadsafe(program.take, wire.Request.FromString(body))
    loop.call_soon_threadsafe(ended.set)


async def main() -> None:
    ended = asyncio.Event()
    arguments_of_reader = (asyncio.get_running_loop(), Program(), ended)
    threading.Thread(target=_read_requests, args=arguments_of_reader, name="requests", daemon=True).start()
    await ended.wait()
    # What is still open is nobody's any more.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main())
