"""The client of gomsg: key/value, message queues and event streams in one service.

    import gomsg

    async with gomsg.connect("localhost:9000") as client:
        await client.kv.set("name", "alice")

`gomsg.sync` has the same calls without asyncio.
"""

from __future__ import annotations

from ._client import Client, connect
from ._error import GomsgError, NodeAddress
from ._gen import exports as _exports
from ._gen.exports import *  # noqa: F403
from ._options import DEFAULT_ADDRESS, TlsOptions
from ._streams.subscription import Subscription
from ._version import __version__
from .hooks import CallInfo, CallResult, Hooks, RetryInfo
from .messages import QueueMessage, StreamMessage, StreamStart

__all__ = [
    "DEFAULT_ADDRESS",
    "CallInfo",
    "CallResult",
    "Client",
    "GomsgError",
    "Hooks",
    "NodeAddress",
    "QueueMessage",
    "RetryInfo",
    "StreamMessage",
    "StreamStart",
    "Subscription",
    "TlsOptions",
    "__version__",
    "connect",
]
__all__ += _exports.__all__
