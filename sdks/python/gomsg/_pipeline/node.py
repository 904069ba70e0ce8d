"""One node as the pipeline sees it: calls that are ready to go there, calls that are out, and the stream between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from .._channels import Channels
from .._error import GomsgError
from .._failures import rpc_failure, transport_failure, undecodable
from .._options import Limits
from ..v1 import pipeline_pb2
from .backoff import backoff_seconds
from .call import Call

EXECUTE_PATH = "/gomsg.v1.PipelineService/Execute"

PROBE_PATH = "/gomsg.v1.ClusterService/GetTopology"
"""What a node that failed is asked, to see whether it answers: it needs no leader for that."""

FRAME_BYTES = 1024 * 1024
"""Calls of a frame are gathered up to about this size; a single larger call has a frame of its own."""

FRAME_CALLS = 65_536
"""Most calls of a frame, as the server takes them."""

CALL_ENVELOPE_BYTES = 48
"""Most bytes that a call takes in a frame beside its payload."""

_LAST_CALL_ID = 0xFFFF_FFFF

_REASON_SECONDS = 1.0
"""How long a connection that just failed may take to say why."""

_SILENT_CODES = frozenset((grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED))
"""Ends of a probe that are no answer."""

_Stream = grpc.aio.StreamStreamCall[bytes, bytes]


class NodeListener(Protocol):
    """The pipeline, as a node knows it."""

    def place_in_session(self, call: Call, node: Node, now: float) -> bool:
        """False when the call now waits for a session."""

    def topology_epoch(self) -> int:
        """Epoch of the slot map by which calls are routed; 0 = they are not."""

    def node_connected(self, node: Node) -> None:
        """The stream is open."""

    def node_answered(self, node: Node) -> None:
        """A frame came in."""

    def node_back(self, node: Node) -> None:
        """It failed, and answered outside the stream of calls now."""

    def call_answered(self, call: Call, payload: bytes) -> None: ...

    def call_failed(self, call: Call, error: pipeline_pb2.PipelineError) -> None: ...

    def node_lost(self, node: Node, error: GomsgError, sent: list[Call], ready: list[Call]) -> None:
        """The stream broke: what was sent may or may not have arrived."""


class Node:
    """A stream of `PipelineService/Execute` that is made again when it breaks, for as long as there is work.

    One task writes, one reads. While a frame is on its way out, the next one gathers; a lone call waits for the rest of
    its turn of the event loop and no longer.
    """

    def __init__(
        self,
        address: str,
        channels: Channels,
        limits: Limits,
        listener: NodeListener,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.address = address
        self.failures = 0
        """Tries in vain since it last answered anything: a frame, a probe, or a subscription."""
        self.has_answered = False
        """It did, and has not failed since."""
        self.dial_timeout: Callable[[], float] = lambda: limits.connect_timeout
        self._channels = channels
        self._limits = limits
        self._listener = listener
        self._loop = loop
        self.ready: dict[Call, None] = {}
        self.sent: dict[int, Call] = {}
        self._last_call_id = 0
        self._task: asyncio.Task[None] | None = None
        self._probing: asyncio.Task[None] | None = None
        self._wake: asyncio.Future[None] | None = None
        self._lost = False
        self._ending = False
        self.connected = False

    @property
    def is_idle(self) -> bool:
        return not self.ready and not self.sent

    def enqueue(self, call: Call) -> None:
        """Lets a call go with the others of this turn of the event loop."""
        call.node = self
        call.move_to(self.ready)
        self.wake()

    def wake(self) -> None:
        """There is something to send, or to end."""
        if self._task is None:
            if not self._ending:
                self._task = self._loop.create_task(self._run(), name=f"gomsg-node-{self.address}")
        elif self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def probe(self) -> None:
        """Finds out whether a node answers, in a while if it failed, with no call to wait for that."""
        is_trying = self._task is not None and not self.connected
        if not is_trying and self._probing is None and not self._ending:
            self._probing = self._loop.create_task(self._probe(), name=f"gomsg-probe-{self.address}")

    def stream_failed(self) -> None:
        """A stream beside that of the calls failed. Where there is one of calls, or a try, that tells by itself."""
        if self._task is None and self.failures == 0:
            self._failed()

    def stream_answered(self) -> None:
        """A stream beside that of the calls is in place."""
        is_back = self.failures > 0
        self._answered()
        if is_back:
            self._listener.node_back(self)

    async def end(self, deadline: float) -> None:
        """Half-closes, lets the server finish, and ends everything by the deadline at the latest."""
        self._ending = True
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.wait([self._probing])
        task = self._task
        if task is None:
            return
        self.wake()
        if not self.connected:
            task.cancel()
        await asyncio.wait([task], timeout=max(0.0, deadline - self._loop.time()))
        if not task.done():
            task.cancel()
            await asyncio.wait([task])

    async def _probe(self) -> None:
        try:
            if self.failures > 0:
                await self._back_off()
            if await self._answers():
                self.stream_answered()
            else:
                self._failed()
        finally:
            self._probing = None

    async def _answers(self) -> bool:
        limits = self._limits
        try:
            channel = self._channels.get(self.address)
            metadata = await self._channels.metadata()
            if not await self._reached(channel, limits.connect_timeout):
                return False
            ask: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(PROBE_PATH)
            await ask(b"", metadata=metadata, timeout=limits.keepalive_timeout)
        except grpc.aio.AioRpcError as error:
            # A refusal is an answer too.
            return error.code() not in _SILENT_CODES
        except GomsgError:
            return False
        return True

    async def _back_off(self) -> None:
        limits = self._limits
        await asyncio.sleep(backoff_seconds(self.failures - 1, limits.retry_delay, limits.max_retry_delay))

    async def _run(self) -> None:
        try:
            while self.ready and not self._ending:
                if self.failures > 0:
                    await self._back_off()
                    if not self.ready:
                        break
                error = await self._serve()
                if error is not None and not self._ending:
                    self._take_lost(error)
        finally:
            self._task = None
            if self.ready and not self._ending:
                self.wake()

    def _failed(self) -> None:
        self.failures += 1
        self.has_answered = False

    def _answered(self) -> None:
        self.failures = 0
        self.has_answered = True

    def _take_lost(self, error: GomsgError) -> None:
        self._failed()
        sent, ready = list(self.sent.values()), list(self.ready)
        self.sent.clear()
        for call in sent:
            call.sent_by = None
        self._listener.node_lost(self, error, sent, ready)

    async def _serve(self) -> GomsgError | None:
        """One stream from the try to connect to its end. Returns why it ended; None when it was ended here."""
        stream: _Stream | None = None
        reader: asyncio.Task[GomsgError] | None = None
        self._lost = False
        try:
            channel = self._channels.get(self.address)
            metadata = await self._channels.metadata()
            is_up = await self._reached(channel, self.dial_timeout())
            stream = channel.stream_stream(EXECUTE_PATH)(metadata=metadata)
            if not is_up:
                return await self._reason(stream)
            self.connected = True
            self._listener.node_connected(self)
            reader = self._loop.create_task(self._read(stream), name=f"gomsg-reader-{self.address}")
            reader.add_done_callback(self._reader_done)
            await self._write(stream)
            if self._ending and not self._lost:
                await stream.done_writing()
            return await reader
        except GomsgError as error:
            return error
        except grpc.aio.AioRpcError as error:
            return rpc_failure(error, self.address)
        except Exception as error:  # A fault of the client's own: the calls are told, and nothing hangs.
            return transport_failure(13, f"{self.address}: {type(error).__name__}: {error}", cause=error)
        finally:
            self.connected = False
            if stream is not None:
                stream.cancel()
            if reader is not None and not reader.done():
                reader.cancel()
                await asyncio.wait([reader])

    async def _reached(self, channel: grpc.aio.Channel, timeout: float) -> bool:
        """Waits until the node is connected, so that a frame that never left is never taken for sent."""
        try:
            async with asyncio.timeout(timeout):
                while True:
                    state = channel.get_state(try_to_connect=True)
                    if state is grpc.ChannelConnectivity.READY:
                        return True
                    if state is grpc.ChannelConnectivity.TRANSIENT_FAILURE:
                        return False
                    await channel.wait_for_state_change(state)
        except TimeoutError:
            raise transport_failure(14, f"{self.address}: no connection came about in time") from None

    async def _reason(self, stream: _Stream) -> GomsgError:
        """Why a connection failed, which only a stream on it tells."""
        try:
            async with asyncio.timeout(_REASON_SECONDS):
                await stream.read()
        except grpc.aio.AioRpcError as error:
            return rpc_failure(error, self.address)
        except TimeoutError:
            pass
        return transport_failure(14, f"{self.address}: the node cannot be reached")

    def _reader_done(self, _: asyncio.Task[GomsgError]) -> None:
        self._lost = True
        self.wake()

    # Out.

    async def _write(self, stream: _Stream) -> None:
        while not self._lost:
            frame = self._next_frame() if self.ready else None
            if frame is not None:
                try:
                    await stream.write(frame)
                except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
                    return  # The reader knows why.
                continue
            if self.ready:
                continue  # The calls that were ready wait for a session, and asking for one is ready now.
            if self._ending:
                return
            self._wake = self._loop.create_future()
            try:
                await self._wake
            finally:
                self._wake = None

    def _next_frame(self) -> bytes | None:
        """The calls that are ready, as far as one frame takes them; None when all of them wait for a session."""
        listener = self._listener
        now = self._loop.time()
        request = pipeline_pb2.PipelineServiceExecuteRequest()
        add = request.calls.add
        sent = self.sent
        session = None
        size = count = 0
        for call in list(self.ready):
            if call.rpc.is_write and call.sequence == 0 and not call.internal:
                if not listener.place_in_session(call, self, now):
                    continue
            call_size = len(call.payload) + CALL_ENVELOPE_BYTES
            if count > 0:
                if size + call_size > FRAME_BYTES or count == FRAME_CALLS:
                    break
                if session is not None and call.session is not None and call.session is not session:
                    break
            if session is None:
                session = call.session
            size += call_size
            count += 1
            del self.ready[call]
            call.line = None
            call_id = self._last_call_id
            while True:
                call_id = 1 if call_id == _LAST_CALL_ID else call_id + 1
                if call_id not in sent:
                    break
            self._last_call_id = call.call_id = call_id
            sent[call_id] = call
            call.sent_by = self
            # At least 1: 0 says that the caller waits for ever.
            remaining = int((call.deadline - now) * 1000)
            add(
                call_id=call_id,
                method=call.rpc.number,
                payload=call.payload,
                sequence=call.sequence,
                timeout_ms=remaining if remaining > 0 else 1,
                retry=call.sends > 0,
            )
            call.sends += 1
        if count == 0:
            return None
        if session is not None:
            request.session_id = session.id
            request.answered_below = session.answered_below
        request.topology_epoch = listener.topology_epoch()
        return request.SerializeToString()

    # In.

    async def _read(self, stream: _Stream) -> GomsgError:
        listener = self._listener
        sent = self.sent
        try:
            while True:
                frame = await stream.read()
                if not isinstance(frame, bytes):
                    if await stream.code() is grpc.StatusCode.OK:
                        return transport_failure(14, f"{self.address}: the server ended the stream")
                    # read() raises for other codes, unless the stream ended between two frames.
                    return transport_failure(
                        (await stream.code()).value[0], f"{self.address}: {await stream.details()}"
                    )
                response = pipeline_pb2.PipelineServiceExecuteResponse.FromString(frame)
                self._answered()
                listener.node_answered(self)
                for result in response.results:
                    call = sent.pop(result.call_id, None)
                    if call is None:
                        raise DecodeError(f"it answers call {result.call_id}, which is not open")
                    call.sent_by = None
                    if result.HasField("error"):
                        listener.call_failed(call, result.error)
                    else:
                        listener.call_answered(call, result.payload)
        except grpc.aio.AioRpcError as error:
            return rpc_failure(error, self.address)
        except DecodeError as error:
            return undecodable(self.address, error)
