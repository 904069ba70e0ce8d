"""What an acknowledgement returns: it is on its way at once, awaited or not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextvars import Context
from typing import Any, Self


class Settlement(asyncio.Future[None]):
    """Resolves once a message is settled. A failure that nobody awaits goes to `report`, never to the event loop."""

    __slots__ = ("_report", "_is_awaited")

    def __init__(self, loop: asyncio.AbstractEventLoop, report: Callable[[BaseException], None]) -> None:
        super().__init__(loop=loop)
        self._report = report
        self._is_awaited = False

    def __await__(self) -> Generator[Any, None, None]:
        self._is_awaited = True
        return super().__await__()

    def add_done_callback(self, fn: Callable[[Self], object], /, *, context: Context | None = None) -> None:
        """Somebody waits: with `asyncio.gather` or `asyncio.wait`, which do not await."""
        self._is_awaited = True
        super().add_done_callback(fn, context=context)

    def succeed(self) -> None:
        if not self.done():
            self.set_result(None)

    def fail(self, error: BaseException) -> None:
        if self.done():
            return
        self.set_exception(error)
        if not self._is_awaited:
            # Looked at here, so that the event loop does not complain that nobody did.
            self.exception()
            self._report(error)

    def follow(self, call: asyncio.Future[bytes]) -> None:
        """Ends as a call does."""
        if call.cancelled():
            self.cancel()
        elif (error := call.exception()) is not None:
            self.fail(error)
        else:
            self.succeed()
