"""Takes calls, sends them where they belong, repeats them where that is safe, and settles each exactly once."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from google.protobuf.message import DecodeError

from .._channels import Channels
from .._error import GomsgError
from .._failures import failure, is_passing, server_failure, transport_failure, undecodable, without_action
from .._gen import rpcs
from .._gen.errors import ErrorReason
from .._options import Limits
from .._routing.router import LEADERLESS_REASONS, Router
from .._rpc import Rpc
from ..hooks import HookCaller, RetryInfo
from ..v1 import cluster_pb2, pipeline_pb2
from .backoff import backoff_seconds
from .bounds import Bounds
from .call import Call
from .deadlines import Deadlines
from .node import Node
from .nodes import Nodes, with_left
from .session import Sessions

INTERNAL_TIMEOUT_SECONDS = 10.0
"""Timeout of calls that the client makes for its own sake."""

_RETRIED_REASONS = frozenset(
    (
        ErrorReason.NOT_LEADER,
        ErrorReason.STALE_TOPOLOGY,
        ErrorReason.DRAINING,
        ErrorReason.OVERLOADED,
        ErrorReason.NO_QUORUM,
    )
)
"""Refused before anything was done, for a reason that passes."""

_ROUTING_REASONS = frozenset((ErrorReason.NOT_LEADER, ErrorReason.STALE_TOPOLOGY))

_UNAVAILABLE = 14

_FINAL_CODES = frozenset((3, 7, 9, 11, 12, 16))
"""Ends of a stream that repeating its calls would not mend."""


class Pipeline:
    """The calls of one client, over one stream to each node that it needs, in one session."""

    def __init__(
        self,
        addresses: tuple[str, ...],
        limits: Limits,
        channels: Channels,
        hooks: HookCaller,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._limits = limits
        self._channels = channels
        self._hooks = hooks
        self._loop = loop
        self._deadlines = Deadlines(loop, self._late)
        self._bounds = Bounds(limits, self._admitted)
        self._sessions = Sessions(self._open_session, self._close_session)
        self.router = Router(addresses, self._fetch_topology, lambda address: self.nodes.stands(address), loop)
        self.nodes = Nodes(self.router, self._make_node)
        self._sessionless: dict[Call, None] = {}
        """Writes without a session to go into."""
        self._delayed: dict[Call, None] = {}
        """Refused calls that are sent again in a while."""
        self._open = 0
        """Calls whose callers still wait."""
        self._failing_since: float | None = None
        self._closing = False
        self._idle: asyncio.Future[None] | None = None

    def call(self, rpc: Rpc, name: str, payload: bytes, route: str | None, timeout: float) -> Call:
        """Makes a call. Awaiting what it returns gives the encoded response, or raises GomsgError."""
        call = Call(self, rpc, name, payload, route, timeout, self._loop)
        refusal = self._refusal(call)
        if refusal is not None:
            call.set_exception(refusal)
            return call
        if self._open == 0:
            # What failed while nobody waited, such as a connection that ended, keeps this call from no try.
            self._failing_since = None
        self._open += 1
        self._deadlines.add(call)
        self._bounds.take(call)
        return call

    @property
    def pending_calls(self) -> int:
        """Calls whose callers wait for an answer."""
        return self._open

    async def close(self) -> None:
        """Takes no more calls, waits for those that were made, ends the session and the streams."""
        self._closing = True
        deadline = self._loop.time() + self._limits.close_timeout
        if self._open > 0:
            self._idle = self._loop.create_future()
            await asyncio.wait([self._idle], timeout=self._limits.close_timeout)
            self._fail_all(failure("CLIENT_CLOSED", "the client was closed before the answer came"))
        session = self._sessions.end()
        if session is not None and any(node.connected for node in self.nodes):
            self._close_session(session)
        self.router.close()
        await asyncio.gather(*(node.end(deadline) for node in self.nodes))
        self._fail_all(failure("CLIENT_CLOSED", "the client was closed before the answer came"))
        self._deadlines.clear()

    def _refusal(self, call: Call) -> GomsgError | None:
        name, limits = call.name, self._limits
        if self._closing:
            return failure("CLIENT_CLOSED", f"{name}: the client is closed", method=name)
        if len(call.payload) > limits.max_request_bytes:
            return failure(
                "BATCH_TOO_LARGE",
                f"{name}: the request has {len(call.payload)} bytes, and the client sends at most "
                f"{limits.max_request_bytes}",
                method=name,
            )
        if not self._bounds.may_take(call):
            return failure(
                "OVERLOADED",
                f"{name}: {len(self._bounds.waiting)} calls wait in the client already; nothing was sent",
                method=name,
                retry_after=limits.retry_delay,
            )
        return None

    # Where calls go.

    def _admitted(self, call: Call) -> None:
        self._node_for(call).enqueue(call)

    def _node_for(self, call: Call) -> Node:
        return self.nodes.choose(call.route, call.hint, call.left)

    def _make_node(self, address: str) -> Node:
        node = Node(address, self._channels, self._limits, self, self._loop)
        node.dial_timeout = self._dial_timeout
        return node

    def _dial_timeout(self) -> float:
        limits = self._limits
        left = limits.unreachable_timeout
        if self._failing_since is not None:
            left -= self._loop.time() - self._failing_since
        return min(limits.connect_timeout, max(left, limits.retry_delay))

    def topology_epoch(self) -> int:
        return self.router.epoch

    def _fetch_topology(self) -> None:
        if self._closing:
            return

        def answered(call: Call) -> None:
            if not call.cancelled() and call.exception() is None and call.node is not None:
                try:
                    response = cluster_pb2.ClusterServiceGetTopologyResponse.FromString(call.result())
                    self.router.learned(response, call.node.address)
                except DecodeError as error:
                    self._hooks.log("warning", "the topology is malformed", error=error)

        self._internal(rpcs.CLUSTER_SERVICE_GET_TOPOLOGY, b"", answered)

    # Sessions.

    def place_in_session(self, call: Call, node: Node, now: float) -> bool:
        session = self._sessions.current(now)
        if session is None:
            call.move_to(self._sessionless)
            return False
        call.session = session
        call.sequence = session.take(now)
        return True

    def _open_session(self) -> None:
        def answered(call: Call) -> None:
            error = call.exception()
            if error is not None:
                self._session_failed(error)
                return
            try:
                response = pipeline_pb2.PipelineServiceOpenSessionResponse.FromString(call.result())
            except DecodeError as malformed:
                self._session_failed(undecodable("OpenSession", malformed))
                return
            idle = response.idle_timeout.ToTimedelta().total_seconds()
            self._sessions.opened(
                response.session_id,
                idle if response.HasField("idle_timeout") else math.inf,
                self._loop.time(),
            )
            self._requeue_sessionless()

        self._internal(rpcs.PIPELINE_SERVICE_OPEN_SESSION, b"", answered)

    def _session_failed(self, error: BaseException) -> None:
        self._sessions.open_failed()
        if not self._closing and isinstance(error, GomsgError) and is_passing(error):
            # Each write still has its own time to wait: another session is asked for.
            self._loop.call_later(self._limits.retry_delay, self._requeue_sessionless)
            return
        for call in list(self._sessionless):
            self._fail(call, _of_call(call, error))

    def _close_session(self, session_id: int) -> None:
        request = pipeline_pb2.PipelineServiceCloseSessionRequest(session_id=session_id)

        def answered(call: Call) -> None:
            # The server forgets a session by itself in time: what becomes of this call matters to nobody.
            call.exception()

        self._internal(rpcs.PIPELINE_SERVICE_CLOSE_SESSION, request.SerializeToString(), answered)

    def _requeue_sessionless(self) -> None:
        for call in list(self._sessionless):
            self._node_for(call).enqueue(call)

    def _internal(self, rpc: Rpc, payload: bytes, answered: Callable[[Call], None]) -> None:
        """A call of the client's own: past the bounds, and waited for by nobody outside."""
        name = rpc.path.rpartition("/")[2]
        call = Call(self, rpc, name, payload, None, INTERNAL_TIMEOUT_SECONDS, self._loop)
        call.internal = True
        call.add_done_callback(lambda _: answered(call))
        self._deadlines.add(call)
        self._node_for(call).enqueue(call)

    # In.

    def node_connected(self, node: Node) -> None:
        self._hooks.connected(node.address)
        if not self._closing:
            self.router.refresh()

    def node_answered(self, node: Node) -> None:
        self._failing_since = None

    def node_back(self, node: Node) -> None:
        self.router.found(node.address)
        for other in self.nodes:
            if other.failures > 0:
                # What waits for a node that fails, since none stood, need wait no more.
                for call in list(other.ready):
                    self._node_for(call).enqueue(call)

    def call_answered(self, call: Call, payload: bytes) -> None:
        if call.done():
            self._bounds.release(call)
            return
        self._settle(call)
        call.set_result(payload)

    def call_failed(self, call: Call, error: pipeline_pb2.PipelineError) -> None:
        if call.done():
            self._bounds.release(call)
            return
        refusal = server_failure(error.code, error.message, error.detail, method=call.name)
        reason = refusal.reason
        if reason in _ROUTING_REASONS:
            self.router.refresh()
        self._redirect(call, refusal)
        if reason in _RETRIED_REASONS and (call.is_repeatable or reason != ErrorReason.NO_QUORUM):
            if self._retry_later(call, refusal):
                return
        if reason == ErrorReason.SESSION_EXPIRED and call.session is not None:
            self._sessions.lost(call.session)
        self._fail(call, refusal)

    def _redirect(self, call: Call, refusal: GomsgError) -> None:
        """Notes what a refusal says of the node for the next try."""
        asked = call.node.address if call.node is not None else ""
        leader = refusal.leader.address if refusal.leader is not None else ""
        left, call.hint, call.left = call.left, None, ()
        if leader not in ("", asked):
            # One that fails would be asked in vain: the node that named it will hear of another one.
            call.hint = leader if self.nodes.stands(leader) else None
        elif refusal.reason in LEADERLESS_REASONS:
            call.left = with_left(left, asked)
            self.router.leave(asked)

    def _retry_later(self, call: Call, refusal: GomsgError) -> bool:
        """Sends a refused call again, now or in a while; False when it had its tries."""
        limits = self._limits
        delay = 0.0
        if call.hint is None:
            delay = max(
                refusal.retry_after or 0.0,
                backoff_seconds(call.sends - 1, limits.retry_delay, limits.max_retry_delay),
            )
        if call.sends >= limits.max_sends or self._loop.time() + delay >= call.deadline:
            return False
        self._hooks.retries(RetryInfo(call.name, call.sends, refusal, delay))
        if delay == 0.0:
            self._node_for(call).enqueue(call)
        else:
            self._delay(call, delay)
        return True

    def _delay(self, call: Call, delay: float) -> None:
        call.move_to(self._delayed)
        call.retry_timer = self._loop.call_later(delay, self._again, call)

    def _again(self, call: Call) -> None:
        call.retry_timer = None
        self._node_for(call).enqueue(call)

    def node_lost(self, node: Node, error: GomsgError, sent: list[Call], ready: list[Call]) -> None:
        now = self._loop.time()
        if self._failing_since is None:
            self._failing_since = now
        self._hooks.disconnected(node.address, error)
        self.router.lost(node.address)
        again: list[Call] = []
        is_final = error.code in _FINAL_CODES
        for call in sent:
            call.hint, call.left = None, ()
            if call.done():
                self._bounds.release(call)
            elif not is_final and call.is_repeatable and call.sends < self._limits.max_sends:
                # What breaks one connection may break others too: a call that was lost before does not use up its tries
                # on them.
                delay = 0.0
                if call.sends > 1:
                    delay = backoff_seconds(call.sends - 2, self._limits.retry_delay, self._limits.max_retry_delay)
                self._hooks.retries(RetryInfo(call.name, call.sends, error, delay))
                if delay == 0.0:
                    again.append(call)
                else:
                    self._delay(call, delay)
            else:
                self._fail(call, _of_call(call, error))
        for call in ready:
            call.hint, call.left = None, ()
            if is_final:
                # The node answers, and says that it will never take the stream.
                self._fail(call, _of_call(call, error))
            else:
                again.append(call)
                call.move_to(None)
        for call in again:
            self._node_for(call).enqueue(call)
        if now - self._failing_since >= self._limits.unreachable_timeout:
            self._fail_all(
                failure(
                    "UNREACHABLE",
                    f"no node could be reached for {self._limits.unreachable_timeout:g} s ({error.message})",
                    cause=error,
                )
            )

    # The end of calls.

    def given_up(self, call: Call) -> None:
        """Its caller canceled it."""
        self._settle(call)

    def _late(self, call: Call) -> None:
        outcome = "; the write may still be applied" if call.may_be_applied else ""
        error = failure(
            "DEADLINE_EXCEEDED",
            f"{call.name}: no answer within {call.timeout:g} s{outcome}",
            method=call.name,
        )
        self._fail(call, error)

    def _fail_all(self, error: GomsgError) -> None:
        calls = [*self._sessionless, *self._delayed, *self._bounds.waiting]
        for node in self.nodes:
            calls += [*node.sent.values(), *node.ready]
        for call in calls:
            if not call.done():
                self._fail(call, _of_call(call, error))

    def _fail(self, call: Call, error: BaseException) -> None:
        if call.done():
            return
        self._settle(call)
        call.set_exception(error)

    def _settle(self, call: Call) -> None:
        """Its caller is about to be told."""
        self._deadlines.remove(call)
        if call.retry_timer is not None:
            call.retry_timer.cancel()
            call.retry_timer = None
        if call.line is not None:
            self._bounds.leave(call)
            call.move_to(None)
        # What a node still has keeps its place until the node is done with it, or the connection.
        call.payload = b""
        if call.sent_by is None:
            self._bounds.release(call)
        session = call.session
        if session is not None:
            self._sessions.settled(session, call.sequence)
            if self._sessionless:
                self._requeue_sessionless()
        if not call.internal:
            self._open -= 1
            if self._open == 0 and self._idle is not None and not self._idle.done():
                self._idle.set_result(None)


def _of_call(call: Call, error: BaseException) -> BaseException:
    """The error of a connection or client as that of one call: it says what is known about a write."""
    if not isinstance(error, GomsgError):
        return error
    outcome = "; the write may still be applied" if call.may_be_applied else ""
    text = f"{call.name}: {without_action(error)}{outcome}"
    if error.reason in ErrorReason.__members__ and error.reason != ErrorReason.UNSPECIFIED:
        return failure(error.reason, text, method=call.name, retry_after=error.retry_after, cause=error)
    if error.code == _UNAVAILABLE:
        return failure("UNREACHABLE", text, method=call.name, cause=error)
    return transport_failure(error.code, text, method=call.name, cause=error)
