"""gomsg without asyncio: the same calls, un-awaited.

    import gomsg.sync

    with gomsg.sync.connect("localhost:9000") as client:
        client.kv.set("name", "alice")

A client runs an event loop on one background thread; it may be used by several threads at once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec

from . import _client
from ._sync.client import Client
from ._sync.messages import QueueMessage, StreamMessage
from ._sync.subscription import Subscription

__all__ = ["Client", "QueueMessage", "StreamMessage", "Subscription", "connect"]


P = ParamSpec("P")


def _without_asyncio(connect: Callable[P, _client.Client]) -> Callable[P, Client]:
    """The same parameters, another client."""

    @functools.wraps(connect)
    def connected(*args: P.args, **options: P.kwargs) -> Client:
        return Client(connect(*args, **options))

    return connected


connect = _without_asyncio(_client.connect)
