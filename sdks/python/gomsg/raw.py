"""The rpcs as the contracts have them: plain gRPC, one call each, protobuf messages in and out."""

from __future__ import annotations

from collections.abc import Callable

import grpc.aio

from ._gen.raw import (
    ClusterServiceClient,
    KVServiceClient,
    PipelineServiceClient,
    QueueServiceClient,
    StreamServiceClient,
)

__all__ = [
    "ClusterServiceClient",
    "KVServiceClient",
    "PipelineServiceClient",
    "QueueServiceClient",
    "RawClient",
    "StreamServiceClient",
]


class RawClient:
    """Clients of all services on the connection that the client has anyway. They neither retry nor route.

    Errors are grpc.aio.AioRpcError. For what the friendly methods do not cover, and for tools.
    """

    def __init__(self, channel: Callable[[], grpc.aio.Channel]) -> None:
        self._channel = channel

    @property
    def kv(self) -> KVServiceClient:
        return KVServiceClient(self._channel())

    @property
    def queue(self) -> QueueServiceClient:
        return QueueServiceClient(self._channel())

    @property
    def stream(self) -> StreamServiceClient:
        return StreamServiceClient(self._channel())

    @property
    def cluster(self) -> ClusterServiceClient:
        return ClusterServiceClient(self._channel())

    @property
    def pipeline(self) -> PipelineServiceClient:
        return PipelineServiceClient(self._channel())
