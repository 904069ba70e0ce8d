"""Types with behaviour: messages of queues and topics, and places in a topic."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from . import _values
from ._gen import rpcs
from ._streams.settlement import Settlement
from .v1 import queue_pb2, stream_pb2

if TYPE_CHECKING:
    from ._core import Core
    from ._streams.acks import Acks


def _ignore(error: BaseException, item: object) -> None:
    """Messages that no subscription gave out have nobody to tell; who awaits is told anyhow."""


class QueueMessage:
    """One hand-out of a message to one consumer: to be settled by `ack` or `nack` before its lease ends."""

    __slots__ = (
        "id",
        "message_id",
        "queue",
        "data_bytes",
        "headers",
        "priority",
        "attempt",
        "pushed_at",
        "lease_expires_at",
        "_core",
        "_report",
    )

    def __init__(self, delivery: queue_pb2.QueueDelivery, core: Core) -> None:
        self.id = delivery.delivery_id
        """Id of this delivery, for `ack`, `nack` and `extend` of the queue: `queue#sequence.delivery`."""
        self.message_id = delivery.message_id
        """Id of the message: `queue#sequence`. The same in every delivery of it."""
        self.queue = delivery.queue
        """Name of the queue."""
        self.data_bytes = delivery.payload
        """The payload as it was pushed."""
        self.headers = dict(delivery.headers)
        """The headers as they were pushed."""
        self.priority = delivery.priority
        """The priority as it was pushed."""
        self.attempt = delivery.attempt
        """Which delivery of the message this is, from 1: what max_deliveries counts."""
        self.pushed_at = _values.moment_of(delivery.pushed_at)
        """When the message was pushed."""
        self.lease_expires_at = _values.moment_of(delivery.lease_expires_at)
        """When the lease ends."""
        self._core = core
        self._report: Callable[[BaseException, object], None] = _ignore

    @property
    def data(self) -> str:
        """The payload as text. Fails with NOT_TEXT when it is not UTF-8; `data_bytes` has it as it is."""
        return _values.as_text(self.data_bytes, "QueueMessage.data")

    def ack(self) -> Awaitable[None]:
        """The message is done and removed. Begins at once; await it to know that it succeeded.

        Fails with DELIVERY_NOT_FOUND when the delivery was settled already or its lease ran out.
        """
        request = queue_pb2.QueueServiceAckRequest(delivery_id=self.id)
        settlement = Settlement(self._core.loop, lambda error: self._report(error, self))
        call = self._core.call(rpcs.QUEUE_SERVICE_ACK, "queue.ack", request, self.queue)
        call.add_done_callback(settlement.follow)
        return settlement

    def nack(
        self, *, delay: float | timedelta | None = None, dead_letter: bool = False, error: str | None = None
    ) -> Awaitable[None]:
        """Gives the message back, for another try: after `delay`, or the queue's backoff. Begins at once.

        Args:
            delay: Seconds until it is ready again; None = the queue's retry backoff.
            dead_letter: Make the message dead instead.
            error: Why, kept with a dead message. At most 1,024 bytes.
        """
        request = queue_pb2.QueueServiceNackRequest(delivery_id=self.id)
        if delay is not None:
            _values.duration("queue.nack", "delay", delay, request.delay)
        request.dead_letter = _values.boolean("queue.nack", "dead_letter", dead_letter)
        if error is not None:
            request.error = _values.string("queue.nack", "error", error)
        settlement = Settlement(self._core.loop, lambda failed: self._report(failed, self))
        call = self._core.call(rpcs.QUEUE_SERVICE_NACK, "queue.nack", request, self.queue)
        call.add_done_callback(settlement.follow)
        return settlement

    async def extend(self, lease: float | timedelta) -> datetime:
        """Lets the lease end the given time from now, and returns that moment. Fails with DELIVERY_NOT_FOUND."""
        request = queue_pb2.QueueServiceExtendRequest(delivery_id=self.id)
        _values.duration("queue.extend", "lease", lease, request.lease)
        payload = await self._core.call(rpcs.QUEUE_SERVICE_EXTEND, "queue.extend", request, self.queue)
        response = _values.decoded(queue_pb2.QueueServiceExtendResponse, payload, "queue.extend")
        self.lease_expires_at = _values.moment_of(response.lease_expires_at)
        return self.lease_expires_at

    def __repr__(self) -> str:
        return f"QueueMessage(id={self.id!r}, attempt={self.attempt}, data_bytes={self.data_bytes[:64]!r})"


def read_queue_message(delivery: queue_pb2.QueueDelivery, core: Core) -> QueueMessage:
    return QueueMessage(delivery, core)


class StreamMessage:
    """A stored message of a topic."""

    __slots__ = (
        "id",
        "topic",
        "partition",
        "offset",
        "key",
        "data_bytes",
        "headers",
        "published_at",
        "_core",
        "_acks",
        "_report",
    )

    def __init__(self, stored: stream_pb2.StreamMessage, core: Core) -> None:
        self.topic = stored.topic
        self.partition = stored.partition
        self.offset = stored.offset
        """Offset in its partition, from 0."""
        self.id = f"{stored.topic}#{stored.partition}.{stored.offset}"
        """Id of the message: `topic#partition.offset`, as `publish` returned it."""
        self.key = stored.key
        """The key as it was published; empty = none."""
        self.data_bytes = stored.payload
        """The payload as it was published."""
        self.headers = dict(stored.headers)
        """The headers as they were published."""
        self.published_at = _values.moment_of(stored.published_at)
        """When it was appended, by the clock of the leader; never decreases within a partition."""
        self._core = core
        self._acks: Acks | None = None
        self._report: Callable[[BaseException, object], None] = _ignore

    @property
    def data(self) -> str:
        """The payload as text. Fails with NOT_TEXT when it is not UTF-8; `data_bytes` has it as it is."""
        return _values.as_text(self.data_bytes, "StreamMessage.data")

    def ack(self) -> Awaitable[None]:
        """The message and all before it in its partition are processed. Begins at once; await it to know that it is
        committed. Where no consumer or group reads, it commits nothing and succeeds.
        """
        if self._acks is not None:
            return self._acks.ack(self.partition, self.offset, lambda error: self._report(error, self))
        settlement = Settlement(self._core.loop, lambda error: self._report(error, self))
        settlement.succeed()
        return settlement

    def __repr__(self) -> str:
        return f"StreamMessage(id={self.id!r}, key={self.key!r}, data_bytes={self.data_bytes[:64]!r})"


def read_stream_message(stored: stream_pb2.StreamMessage, core: Core) -> StreamMessage:
    return StreamMessage(stored, core)


@dataclass(frozen=True, slots=True)
class StreamStart:
    """A place in a topic. Made by `earliest`, `latest`, `at_offset` and `at_time`."""

    kind: Literal["earliest", "latest", "offset", "time"]
    value: int | float | datetime | None = None

    @classmethod
    def earliest(cls) -> StreamStart:
        """The oldest message that is kept."""
        return cls("earliest")

    @classmethod
    def latest(cls) -> StreamStart:
        """Behind the newest message."""
        return cls("latest")

    @classmethod
    def at_offset(cls, offset: int) -> StreamStart:
        """This offset, in every partition that is asked for."""
        return cls("offset", offset)

    @classmethod
    def at_time(cls, time: datetime | float) -> StreamStart:
        """The first message published at or after this moment: a datetime, or seconds since 1970."""
        return cls("time", time)


def write_stream_start(method: str, param: str, value: object, target: stream_pb2.StreamStart) -> None:
    if not isinstance(value, StreamStart) or value.kind not in ("earliest", "latest", "offset", "time"):
        raise _values.invalid(method, param, "a StreamStart", value)
    if value.kind == "earliest":
        target.earliest = True
    elif value.kind == "latest":
        target.latest = True
    elif value.kind == "offset":
        target.offset = _values.integer(method, param, value.value, 0, 2**64 - 1)
    else:
        _values.timestamp(method, param, value.value, target.time)
