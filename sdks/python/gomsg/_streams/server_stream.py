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
        limit = core.limits.timeout
        try:
            async with asyncio.timeout(limit):
                self._call = self._made(rpc, request, await core.channels.metadata())
                return await self.read()
        except TimeoutError:
            self.cancel()
            raise failure(
                "DEADLINE_EXCEEDED", f"{self._method}: {self.address}: not in place within {limit:g} s", method=self._method
            ) from None

    def _made(
        self, rpc: Rpc, request: bytes, metadata: tuple[tuple[str, str | bytes], ...]
    ) -> grpc.aio.UnaryStreamCall[bytes, bytes]:
        channel = self._core.channels.get(self.address)
        make: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(rpc.path)
        return make(request, metadata=metadata)

    async def read(self) -> R:
        """The next response. Raises GomsgError at the end."""
        if self._call is None or self._is_canceled:
            raise self._canceled()
        message: object = None
        try:
            message = await self._call.read()
        except grpc.aio.AioRpcError as error:
            self._call = None
            raise rpc_failure(error, self.address, method=self._method) from error
        except asyncio.CancelledError as canceled:
            # Its frames hold the call, and the task that is canceled holds it.
            canceled.__traceback__ = None
            if not self._is_canceled or _is_caller_canceled():
                raise
        if self._is_canceled:
            # Raised out here, so that it does not keep the frames of the call.
            raise self._canceled()
        if not isinstance(message, bytes):
            self._call = None
            raise transport_failure(
                14, f"{self._method}: {self.address}: the server ended the stream", method=self._method
            )
        try:
            return self._response.FromString(message)  # type: ignore[attr-defined, no-any-return]
        except DecodeError as error:
            raise undecodable(self._method, error) from error

    async def end_code(self) -> int | None:
        """The gRPC code with which the call ended, also when that was not read yet; None while it is open."""
        if self._call is None:
            return _CANCELED
        if not self._call.done():
            return None
        code: int = (await self._call.code()).value[0]
        return code

    def cancel(self) -> None:
        """Ends the call at once; a read that waits fails."""
        self._is_canceled = True
        # Let go of, since who keeps the error of a stream would otherwise keep its connection open.
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def _canceled(self) -> GomsgError:
        return transport_failure(_CANCELED, f"{self._method}: the stream is closed", method=self._method)


def _is_caller_canceled() -> bool:
    """Apart, since a frame that holds its task and the error would keep both, and with them the connection."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
