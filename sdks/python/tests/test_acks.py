"""Acknowledgements of consumers that are moved, and whom their failures are told."""

from __future__ import annotations

import asyncio

import pytest

import gomsg
from gomsg._streams.settlement import Settlement


async def test_a_consumer_that_is_moved_back_acknowledges_anew(client: gomsg.Client, name: str) -> None:
    await client.stream.publish_batch(name, [str(at) for at in range(30)])
    seen: asyncio.Queue[int] = asyncio.Queue()

    def handler(message: gomsg.StreamMessage) -> None:
        message.ack()
        seen.put_nowait(message.offset)

    # With less credit than messages: those that are not acknowledged would stop the rest.
    async with client.stream.subscribe(name, handler, consumer="c", credit=5):
        async with asyncio.timeout(10):
            assert [await seen.get() for _ in range(30)] == list(range(30))
            while await client.stream.get_offset(name, "c") != 30:
                await asyncio.sleep(0)
            await client.stream.seek(name, "c", 0)
            assert [await seen.get() for _ in range(30)] == list(range(30))
            while await client.stream.get_offset(name, "c") != 30:
                await asyncio.sleep(0)


async def test_what_was_acknowledged_before_a_move_commits_nothing_after_it(
    client: gomsg.Client, name: str
) -> None:
    await client.stream.publish_batch(name, [str(at) for at in range(30)])
    async with client.stream.subscribe(name, consumer="c") as subscription:
        items = aiter(subscription)
        async with asyncio.timeout(10):
            for _ in range(30):
                message = await anext(items)
            await message.ack()
            await client.stream.seek(name, "c", 0)
            message = await anext(items)
            assert message.offset == 0
            await message.ack()
        assert await client.stream.get_offset(name, "c") == 1


async def test_a_failure_is_told_to_who_gathers_and_to_nobody_else() -> None:
    told: list[BaseException] = []
    gathered = Settlement(asyncio.get_running_loop(), told.append)
    together = asyncio.gather(gathered)
    gathered.fail(ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        await together
    ignored = Settlement(asyncio.get_running_loop(), told.append)
    ignored.fail(ValueError("nobody waits"))
    assert [str(error) for error in told] == ["nobody waits"]
