"""A node that answers as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from types import TracebackType
from typing import Self

import grpc.aio

from gomsg.v1 import cluster_pb2, kv_pb2, pipeline_pb2

OPEN_SESSION = 502
CLOSE_SESSION = 503
GET_TOPOLOGY = 408

Answer = bytes | pipeline_pb2.PipelineError | None
"""A response, a failure, or nothing at all."""

Script = Callable[[pipeline_pb2.PipelineCall], Answer]


class Cut(Exception):
    """Ends the stream instead of an answer."""


_Watching = grpc.aio.ServicerContext[kv_pb2.KVServiceWatchRequest, kv_pb2.KVServiceWatchResponse]


class FakeNode:
    """Serves the pipeline. Sessions are opened; other calls go to `script`, and are recorded. A watch is told of what
    `changes` gets, and probes of the topology are counted.
    """

    def __init__(self) -> None:
        self.address = ""
        self.calls: list[pipeline_pb2.PipelineCall] = []
        self.frames: list[pipeline_pb2.PipelineServiceExecuteRequest] = []
        self.headers: list[dict[str, str | bytes]] = []
        self.sessions_opened = 0
        self.topologies_asked = 0
        self.probes = 0
        self.watches = 0
        self.changes: asyncio.Queue[kv_pb2.WatchEvent | grpc.StatusCode] = asyncio.Queue()
        """What the watch that is open is told; a status ends it."""
        self.topology = cluster_pb2.ClusterServiceGetTopologyResponse(epoch=1)
        self.script: Script = lambda call: b""
        self._server: grpc.aio.Server | None = None

    async def __aenter__(self) -> Self:
        server = grpc.aio.server(options=[("grpc.http2.max_ping_strikes", 0)])
        handler = grpc.stream_stream_rpc_method_handler(
            self._execute,
            request_deserializer=pipeline_pb2.PipelineServiceExecuteRequest.FromString,
            response_serializer=pipeline_pb2.PipelineServiceExecuteResponse.SerializeToString,
        )
        probe = grpc.unary_unary_rpc_method_handler(
            self._probed,
            request_deserializer=cluster_pb2.ClusterServiceGetTopologyRequest.FromString,
            response_serializer=cluster_pb2.ClusterServiceGetTopologyResponse.SerializeToString,
        )
        watch = grpc.unary_stream_rpc_method_handler(
            self._watched,
            request_deserializer=kv_pb2.KVServiceWatchRequest.FromString,
            response_serializer=kv_pb2.KVServiceWatchResponse.SerializeToString,
        )
        server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler("gomsg.v1.PipelineService", {"Execute": handler}),
                grpc.method_handlers_generic_handler("gomsg.v1.ClusterService", {"GetTopology": probe}),
                grpc.method_handlers_generic_handler("gomsg.v1.KVService", {"Watch": watch}),
            )
        )
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        self.address = f"127.0.0.1:{port}"
        self._server = server
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Ends its connections, and takes no more."""
        if self._server is not None:
            await self._server.stop(None)

    async def _execute(
        self,
        requests: AsyncIterator[pipeline_pb2.PipelineServiceExecuteRequest],
        context: grpc.aio.ServicerContext[
            pipeline_pb2.PipelineServiceExecuteRequest, pipeline_pb2.PipelineServiceExecuteResponse
        ],
    ) -> AsyncIterator[pipeline_pb2.PipelineServiceExecuteResponse]:
        self.headers.append(dict(context.invocation_metadata() or ()))
        async for request in requests:
            self.frames.append(request)
            response = pipeline_pb2.PipelineServiceExecuteResponse()
            for call in request.calls:
                try:
                    answer = self._answer(call)
                except Cut:
                    await context.abort(grpc.StatusCode.UNAVAILABLE, "cut")
                if answer is None:
                    continue
                result = response.results.add(call_id=call.call_id)
                if isinstance(answer, bytes):
                    result.payload = answer
                else:
                    result.error.CopyFrom(answer)
            if response.results:
                yield response

    async def _probed(
        self, request: cluster_pb2.ClusterServiceGetTopologyRequest, context: object
    ) -> cluster_pb2.ClusterServiceGetTopologyResponse:
        self.probes += 1
        return self.topology

    async def _watched(
        self, request: kv_pb2.KVServiceWatchRequest, context: _Watching
    ) -> AsyncIterator[kv_pb2.KVServiceWatchResponse]:
        self.watches += 1
        yield kv_pb2.KVServiceWatchResponse(subscribed=True)
        while True:
            change = await self.changes.get()
            if isinstance(change, grpc.StatusCode):
                await context.abort(change, "ended")
            yield kv_pb2.KVServiceWatchResponse(events=[change])

    def _answer(self, call: pipeline_pb2.PipelineCall) -> Answer:
        if call.method == OPEN_SESSION:
            self.sessions_opened += 1
            opened = pipeline_pb2.PipelineServiceOpenSessionResponse(session_id=self.sessions_opened)
            return opened.SerializeToString()
        if call.method == CLOSE_SESSION:
            return b""
        if call.method == GET_TOPOLOGY:
            self.topologies_asked += 1
            return self.topology.SerializeToString()
        self.calls.append(call)
        return self.script(call)


def form_cluster(leader: FakeNode, *others: FakeNode, at: Iterable[str] = ()) -> None:
    """Gives the nodes one topology, in which the first leads everything. `at`: their addresses, if not their own."""
    nodes = (leader, *others)
    topology = cluster_pb2.ClusterServiceGetTopologyResponse(epoch=1)
    for index, address in enumerate(tuple(at) or [node.address for node in nodes]):
        topology.nodes.add(node_id=str(index), address=address)
    topology.groups.add(group=1, leader_node_id="0").slots.add(first=0, last=16_383)
    for node in nodes:
        node.topology = topology
