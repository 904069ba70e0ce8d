"""Subscriptions to a topic, which go on where they were in every partition."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from .. import _values
from .._error import GomsgError
from .._failures import failure, transport_failure
from .._gen import rpcs
from .._gen.errors import ErrorReason
from ..messages import StreamMessage, read_stream_message
from ..v1 import stream_pb2
from .acks import Acks
from .reconnecting import Reconnecting
from .server_stream import ServerStream

if TYPE_CHECKING:
    from .._core import Core

PARTITION_CHECK_SECONDS = 10.0
"""How often a subscription that was resumed partition by partition looks for partitions that were added."""

_ABORTED = 10
"""gRPC code of MEMBER_FENCED."""

_Stream = ServerStream[stream_pb2.StreamServiceSubscribeResponse]


class TopicFeed:
    """With a name the server knows where to go on: at the committed offset, once the acknowledgements that are under
    way have arrived. Without one it is known here: each partition goes on behind the last message that came, with a
    stream for every different offset, since a request has one for all its partitions.
    """

    def __init__(self, core: Core, method: str, request: stream_pb2.StreamServiceSubscribeRequest) -> None:
        self.report: Callable[[BaseException, object], None] = lambda error, item: None
        self._core = core
        self._method = method
        self._request = request
        self._name = request.consumer or request.group
        self._acks = Acks(core, request.topic, self._name, self._is_member) if self._name else None
        self._tries: Reconnecting | None = None
        self._positions: dict[int, int] = {}
        """Without a name: the next offset of each partition."""
        self._reads: dict[asyncio.Task[stream_pb2.StreamServiceSubscribeResponse], _Stream] = {}
        self._streams: list[_Stream] = []
        self._check_at: float | None = None
        self._is_closed = False

    async def open(self) -> None:
        await self._connect()

    async def next_batch(self) -> list[StreamMessage]:
        while True:
            if not self._streams:
                await self._connect()
            address = self._streams[0].address
            try:
                messages = self._take(await self._read())
            except GomsgError as error:
                await self._drop()
                await self._again(error, address)
                continue
            if messages:
                return messages

    async def close(self) -> None:
        self._is_closed = True
        await self._drop()

    # Connecting.

    async def _connect(self) -> None:
        if self._tries is None:
            self._tries = Reconnecting(self._core, self._method, self._request.topic)
        while True:
            if self._is_closed:
                raise transport_failure(1, f"{self._method}: the subscription is closed", method=self._method)
            address: str | None = None
            try:
                if self._acks is not None:
                    await self._acks.flushed()
                requests = await self._requests()
                # Chosen now: what goes before may have waited for a node that was silent, and has failed since.
                address = self._tries.next_address()
                for request in requests:
                    await self._open(request, address)
            except GomsgError as error:
                await self._drop()
                await self._again(error, address)
                continue
            except BaseException:
                await self._drop()
                raise
            self._tries.in_place(address)
            return

    async def _open(self, request: stream_pb2.StreamServiceSubscribeRequest, address: str) -> None:
        stream = ServerStream(self._core, self._method, address, stream_pb2.StreamServiceSubscribeResponse)
        self._streams.append(stream)
        first = await stream.open(rpcs.STREAM_SERVICE_SUBSCRIBE, request.SerializeToString())
        if self._acks is not None:
            self._acks.member_id = first.member_id
        self._take(first)

    async def _is_member(self) -> bool:
        """Whether the stream is open, or the server itself ended it because somebody took the place over."""
        for stream in self._streams:
            if await stream.end_code() in (None, _ABORTED):
                return True
        return False

    async def _again(self, error: GomsgError, address: str | None) -> None:
        if self._is_closed or self._tries is None:
            raise error
        if error.reason == ErrorReason.MEMBER_FENCED:
            if self._request.group:
                # A member of a group that lost its place, such as by a stall, takes another one.
                error.retryable = True
            elif self._acks is not None:
                self._acks.fenced = error
        await self._tries.failed(error, address)

    async def _requests(self) -> list[stream_pb2.StreamServiceSubscribeRequest]:
        """What to ask for: as the caller said at first and by name, else each partition where it was."""
        if self._acks is not None or not self._positions:
            return [self._request]
        bounds = await self._bounds()
        by_offset: dict[int, list[int]] = {}
        for partition, (start, end) in bounds.items():
            # What retention removed is passed over; a partition that was added is read from its beginning.
            offset = max(self._positions.get(partition, 0), start)
            if offset > end:
                raise failure(
                    "OFFSET_OUT_OF_RANGE",
                    f"{self._method}: partition {partition} of {self._request.topic} ends at {end}, before {offset}, "
                    "where the subscription was: the topic was made anew",
                    method=self._method,
                    subject=self._request.topic,
                )
            self._positions[partition] = offset
            by_offset.setdefault(offset, []).append(partition)
        if not self._request.partitions:
            self._check_at = self._core.loop.time() + PARTITION_CHECK_SECONDS
        return [
            stream_pb2.StreamServiceSubscribeRequest(
                topic=self._request.topic,
                start=stream_pb2.StreamStart(offset=offset),
                credit=self._request.credit,
                partitions=partitions,
            )
            for offset, partitions in by_offset.items()
        ]

    async def _bounds(self) -> dict[int, tuple[int, int]]:
        """Oldest kept and next offset of the partitions that are to be read."""
        request = stream_pb2.StreamServiceInfoRequest(topic=self._request.topic)
        call = self._core.call(rpcs.STREAM_SERVICE_INFO, self._method, request, request.topic)
        response = _values.decoded(stream_pb2.StreamServiceInfoResponse, await call, self._method)
        wanted = set(self._request.partitions)
        return {
            info.partition: (info.start_offset, info.end_offset)
            for info in response.info.partitions
            if not wanted or info.partition in wanted
        }

    # Reading.

    async def _read(self) -> stream_pb2.StreamServiceSubscribeResponse:
        if len(self._streams) == 1 and self._check_at is None:
            return await self._streams[0].read()
        while True:
            reading = set(self._reads.values())
            for stream in self._streams:
                if stream not in reading:
                    self._reads[asyncio.create_task(stream.read(), name=f"gomsg-{self._method}-read")] = stream
            timeout = None
            if self._check_at is not None:
                timeout = max(0.0, self._check_at - self._core.loop.time())
            done, _ = await asyncio.wait(self._reads, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                del self._reads[task]
                return task.result()
            await self._add_partitions()

    async def _add_partitions(self) -> None:
        self._check_at = self._core.loop.time() + PARTITION_CHECK_SECONDS
        added = [partition for partition in await self._bounds() if partition not in self._positions]
        if added:
            request = stream_pb2.StreamServiceSubscribeRequest(
                topic=self._request.topic,
                start=stream_pb2.StreamStart(earliest=True),
                credit=self._request.credit,
                partitions=added,
            )
            await self._open(request, self._streams[0].address)

    def _take(self, response: stream_pb2.StreamServiceSubscribeResponse) -> list[StreamMessage]:
        if response.HasField("assignment"):
            for position in response.assignment.positions:
                if self._acks is not None:
                    self._acks.reads(position.partition, position.offset)
                else:
                    self._positions.setdefault(position.partition, position.offset)
        messages: list[StreamMessage] = []
        for stored in response.messages:
            stored.topic = self._request.topic
            if self._acks is None:
                self._positions[stored.partition] = stored.offset + 1
            else:
                self._acks.reads(stored.partition, stored.offset)
            message = read_stream_message(stored, self._core)
            message._acks = self._acks
            message._report = self.report
            messages.append(message)
        return messages

    async def _drop(self) -> None:
        if self._acks is not None:
            self._acks.member_id = ""
        for stream in self._streams:
            stream.cancel()
        self._streams = []
        self._check_at = None
        reads = list(self._reads)
        self._reads.clear()
        for read in reads:
            read.cancel()
        if reads:
            await asyncio.wait(reads)
        for read in reads:
            if not read.cancelled():
                read.exception()
