"""Messages whose methods wait for their result."""

from __future__ import annotations

from datetime import datetime, timedelta

from .. import messages
from .runner import Runner


class QueueMessage:
    """One hand-out of a message to one consumer: to be settled by `ack` or `nack` before its lease ends."""

    __slots__ = ("_message", "_runner")

    def __init__(self, message: messages.QueueMessage, runner: Runner) -> None:
        self._message = message
        self._runner = runner

    @property
    def id(self) -> str:
        """Id of this delivery, for `ack`, `nack` and `extend` of the queue."""
        return self._message.id

    @property
    def message_id(self) -> str:
        """Id of the message. The same in every delivery of it."""
        return self._message.message_id

    @property
    def queue(self) -> str:
        """Name of the queue."""
        return self._message.queue

    @property
    def data(self) -> str:
        """The payload as text. Fails with NOT_TEXT when it is not UTF-8."""
        return self._message.data

    @property
    def data_bytes(self) -> bytes:
        """The payload as it was pushed."""
        return self._message.data_bytes

    @property
    def headers(self) -> dict[str, str]:
        """The headers as they were pushed."""
        return self._message.headers

    @property
    def priority(self) -> int:
        """The priority as it was pushed."""
        return self._message.priority

    @property
    def attempt(self) -> int:
        """Which delivery of the message this is, from 1."""
        return self._message.attempt

    @property
    def pushed_at(self) -> datetime:
        """When the message was pushed."""
        return self._message.pushed_at

    @property
    def lease_expires_at(self) -> datetime:
        """When the lease ends."""
        return self._message.lease_expires_at

    def ack(self) -> None:
        """The message is done and removed. Fails with DELIVERY_NOT_FOUND."""
        self._runner.wait_for(self._message.ack)

    def nack(
        self, *, delay: float | timedelta | None = None, dead_letter: bool = False, error: str | None = None
    ) -> None:
        """Gives the message back, for another try: after `delay` seconds, or the queue's backoff."""
        self._runner.wait_for(lambda: self._message.nack(delay=delay, dead_letter=dead_letter, error=error))

    def extend(self, lease: float | timedelta) -> datetime:
        """Lets the lease end the given time from now, and returns that moment. Fails with DELIVERY_NOT_FOUND."""
        return self._runner.run(self._message.extend(lease))

    def __repr__(self) -> str:
        return repr(self._message)


def wrap_queue_message(message: messages.QueueMessage, runner: Runner) -> QueueMessage:
    return QueueMessage(message, runner)


class StreamMessage:
    """A stored message of a topic."""

    __slots__ = ("_message", "_runner")

    def __init__(self, message: messages.StreamMessage, runner: Runner) -> None:
        self._message = message
        self._runner = runner

    @property
    def id(self) -> str:
        """Id of the message: `topic#partition.offset`."""
        return self._message.id

    @property
    def topic(self) -> str:
        """Name of the topic."""
        return self._message.topic

    @property
    def partition(self) -> int:
        """Number of the partition."""
        return self._message.partition

    @property
    def offset(self) -> int:
        """Offset in its partition, from 0."""
        return self._message.offset

    @property
    def key(self) -> str:
        """The key as it was published; empty = none."""
        return self._message.key

    @property
    def data(self) -> str:
        """The payload as text. Fails with NOT_TEXT when it is not UTF-8."""
        return self._message.data

    @property
    def data_bytes(self) -> bytes:
        """The payload as it was published."""
        return self._message.data_bytes

    @property
    def headers(self) -> dict[str, str]:
        """The headers as they were published."""
        return self._message.headers

    @property
    def published_at(self) -> datetime:
        """When it was appended, by the clock of the leader."""
        return self._message.published_at

    def ack(self) -> None:
        """The message and all before it in its partition are processed: returns once that is committed."""
        self._runner.wait_for(self._message.ack)

    def __repr__(self) -> str:
        return repr(self._message)


def wrap_stream_message(message: messages.StreamMessage, runner: Runner) -> StreamMessage:
    return StreamMessage(message, runner)
