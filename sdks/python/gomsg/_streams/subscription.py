"""A subscription as its user holds it: with a handler, or to iterate over."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeAlias, TypeVar

from .._error import GomsgError
from .._failures import failure, transport_failure

if TYPE_CHECKING:
    from .._core import Core

T = TypeVar("T")

Handler: TypeAlias = Callable[[T], object]
"""Called with each item. What it returns is awaited when it can be."""

ErrorHandler: TypeAlias = Callable[[Exception, T | None], object]
"""Told an error and the item that it is about: HANDLER_FAILED, with what the handler raised as its cause, or why an
acknowledgement that nobody awaits failed. What it returns is awaited when it can be.
"""

_INTERNAL = 13

ERROR_TEXT_BYTES = 1_024
"""Most bytes of the text that a message is given back with, as the server keeps them."""


class Feed(Protocol[T]):
    """Where the items come from, over any number of connections."""

    report: Callable[[BaseException, object], None]
    """Told of acknowledgements that fail and that nobody awaits."""

    async def open(self) -> None:
        """Returns once the server has the subscription in place."""

    async def next_batch(self) -> list[T]:
        """The next items, at least one. Raises GomsgError at the end."""

    async def close(self) -> None: ...


class _CanGoBack(Protocol):
    async def nack(self, *, error: str) -> None: ...


class Subscription(Generic[T]):
    """Items of a stream. It begins when it is awaited, entered with `async with`, or iterated over.

    With a handler, items go to it one at a time, in order; `wait` tells how it ended. Without one, `async for` yields
    them, and a reader that is slow makes the server wait. It goes on after a lost connection until it is closed, or its
    client is, or until an error says that it cannot.
    """

    def __init__(
        self,
        core: Core,
        method: str,
        feed: Feed[T],
        handler: Handler[T] | None,
        on_error: ErrorHandler[T] | None,
        *,
        gives_back: bool,
    ) -> None:
        self._core = core
        self._method = method
        if handler is not None and not callable(handler):
            raise self.refusal("handler", "a function")
        if on_error is not None and not callable(on_error):
            raise self.refusal("on_error", "a function")
        core.refuse_closed(method)
        self._feed = feed
        self._handler = handler
        self._on_error = on_error
        self._gives_back = gives_back
        """A message whose handler failed is given back, and the subscription goes on."""
        self._opening: asyncio.Task[None] | None = None
        self._running: asyncio.Task[None] | None = None
        self._fetching: asyncio.Task[list[T]] | None = None
        self._reports: set[asyncio.Task[None]] = set()
        self._buffer: deque[T] = deque()
        self._handling: asyncio.Future[None] | None = None
        """Done when the handler that runs has returned, or closes the client."""
        self._closer: asyncio.Task[Any] | None = None
        """The task of the handler that closes the client, if any does."""
        self._is_closing = False
        self._is_entered = False
        self._ended = asyncio.Event()
        self._error: GomsgError | None = None
        self.on_ended: Callable[[], None] = lambda: None
        """Called when it ended, maybe more than once."""
        feed.report = self._report

    def refusal(self, param: str, wanted: str) -> GomsgError:
        """The error of a handler that is none."""
        return failure(
            "INVALID_REQUEST", f"{self._method}: {param}: give {wanted}", method=self._method, subject=param
        )

    # Beginning.

    def __await__(self) -> Generator[Any, None, Self]:
        self._is_entered = True
        return self._begin().__await__()

    async def __aenter__(self) -> Self:
        self._is_entered = True
        return await self._begin()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _begin(self) -> Self:
        self._core.refuse_closed(self._method)
        loop = self._core.loop
        if self._is_closing:
            raise failure("CANCELED", f"{self._method}: the subscription is closed", method=self._method)
        if self._opening is None:
            self._core.opened(self)
            self._opening = loop.create_task(self._open(), name=f"gomsg-{self._method}-open")
        opening = self._opening
        try:
            await asyncio.wait([opening])
        except asyncio.CancelledError:
            if not opening.done():
                await self.close()
            raise
        if opening.cancelled():
            raise failure("CANCELED", f"{self._method}: the subscription was closed", method=self._method)
        if self._error is not None and self._running is None:
            raise self._error
        return self

    async def _open(self) -> None:
        try:
            await self._feed.open()
        except Exception as error:
            await self._end(self._typed(error))
            return
        if self._handler is not None:
            self._running = asyncio.create_task(self._run(self._handler), name=f"gomsg-{self._method}")

    # With a handler.

    async def _run(self, handler: Handler[T]) -> None:
        error: GomsgError | None = None
        try:
            while not self._is_closing:
                for item in await self._feed.next_batch():
                    self._handling = asyncio.get_running_loop().create_future()
                    try:
                        await self._handle(handler, item)
                    finally:
                        if not self._handling.done():
                            self._handling.set_result(None)
                    if self._is_closing:
                        break
        except Exception as failed:
            error = self._typed(failed)
        finally:
            await self._end(error)
            error = None  # Else it and this frame keep each other.

    async def _handle(self, handler: Handler[T], item: T) -> None:
        try:
            result = handler(item)
            if inspect.isawaitable(result):
                await result
        except Exception as error:
            await self._handler_failed(error, item)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling() > 0:
                raise
            # The handler itself awaited something that was canceled.
            await self._handler_failed(RuntimeError(f"canceled: {error}"), item)

    async def _handler_failed(self, error: Exception, item: T) -> None:
        if self._gives_back:
            text = f"{type(error).__name__}: {error}".encode()[:ERROR_TEXT_BYTES].decode(errors="ignore")
            message: _CanGoBack = item  # type: ignore[assignment]
            try:
                await message.nack(error=text)
            except GomsgError as failed:
                # Settled by the handler already, or the lease ran out: then there is nothing to give back.
                self._core.hooks.log("debug", "a message could not be given back", error=failed)
        failed_handler = self._failed_handler(error)
        if self._on_error is not None:
            await self._tell(self._on_error, failed_handler, item)
        elif not self._gives_back:
            raise failed_handler from error
        else:
            self._core.hooks.log("warning", "the handler of a consumer failed", method=self._method, error=error)

    async def _tell(self, on_error: ErrorHandler[T], error: Exception, item: T | None) -> None:
        try:
            result = on_error(error, item)
            if inspect.isawaitable(result):
                await result
        except Exception as raised:
            raise self._failed_handler(raised) from raised

    def _failed_handler(self, error: Exception) -> GomsgError:
        return failure(
            "HANDLER_FAILED",
            f"{self._method}: the handler failed: {type(error).__name__}: {error}",
            method=self._method,
            cause=error,
        )

    def _report(self, error: BaseException, item: object) -> None:
        """An acknowledgement failed that nobody awaits."""
        self._core.hooks.log("warning", "an acknowledgement failed", method=self._method, error=error)
        if self._on_error is None or not isinstance(error, Exception) or self._ended.is_set():
            return
        told = asyncio.create_task(self._tell_quietly(self._on_error, error, item))  # type: ignore[arg-type]
        self._reports.add(told)
        told.add_done_callback(self._reports.discard)

    async def _tell_quietly(self, on_error: ErrorHandler[T], error: Exception, item: T | None) -> None:
        try:
            await self._tell(on_error, error, item)
        except GomsgError as failed:
            self._core.hooks.log("error", "an error handler failed", method=self._method, error=failed)

    # Without a handler.

    def __aiter__(self) -> AsyncIterator[T]:
        if self._handler is not None:
            raise failure(
                "INVALID_REQUEST",
                f"{self._method}: its handler takes the items; leave the handler out to iterate",
                method=self._method,
                subject="handler",
            )
        return _Items(self)

    async def next_item(self) -> T:
        """The next item. Raises StopAsyncIteration at the end, or the error that ended it."""
        if self._opening is None:
            await self._begin()
        while not self._buffer:
            if self._is_closing or self._ended.is_set():
                if self._error is not None:
                    raise self._error
                raise StopAsyncIteration
            if self._fetching is None:
                self._fetching = asyncio.create_task(self._feed.next_batch(), name=f"gomsg-{self._method}-next")
            fetching = self._fetching
            # Not awaited itself: a caller that gives up must not take the connection with it.
            await asyncio.wait([fetching])
            if self._fetching is not fetching:
                continue
            self._fetching = None
            if fetching.cancelled():
                continue
            error = fetching.exception()
            if isinstance(error, Exception):
                await self._end(self._typed(error))
            else:
                self._buffer.extend(fetching.result())
        return self._buffer.popleft()

    def abandoned(self) -> None:
        """Nobody can iterate any more. Closes it, unless it has an owner who will."""
        if not self._is_entered and not self._is_closing and not self._ended.is_set():
            closing = asyncio.ensure_future(self.close())
            self._reports.add(closing)
            closing.add_done_callback(self._reports.discard)

    # Ending.

    @property
    def is_closed(self) -> bool:
        """It ended, or is about to."""
        return self._is_closing or self._ended.is_set()

    async def wait(self) -> None:
        """Returns when it was closed; raises GomsgError when something else ended it."""
        await self._ended.wait()
        if self._error is not None:
            raise self._error

    async def close(self) -> None:
        """Ends it, and waits until nothing of it is left. What is not acknowledged comes again, where it has a name.

        A handler that runs is waited for, up to the client's close_timeout; then it is canceled. Twice does no harm.
        """
        self._is_closing = True
        opening, running, fetching = self._opening, self._running, self._fetching
        if opening is None:
            self._ended.set()
            return
        if running is asyncio.current_task():
            return  # By the handler itself: it ends when the handler returns.
        await _finished(opening)
        running = self._running
        if running is not None and not running.done():
            # The stream stays until then: with it, the server would give what is being handled to somebody else.
            if self._handling is not None:
                await asyncio.wait([self._handling], timeout=self._core.limits.close_timeout)
            await self._feed.close()
            if running is self._closer:
                return
            await _finished(running)
        if fetching is not None:
            await _finished(fetching)
        await self._end(None)
        for told in list(self._reports):
            if told not in (asyncio.current_task(), self._closer):
                await asyncio.wait([told], timeout=self._core.limits.close_timeout)

    def closes_client(self, task: asyncio.Task[Any] | None) -> None:
        """The task is about to close the client. When it is that of the handler, nobody waits for the handler, which
        itself waits for the client: the subscription ends when it returns.
        """
        if task is None or (task is not self._running and task not in self._reports):
            return
        self._is_closing = True
        self._closer = task
        if task is self._running and self._handling is not None and not self._handling.done():
            self._handling.set_result(None)

    def end_after_item(self) -> None:
        """Ends it once the handler that runs has returned, without waiting for that."""
        self._is_closing = True

    def _typed(self, error: Exception) -> GomsgError:
        """A fault of the client's own ends the subscription too: nobody waits for what never comes."""
        if isinstance(error, GomsgError):
            return error
        return transport_failure(
            _INTERNAL, f"{self._method}: {type(error).__name__}: {error}", method=self._method, cause=error
        )

    async def _end(self, error: GomsgError | None) -> None:
        if self._error is None and not self._ended.is_set() and not self._is_closing:
            self._error = error
        await self._feed.close()
        self._core.ended(self)
        self._ended.set()
        self.on_ended()


async def _finished(task: asyncio.Task[Any]) -> None:
    """Cancels a task and waits until it is over."""
    if not task.done():
        task.cancel()
        await asyncio.wait([task])


class _Items(AsyncIterator[T]):
    """One iteration. A loop that is left by `break` drops it, which ends a subscription that nobody else holds."""

    __slots__ = ("_subscription", "_loop")

    def __init__(self, subscription: Subscription[T]) -> None:
        self._subscription = subscription
        self._loop: asyncio.AbstractEventLoop | None = None

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return await self._subscription.next_item()

    def __del__(self) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed() and not self._subscription.is_closed:
            loop.call_soon_threadsafe(self._subscription.abandoned)
