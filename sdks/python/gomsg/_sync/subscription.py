"""A subscription of a client that is not asynchronous: a handler on a thread, or a plain loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from inspect import iscoroutinefunction
from types import TracebackType
from typing import Any, Generic, Self, TypeAlias, TypeVar

from .._streams import subscription as asynchronous
from .runner import Runner

T = TypeVar("T")

Handler: TypeAlias = Callable[[T], object]
"""Called with each item, on a thread of the subscription."""

ErrorHandler: TypeAlias = Callable[[Exception, T | None], object]
"""Told an error and the item that it is about, on that thread."""


class Subscription(Generic[T]):
    """Items of a stream. With a handler it is in place once it is returned; without one it begins with the loop over
    it, or with `with`.
    """

    def __init__(
        self,
        runner: Runner,
        subscription: asynchronous.Subscription[Any],
        wrap: Callable[[Any], T],
        thread: ThreadPoolExecutor | None,
    ) -> None:
        self._runner = runner
        self._subscription = subscription
        self._wrap = wrap
        self._thread = thread

    @classmethod
    def open(
        cls,
        runner: Runner,
        iterated: Callable[[], asynchronous.Subscription[Any]],
        handled: Callable[[Any, Any], asynchronous.Subscription[Any]],
        wrap: Callable[[Any], T],
        handler: Handler[T] | None,
        on_error: ErrorHandler[T] | None,
    ) -> Subscription[T]:
        """Makes one of either form. `handled` is given the two handlers as the asynchronous client takes them."""
        if handler is None:
            return cls(runner, iterated(), wrap, None)
        if not callable(handler) or (on_error is not None and not callable(on_error)):
            handled(handler, on_error)  # Refuses them with the right words.
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="gomsg-handler")

        async def on_thread(function: Callable[[], object]) -> None:
            task = asyncio.current_task()

            def run() -> None:
                with runner.handling(task):
                    function()

            await asyncio.get_running_loop().run_in_executor(thread, run)

        async def handle(item: Any) -> None:
            await on_thread(lambda: handler(wrap(item)))

        async def failed(error: Exception, item: Any) -> None:
            if on_error is not None:
                wrapped = wrap(item) if item is not None else None
                await on_thread(lambda: on_error(error, wrapped))

        try:
            plain = handled(handle, failed if on_error is not None else None)
            for name, function in (("handler", handler), ("on_error", on_error)):
                if iscoroutinefunction(function) or iscoroutinefunction(getattr(function, "__call__", None)):
                    raise plain.refusal(name, "a plain function: nobody awaits a coroutine here")
            plain.on_ended = lambda: thread.shutdown(wait=False)
            subscription = cls(runner, plain, wrap, thread)
            runner.run(_begun(plain))
        except BaseException:
            thread.shutdown(wait=False)
            raise
        return subscription

    def __iter__(self) -> Iterator[T]:
        """The items. The subscription is closed when the loop over them ends, unless `with` will do that."""
        items = aiter(self._subscription)
        for item in self._runner.iterate(items):
            yield self._wrap(item)

    def __enter__(self) -> Self:
        self._runner.run(_begun(self._subscription))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def is_closed(self) -> bool:
        """It ended, or is about to."""
        return self._subscription.is_closed

    def wait(self) -> None:
        """Returns when it was closed; raises GomsgError when something else ended it."""
        self._runner.run(self._subscription.wait())

    def close(self) -> None:
        """Ends it, and waits until nothing of it is left. Twice does no harm."""
        if self._thread is not None and threading.current_thread() in self._thread._threads:
            # By the handler itself: it ends when the handler returns.
            self._runner.call_soon(self._subscription.end_after_item)
            return
        self._runner.run(self._subscription.close())
        if self._thread is not None:
            self._thread.shutdown(wait=True)


async def _begun(subscription: asynchronous.Subscription[Any]) -> None:
    await subscription
