"""The streams that the runner has open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import conformance_pb2 as wire
from dispatch import METHODS
from errors import error_to_wire
from values import arguments, to_wire

import gomsg


class AskedToFail(Exception):
    """What a handler raises that is to fail."""


class _Stream:
    def __init__(self, subscription: gomsg.Subscription[Any]) -> None:
        self.subscription = subscription
        self.items: list[Any] = []
        self.following: asyncio.Task[None] | None = None


class Streams:
    """`tell` is given what happens to them."""

    def __init__(self, tell: Callable[[wire.StreamEvent], None]) -> None:
        self._tell = tell
        self._streams: dict[str, _Stream] = {}

    async def open(self, client: gomsg.Client, request: wire.OpenStream) -> None:
        """Returns when it is in place."""
        name = request.stream
        entry = METHODS[request.method]
        args, options = arguments(request.method, request.args, request.options)
        stream: _Stream | None = None

        async def take(item: Any) -> None:
            assert stream is not None
            stream.items.append(item)
            self._tell(wire.StreamEvent(stream=name, item=to_wire(item)))
            await _settled(item, request.each)

        if request.handle_errors:
            options["on_error"] = lambda error, item: self._tell(
                wire.StreamEvent(stream=name, handled=error_to_wire(error))
            )
        is_iterator = request.form == wire.STREAM_FORM_ITERATOR
        if not is_iterator:
            # Behind all positional arguments, also those that are missing.
            options["handler"] = take
        method = getattr(getattr(client, entry.service), entry.name)
        stream = _Stream(method(*args, **options))
        self._streams[name] = stream
        await stream.subscription
        stream.following = asyncio.create_task(self._follow(name, stream, take if is_iterator else None))

    async def _follow(self, name: str, stream: _Stream, take: Callable[[Any], Any] | None) -> None:
        try:
            if take is not None:
                async for item in stream.subscription:
                    await take(item)
            await stream.subscription.wait()
        except (gomsg.GomsgError, AskedToFail) as error:
            self._tell(wire.StreamEvent(stream=name, failed=error_to_wire(error)))
            await stream.subscription.close()
        else:
            self._tell(wire.StreamEvent(stream=name, ended=True))

    async def settle(self, request: wire.Settle) -> None:
        await _settled(self._streams[request.stream].items[request.item], request.action)

    async def close(self, name: str) -> None:
        """Returns once it has ended, and that was told."""
        stream = self._streams[name]
        await stream.subscription.close()
        if stream.following is not None:
            await stream.following


async def _settled(item: Any, action: wire.ItemAction) -> None:
    if action == wire.ITEM_ACTION_ACK:
        await item.ack()
    elif action == wire.ITEM_ACTION_NACK:
        await item.nack()
    elif action == wire.ITEM_ACTION_FAIL:
        raise AskedToFail("the handler fails on purpose")
