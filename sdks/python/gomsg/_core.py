"""What the services of a client call: binds the client to its event loop and sends their requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Protocol, TypeVar

from ._channels import Channels
from ._error import GomsgError
from ._failures import failure
from ._options import MAX_TIMEOUT_SECONDS, ConnectOptions, Limits
from ._pipeline.call import Call
from ._pipeline.pipeline import Pipeline
from ._rpc import Rpc
from ._streams.subscription import ErrorHandler, Handler, Subscription
from ._values import seconds
from .hooks import CallInfo, CallResult, HookCaller
from .v1 import stream_pb2

T = TypeVar("T")
R = TypeVar("R")


class _Request(Protocol):
    def SerializeToString(self) -> bytes: ...

    def ByteSize(self) -> int: ...


class Core:
    """Belongs to the event loop that runs at its first call, which is when the connection begins too."""

    def __init__(self, options: ConnectOptions) -> None:
        self.options = options
        self.limits: Limits = options.limits
        self.hooks = HookCaller(options.hooks)
        self._has_call_hook = options.hooks.on_call is not None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pipeline: Pipeline | None = None
        self._channels: Channels | None = None
        self._subscriptions: set[Subscription[object]] = set()
        self._closing: asyncio.Task[None] | None = None
        self._is_closed = False

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        self.bind("client")
        assert self._loop is not None
        return self._loop

    @property
    def pipeline(self) -> Pipeline:
        self.bind("client")
        assert self._pipeline is not None
        return self._pipeline

    @property
    def channels(self) -> Channels:
        self.bind("client")
        assert self._channels is not None
        return self._channels

    @property
    def is_closed(self) -> bool:
        return self._is_closed

    def bind(self, method: str) -> None:
        """Takes the running event loop as the client's. Fails when there is none, or the client has another."""
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            raise failure(
                "INVALID_REQUEST", f"{method}: no event loop runs here; use gomsg.sync without one", method=method
            ) from None
        if self._loop is running:
            return
        if self._loop is not None:
            raise failure(
                "INVALID_REQUEST",
                f"{method}: the client belongs to another event loop; make one client for each",
                method=method,
            )
        if self._is_closed:
            raise failure("CLIENT_CLOSED", f"{method}: the client is closed", method=method)
        channels = Channels(self.options)
        self._pipeline = Pipeline(self.options.addresses, self.limits, channels, self.hooks, running)
        self._channels = channels
        self._loop = running

    def call(
        self,
        rpc: Rpc,
        name: str,
        request: _Request,
        route: str | None,
        timeout: object = None,
        extension: float = 0.0,
    ) -> Call:
        """Sends a request. Awaiting what it returns gives the encoded response.

        `extension` is how long the server itself may wait before it answers, beyond the timeout.
        """
        if timeout is None:
            wait = self.limits.timeout
        else:
            wait = seconds(name, "timeout", timeout, MAX_TIMEOUT_SECONDS)
        self.bind(name)
        assert self._pipeline is not None
        wait = min(wait + max(extension, 0.0), MAX_TIMEOUT_SECONDS)
        call = self._pipeline.call(rpc, name, request.SerializeToString(), route, wait)
        if self._has_call_hook:
            self._trace(call)
        return call

    def _trace(self, call: Call) -> None:
        end = self.hooks.call_begins(CallInfo(call.name, call.rpc.path[1:], call.route))
        if end is None:
            return
        loop = call.get_loop()
        began = loop.time()

        def ended(done: asyncio.Future[bytes]) -> None:
            error = asyncio.CancelledError() if done.cancelled() else done.exception()
            self.hooks.call_ends(end, CallResult(loop.time() - began, error))

        call.add_done_callback(ended)

    # Pages.

    def page_timeout(self, method: str, timeout: object) -> Callable[[], float]:
        """Gives each page the whole timeout."""
        wait = self.limits.timeout if timeout is None else seconds(method, "timeout", timeout, MAX_TIMEOUT_SECONDS)
        return lambda: wait

    def whole_timeout(self, method: str, timeout: object) -> Callable[[], float]:
        """Gives each page what is left of the timeout of all."""
        if timeout is None:
            return self.page_timeout(method, None)
        wait = seconds(method, "timeout", timeout, MAX_TIMEOUT_SECONDS)
        loop = self.loop
        deadline = loop.time() + wait

        def left() -> float:
            remaining = deadline - loop.time()
            if remaining <= 0:
                raise failure(
                    "DEADLINE_EXCEEDED", f"{method}: not all pages came within {wait:g} s", method=method
                )
            return remaining

        return left

    async def collected(self, method: str, pages: AsyncIterator[list[T]]) -> list[T]:
        """All elements of all pages. Fails with RESULT_TOO_LARGE beyond `max_collected`."""
        limit = self.limits.max_collected
        found: list[T] = []
        async for page in pages:
            found += page
            if len(found) > limit:
                raise failure(
                    "RESULT_TOO_LARGE",
                    f"{method}: there are more than {limit} elements, the client's max_collected",
                    method=method,
                )
        return found

    # Streams.

    def stream(
        self,
        rpc: Rpc,
        method: str,
        request: _Request,
        route: str | None,
        response: type[R],
        items: Callable[[R], list[T]],
        handler: Handler[T] | None,
        on_error: ErrorHandler[T] | None,
        *,
        resume: str,
        says_subscribed: bool,
    ) -> Subscription[T]:
        """A subscription that goes on after a lost connection by a rule that needs nothing but the last response."""
        from ._streams.feed import ReconnectingFeed

        feed = ReconnectingFeed(self, rpc, method, request, route, response, items, resume, says_subscribed)
        return Subscription(self, method, feed, handler, on_error, gives_back=resume == "consumer")

    def subscribe(
        self,
        method: str,
        request: stream_pb2.StreamServiceSubscribeRequest,
        handler: Handler[T] | None,
        on_error: ErrorHandler[T] | None,
    ) -> Subscription[T]:
        """A subscription to a topic."""
        from ._streams.topic import TopicFeed

        feed = TopicFeed(self, method, request)
        return Subscription(self, method, feed, handler, on_error, gives_back=False)  # type: ignore[arg-type]

    def opened(self, subscription: Subscription[T]) -> None:
        """A subscription is in use, and is to be closed with the client."""
        self._subscriptions.add(subscription)  # type: ignore[arg-type]

    def ended(self, subscription: Subscription[T]) -> None:
        self._subscriptions.discard(subscription)

    # The end.

    async def close(self) -> None:
        """Ends subscriptions, then calls, then connections. Once for all callers."""
        self._is_closed = True
        if self._loop is None:
            return
        self.bind("close")
        self.closed_by(asyncio.current_task())
        if self._closing is None:
            self._closing = self._loop.create_task(self._close(), name="gomsg-close")
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        subscriptions = list(self._subscriptions)
        await asyncio.gather(*(subscription.close() for subscription in subscriptions))
        assert self._pipeline is not None and self._channels is not None
        await self._pipeline.close()
        await self._channels.close()

    def closed_by(self, task: asyncio.Task[object] | None) -> None:
        """The task is about to close the client: where it is that of a handler, nobody waits for that handler."""
        for subscription in self._subscriptions:
            subscription.closes_client(task)

    def refuse_closed(self, method: str) -> None:
        """Fails with CLIENT_CLOSED once the client is closed."""
        if self._is_closed:
            raise failure("CLIENT_CLOSED", f"{method}: the client is closed", method=method)


def error_text(error: BaseException) -> str:
    """What an error says, in one line."""
    return error.message if isinstance(error, GomsgError) else f"{type(error).__name__}: {error}"
