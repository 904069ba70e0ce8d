"""gomsg without asyncio: the same calls, un-awaited.

    import gomsg.sync

    with gomsg.sync.connect("localhost:9000") as client:
        client.kv.set("name", "alice")

A client runs an event loop on one background thread; it may be used by several threads at once.
"""

from __future__ import annotations

from typing import Any

from . import _client
from ._sync.client import Client
from ._sync.messages import QueueMessage, StreamMessage
from ._sync.subscription import Subscription

__all__ = ["Client", "QueueMessage", "StreamMessage", "Subscription", "connect"]


def connect(*args: Any, **options: Any) -> Client:
    """A client that is not asynchronous. Takes what `gomsg.connect` takes."""
    return Client(_client.connect(*args, **options))
