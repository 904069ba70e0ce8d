"""One event loop on one background thread, for one client."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from typing import Any, TypeVar

from .._failures import failure

T = TypeVar("T")

_START_SECONDS = 10.0


class Runner:
    """Starts with its first call. The thread is a daemon: a program that forgets to close can still end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._is_closed = False

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._is_closed:
                raise failure("CLIENT_CLOSED", "the client is closed")
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=_run_loop, args=(self._loop,), name="gomsg-sync-client", daemon=True
                )
                self._thread.start()
            return self._loop

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine of the client. An interrupt gives the call up."""
        try:
            if threading.current_thread() is self._thread:
                raise failure(
                    "INVALID_REQUEST", "a hook cannot call the client that calls it: it would wait for itself"
                )
            loop = self.loop
        except BaseException:
            coroutine.close()
            raise
        future = asyncio.run_coroutine_threadsafe(coroutine, loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def wait_for(self, make: Callable[[], Awaitable[T]]) -> T:
        """The result of something that has to be made on the event loop, such as an acknowledgement."""

        async def made() -> T:
            return await make()

        return self.run(made())

    def iterate(self, items: AsyncIterator[T]) -> Iterator[T]:
        """The elements of an asynchronous generator, fetched as they are needed."""
        end = object()

        async def following() -> T | object:
            return await anext(items, end)

        async def closed() -> None:
            close = getattr(items, "aclose", None)
            if close is not None:
                await close()

        try:
            while (item := self.run(following())) is not end:
                yield item  # type: ignore[misc]
        finally:
            if not self._is_closed:
                self.run(closed())

    def close(self) -> None:
        """Ends the event loop and its thread. Nothing may be called any more."""
        with self._lock:
            self._is_closed = True
            loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def _run_loop(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        pending = asyncio.all_tasks(loop)
        for task in pending:
            task.cancel()
        if pending:
            loop.run_until_complete(asyncio.wait(pending))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()
