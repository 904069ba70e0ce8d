"""Acknowledgements of a consumer or group: each commits everything before it, so that few calls do for many."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from .._error import GomsgError
from .._gen import rpcs
from .._gen.errors import ErrorReason
from ..v1 import stream_pb2
from .settlement import Settlement

if TYPE_CHECKING:
    from .._core import Core

_METHOD = "stream.ack"


class _Partition:
    __slots__ = ("target", "waiting", "committed", "moves", "call")

    def __init__(self) -> None:
        self.target = -1
        """Highest offset that is to be committed."""
        self.committed = -1
        self.moves = 0
        """How often the place went back: what was acknowledged before the last time says nothing of the place now."""
        self.waiting: deque[tuple[int, int, Settlement]] = deque()
        """Moves until then, offset, and who waits."""
        self.call: asyncio.Future[Any] | None = None


class Acks:
    """At most one call in flight for each partition; what is acknowledged meanwhile goes with the next."""

    def __init__(self, core: Core, topic: str, consumer: str, is_member: Callable[[], Awaitable[bool]]) -> None:
        self.member_id = ""
        """The place in the consumer or group that the server gave; empty while there is no connection."""
        self.fenced: GomsgError | None = None
        """Set once somebody else has taken the consumer over: nothing counts any more."""
        self._is_member = is_member
        """Whether the server may have fenced us, rather than have lost us with the connection."""
        self._checks: set[asyncio.Task[None]] = set()
        self._core = core
        self._topic = topic
        self._consumer = consumer
        self._partitions: dict[int, _Partition] = {}

    def ack(self, partition: int, offset: int, report: Callable[[BaseException], None]) -> Settlement:
        """Commits everything up to and including the offset."""
        settlement = Settlement(self._core.loop, report)
        place = self._partitions.get(partition)
        if place is None:
            place = self._partitions[partition] = _Partition()
        if self.fenced is not None:
            settlement.fail(self.fenced)
            return settlement
        if offset <= place.committed:
            settlement.succeed()
            return settlement
        place.target = max(place.target, offset)
        place.waiting.append((place.moves, offset, settlement))
        if place.call is None:
            self._send(partition, place)
        return settlement

    def reads(self, partition: int, offset: int) -> None:
        """This message comes next. One that was acknowledged comes again when the place was moved back, by a seek or
        since the acknowledgement failed: it has to be acknowledged anew, and none behind it is by what was before.
        """
        place = self._partitions.get(partition)
        if place is not None and offset <= place.target:
            place.moves += 1
            place.target = place.committed = -1

    async def flushed(self) -> None:
        """Returns once nothing is in flight."""
        while True:
            calls = [place.call for place in self._partitions.values() if place.call is not None]
            if not calls:
                return
            await asyncio.wait(calls)
            # The callbacks that settle, and send what is next, run before this task goes on.
            await asyncio.sleep(0)

    def _send(self, partition: int, place: _Partition) -> None:
        while place.waiting and place.waiting[0][0] < place.moves:
            # Of before a move: sent now, it would undo that.
            place.waiting.popleft()[2].succeed()
        if not place.waiting:
            return
        offset, moves, member_id = place.target, place.moves, self.member_id
        request = stream_pb2.StreamServiceAckRequest(
            topic=self._topic,
            consumer=self._consumer,
            partition=partition,
            offset=offset,
            member_id=member_id,
        )
        try:
            call = self._core.call(rpcs.STREAM_SERVICE_ACK, _METHOD, request, self._topic)
        except GomsgError as error:
            self._failed(place, moves, offset, error)
            return
        place.call = call
        call.add_done_callback(lambda done: self._done(partition, place, moves, offset, member_id, done))

    def _done(
        self, partition: int, place: _Partition, moves: int, offset: int, member_id: str, call: asyncio.Future[bytes]
    ) -> None:
        place.call = None
        error = asyncio.CancelledError() if call.cancelled() else call.exception()
        if error is None:
            if moves == place.moves:
                place.committed = max(place.committed, offset)
            while (waiting := self._first_up_to(place, moves, offset)) is not None:
                waiting.succeed()
        elif isinstance(error, GomsgError) and error.reason == ErrorReason.MEMBER_FENCED and member_id:
            check = self._core.loop.create_task(
                self._check(partition, place, moves, offset, error), name="gomsg-ack-check"
            )
            self._checks.add(check)
            check.add_done_callback(self._checks.discard)
            place.call = check
            return
        else:
            self._failed(place, moves, offset, error)
        if place.waiting:
            self._send(partition, place)

    async def _check(self, partition: int, place: _Partition, moves: int, offset: int, error: GomsgError) -> None:
        """What became of the membership: taken over, so that nothing counts, or lost with its connection. Then the
        message is processed all the same, and is committed without it.
        """
        is_member = self.fenced is not None or await self._is_member()
        place.call = None
        if is_member:
            self._failed(place, moves, offset, error)
        else:
            self.member_id = ""
        if place.waiting:
            self._send(partition, place)

    def _failed(self, place: _Partition, moves: int, offset: int, error: BaseException) -> None:
        while (waiting := self._first_up_to(place, moves, offset)) is not None:
            waiting.fail(error)

    def _first_up_to(self, place: _Partition, moves: int, offset: int) -> Settlement | None:
        for index, (moves_then, wanted, settlement) in enumerate(place.waiting):
            if moves_then == moves and wanted <= offset:
                del place.waiting[index]
                return settlement
        return None
