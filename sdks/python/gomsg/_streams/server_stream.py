"""One server-streaming call, with typed errors."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

import grpc.aio
from google.protobuf.message import DecodeError

from .._error import GomsgError
from .._failures import failure, rpc_failure, transport_failure, undecodable
from .._rpc import Rpc

if TYPE_CHECKING:
    from .._core import Core

R = TypeVar("R")

_CANCELED = 1


class ServerStream(Generic[R]):
    """Responses of one call, as far as they are read: flow control makes the server wait for a slow reader."""

    def __init__(self, core: Core, method: str, address: str, response: type[R]) -> None:
        self.address = address
        self._core = core
        self._method = method
        self._response = response
        self._call: grpc.aio.UnaryStreamCall[bytes, bytes] | None = None
        self._is_canceled = False

    async def open(self, rpc: Rpc, request: bytes) -> R:
        """Makes the call and returns the first response, which says that it is in place."""
        core = self._core
        channel = core.channels.get(self.address)
        metadata = await core.channels.metadata()
        make: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(rpc.path)
        self._call = make(request, metadata=metadata)
        limit = core.limits.timeout
        try:
            async with asyncio.timeout(limit):
                return await self.read()
        except TimeoutError:
            self.cancel()
            raise failure(
                "DEADLINE_EXCEEDED", f"{self._method}: {self.address}: not in place within {limit:g} s", method=self._method
            ) from None

    async def read(self) -> R:
        """The next response. Raises GomsgError at the end."""
        call = self._call
        if call is None or self._is_canceled:
            raise self._canceled()
        try:
            message = await call.read()
        except grpc.aio.AioRpcError as error:
            raise rpc_failure(error, self.address, method=self._method) from error
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._is_canceled and (task is None or task.cancelling() == 0):
                raise self._canceled() from None
            raise
        if not isinstance(message, bytes):
            raise transport_failure(
                14, f"{self._method}: {self.address}: the server ended the stream", method=self._method
            )
        try:
            return self._response.FromString(message)  # type: ignore[attr-defined, no-any-return]
        except DecodeError as error:
            raise undecodable(self._method, error) from error

    def cancel(self) -> None:
        """Ends the call at once; a read that waits fails."""
        self._is_canceled = True
        if self._call is not None:
            self._call.cancel()

    def _canceled(self) -> GomsgError:
        return transport_failure(_CANCELED, f"{self._method}: the stream is closed", method=self._method)
