"""One event loop on one background thread, for one client."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from .._error import GomsgError
from .._failures import failure

T = TypeVar("T")


class Runner:
    """Starts with its first call. The thread is a daemon: a program that forgets to close can still end."""

    def __init__(self) -> None:
        # Entered again when a collection inside it ends an iteration that was dropped.
        self._lock = threading.RLock()
        self._closing = threading.Lock()
        """Held by who closes: a second one returns when all is closed."""
        self._process: int | None = None
        """The process that has the thread; None before there is one."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._handling: dict[int, asyncio.Task[Any]] = {}
        """By threads that run handlers: the tasks that wait for them."""
        self._is_closed = False

    @contextmanager
    def handling(self, task: asyncio.Task[Any] | None) -> Iterator[None]:
        """Around a handler that this thread runs for a task."""
        thread = threading.get_ident()
        if task is not None:
            self._handling[thread] = task
        try:
            yield
        finally:
            self._handling.pop(thread, None)

    @property
    def handled_task(self) -> asyncio.Task[Any] | None:
        """The task for which this thread runs a handler; None when it runs none."""
        return self._handling.get(threading.get_ident())

    def call_soon(self, function: Callable[[], object]) -> None:
        """Lets the event loop call a function. Waits for nothing."""
        with self._lock:
            self._running().call_soon_threadsafe(function)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine of the client. An interrupt gives the call up."""
        try:
            if threading.current_thread() is self._thread:
                raise failure(
                    "INVALID_REQUEST", "a hook cannot call the client that calls it: it would wait for itself"
                )
            if self._is_forked:
                # Before the lock, which a thread that is not here may have held.
                raise failure(
                    "INVALID_REQUEST", "the client was in use when the process forked: make one in each process"
                )
            # Under the lock, so that the event loop takes it before it ends.
            with self._lock:
                future = asyncio.run_coroutine_threadsafe(coroutine, self._running())
        except BaseException:
            coroutine.close()
            raise
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            if self._is_closed:
                raise failure("CLIENT_CLOSED", "the client was closed before the answer came") from None
            raise
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
            # Closed meanwhile, it has nothing left to close.
            with suppress(GomsgError):
                self.run(closed())

    def close(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Runs a last coroutine, then ends the event loop and its thread. Nothing may be called any more."""
        if self._is_forked:
            self._is_closed = True  # All that could end is in the other process.
            return
        with self._closing:
            if self._is_closed:
                return
            self.run(last())
            with self._lock:
                self._is_closed = True
                loop, thread = self._loop, self._thread
            assert loop is not None and thread is not None
            loop.call_soon_threadsafe(loop.stop)
            thread.join()

    @property
    def _is_forked(self) -> bool:
        return self._process is not None and self._process != os.getpid()

    def _running(self) -> asyncio.AbstractEventLoop:
        """The event loop, on its thread. Under the lock."""
        if self._is_closed:
            raise failure("CLIENT_CLOSED", "the client is closed")
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=_run_loop, args=(self._loop,), name="gomsg-sync-client", daemon=True
            )
            self._thread.start()
            self._process = os.getpid()
        return self._loop


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
