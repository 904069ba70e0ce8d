"""Feeds that go on with the same request, or behind the last resume token."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .._error import GomsgError
from .._failures import transport_failure
from .._rpc import Rpc
from .reconnecting import Reconnecting
from .server_stream import ServerStream

if TYPE_CHECKING:
    from .._core import Core

T = TypeVar("T")
R = TypeVar("R")


class ReconnectingFeed(Generic[R, T]):
    """`resume` says how it goes on: `restart` and `consumer` with the same request, `watch` from the token that came
    last. With `says_subscribed` the first response of a stream holds no items.
    """

    def __init__(
        self,
        core: Core,
        rpc: Rpc,
        method: str,
        request: Any,
        route: str | None,
        response: type[R],
        items: Callable[[R], list[T]],
        resume: str,
        says_subscribed: bool,
    ) -> None:
        self.report: Callable[[BaseException, object], None] = lambda error, item: None
        self._core = core
        self._rpc = rpc
        self._method = method
        self._request = request
        self._route = route
        self._response = response
        self._items = items
        self._has_tokens = resume == "watch"
        self._says_subscribed = says_subscribed
        self._tries: Reconnecting | None = None
        self._stream: ServerStream[R] | None = None
        self._first: list[T] = []
        self._is_closed = False

    async def open(self) -> None:
        await self._connect()

    async def next_batch(self) -> list[T]:
        while True:
            if self._first:
                first, self._first = self._first, []
                return first
            stream = self._stream or await self._connect()
            try:
                items = self._take(await stream.read())
            except GomsgError as error:
                self._drop()
                await self._again(error, stream.address)
                continue
            if items:
                return items

    async def close(self) -> None:
        self._is_closed = True
        self._drop()

    async def _connect(self) -> ServerStream[R]:
        if self._tries is None:
            self._tries = Reconnecting(self._core, self._method, self._route)
        while True:
            if self._is_closed:
                raise transport_failure(1, f"{self._method}: the subscription is closed", method=self._method)
            address = self._tries.next_address()
            stream = ServerStream(self._core, self._method, address, self._response)
            self._stream = stream
            try:
                first = await stream.open(self._rpc, self._request.SerializeToString())
            except GomsgError as error:
                self._drop()
                await self._again(error, address)
                continue
            except BaseException:
                self._drop()
                raise
            self._tries.in_place(address)
            self._first = self._take(first)
            return stream

    async def _again(self, error: GomsgError, address: str) -> None:
        if self._is_closed or self._tries is None:
            raise error
        await self._tries.failed(error, address)

    def _take(self, response: R) -> list[T]:
        if self._has_tokens:
            token: bytes = response.resume_token  # type: ignore[attr-defined]
            if token:
                self._request.resume_token = token
                self._request.from_revision = 0
        items = self._items(response)
        for item in items:
            if hasattr(item, "_report"):
                item._report = self.report
        return items

    def _drop(self) -> None:
        if self._stream is not None:
            self._stream.cancel()
            self._stream = None
