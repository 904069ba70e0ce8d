"""The SDK against a real node."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

import gomsg
import gomsg.sync


async def test_text_and_bytes(client: gomsg.Client, name: str) -> None:
    await client.kv.set(name, b"\xff\x00")
    assert await client.kv.get_bytes(name) == b"\xff\x00"
    with pytest.raises(gomsg.FailedPreconditionError, match="get_bytes"):
        await client.kv.get(name)
    assert await client.kv.mget_bytes([name, f"{name}-none"]) == [b"\xff\x00", None]


async def test_a_missing_key(client: gomsg.Client, name: str) -> None:
    with pytest.raises(gomsg.NotFoundError) as caught:
        await client.kv.get(name)
    error = caught.value
    assert (error.reason, error.code, error.method, error.subject) == ("KEY_NOT_FOUND", 5, "kv.get", name)
    assert error.action in str(error)


async def test_pages_are_collected_and_iterated(client: gomsg.Client, name: str) -> None:
    await client.kv.mset({f"{name}:{at:04}": "v" for at in range(2500)})
    keys = await client.kv.keys(f"{name}:*")
    assert len(keys) == 2500
    assert [key async for key in client.kv.keys_iter(f"{name}:*")] == keys


async def test_more_than_may_be_collected(address: str, name: str) -> None:
    async with gomsg.connect(address, max_collected=10) as client:
        await client.kv.mset({f"{name}:{at}": "v" for at in range(11)})
        with pytest.raises(gomsg.OutOfRangeError, match="_iter"):
            await client.kv.keys(f"{name}:*")


async def test_a_message_is_taken_and_settled(client: gomsg.Client, name: str) -> None:
    message_id = await client.queue.push(name, "job", headers={"a": "b"}, priority=3)
    message = await client.queue.pop(name, lease=timedelta(seconds=20))
    assert message is not None
    assert (message.data, message.headers, message.priority, message.attempt) == ("job", {"a": "b"}, 3, 1)
    assert message.message_id == message_id
    before = message.lease_expires_at
    assert await message.extend(60) > before
    await client.queue.ack(message.id)
    with pytest.raises(gomsg.NotFoundError):
        await message.ack()
    assert await client.queue.pop(name) is None


async def test_a_failing_handler_of_a_consumer_gives_the_message_back(client: gomsg.Client, name: str) -> None:
    seen: asyncio.Queue[int] = asyncio.Queue()
    errors: list[Exception] = []

    async def handler(message: gomsg.QueueMessage) -> None:
        seen.put_nowait(message.attempt)
        if message.attempt == 1:
            raise ValueError("not yet")
        await message.ack()

    async with client.queue.consume(name, handler, on_error=lambda error, item: errors.append(error)):
        await client.queue.push(name, "x")
        assert [await seen.get(), await seen.get()] == [1, 2]
    (error,) = errors
    assert isinstance(error, gomsg.UnknownError) and isinstance(error.__cause__, ValueError)


async def test_a_failing_handler_ends_a_subscription(client: gomsg.Client, name: str) -> None:
    def handler(message: gomsg.StreamMessage) -> None:
        raise ValueError("no")

    subscription = await client.stream.subscribe(name, handler)
    await client.stream.publish(name, "x")
    with pytest.raises(gomsg.UnknownError) as caught:
        await subscription.wait()
    assert caught.value.reason == gomsg.ErrorReason.HANDLER_FAILED
    assert isinstance(caught.value.__cause__, ValueError)


async def test_acknowledgements_commit_a_consumer(client: gomsg.Client, name: str) -> None:
    done = asyncio.Event()

    async def handler(message: gomsg.StreamMessage) -> None:
        await message.ack()
        if message.offset == 99:
            done.set()

    async with client.stream.subscribe(name, handler, consumer="c"):
        await client.stream.publish_batch(name, [str(at) for at in range(100)])
        await done.wait()
    assert await client.stream.get_offset(name, "c") == 100


async def test_acknowledgements_need_not_be_awaited(client: gomsg.Client, name: str) -> None:
    def handler(message: gomsg.StreamMessage) -> None:
        message.ack()

    async with client.stream.subscribe(name, handler, consumer="c"):
        await client.stream.publish_batch(name, ["a", "b"])
        async with asyncio.timeout(5):
            while await client.stream.get_offset(name, "c") != 2:
                await asyncio.sleep(0.01)


async def test_a_loop_that_is_left_ends_its_subscription(client: gomsg.Client, name: str) -> None:
    await client.stream.publish_batch(name, ["a", "b"])
    async for message in client.stream.subscribe(name, start=gomsg.StreamStart.earliest()):
        assert message.data == "a"
        break
    async with asyncio.timeout(5):
        while client._core._subscriptions:
            await asyncio.sleep(0.01)


async def test_a_wait_that_is_given_up_loses_no_message(client: gomsg.Client, name: str) -> None:
    async with client.stream.subscribe(name) as subscription:
        items = aiter(subscription)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await anext(items)
        await client.stream.publish(name, "x")
        assert (await anext(items)).data == "x"


async def test_a_watch_tells_changes(client: gomsg.Client, name: str) -> None:
    async with client.kv.watch(name) as watch:
        await client.kv.set(name, "v")
        await client.kv.delete(name)
        events = aiter(watch)
        first, second = await anext(events), await anext(events)
    assert (first.type, first.value) == (gomsg.WatchEventType.SET, "v")
    assert second.type == "delete"


async def test_a_bad_subscription_fails_when_it_is_awaited(client: gomsg.Client) -> None:
    with pytest.raises(gomsg.InvalidArgumentError):
        await client.stream.subscribe("not a name", lambda message: None)


async def test_closing_ends_iterations(address: str, name: str) -> None:
    client = gomsg.connect(address)
    subscription = await client.queue.consume(name)

    async def all_of_it() -> list[gomsg.QueueMessage]:
        return [message async for message in subscription]

    following = asyncio.create_task(all_of_it())
    await client.queue.stats(name)
    await client.close()
    assert await following == []


async def test_a_handler_may_close_the_client(address: str, name: str) -> None:
    closed = asyncio.Event()
    client = gomsg.connect(address)

    async def handler(message: gomsg.StreamMessage) -> None:
        await message.ack()
        await client.close()
        closed.set()

    subscription = await client.stream.subscribe(name, handler, consumer="c")
    await client.stream.publish(name, "x")
    async with asyncio.timeout(client._core.limits.close_timeout / 2):
        await closed.wait()
        await subscription.wait()
    assert client.is_closed
    async with gomsg.connect(address) as reader:
        assert await reader.stream.get_offset(name, "c") == 1


async def test_closing_waits_for_the_handler_that_runs(address: str, name: str) -> None:
    begun, finished = asyncio.Event(), asyncio.Event()
    client = gomsg.connect(address)

    async def handler(message: gomsg.StreamMessage) -> None:
        begun.set()
        while not client.is_closed:
            await asyncio.sleep(0)
        finished.set()

    await client.stream.subscribe(name, handler)
    await client.stream.publish(name, "x")
    await begun.wait()
    await client.close()
    assert finished.is_set()


async def test_raw_clients(client: gomsg.Client) -> None:
    from gomsg.v1 import cluster_pb2

    response = await client.raw.cluster.Nodes(cluster_pb2.ClusterServiceNodesRequest())
    assert len(response.nodes) == 1


def test_the_twin_without_asyncio(address: str, name: str) -> None:
    with gomsg.sync.connect(address) as client:
        client.kv.set(name, "v")
        assert client.kv.get(name) == "v"
        assert list(client.kv.keys_iter(f"{name}*")) == [name]
        client.queue.push(name, "job")
        message = client.queue.pop(name)
        assert message is not None and message.data == "job"
        message.ack()
        client.stream.publish_batch(name, ["a", "b"])
        seen: list[Any] = []
        for event in client.stream.subscribe(name, start=gomsg.StreamStart.earliest()):
            seen.append(event.data)
            if len(seen) == 2:
                break
        assert seen == ["a", "b"]
        with pytest.raises(gomsg.NotFoundError):
            client.kv.get(f"{name}-none")
    with pytest.raises(gomsg.CanceledError):
        client.kv.get(name)


def test_a_handler_without_asyncio_runs_on_a_thread(address: str, name: str) -> None:
    import threading

    done = threading.Event()
    threads: set[str] = set()

    def handler(message: gomsg.sync.StreamMessage) -> None:
        threads.add(threading.current_thread().name)
        message.ack()
        if message.data == "b":
            done.set()

    with gomsg.sync.connect(address) as client:
        subscription = client.stream.subscribe(name, handler, consumer="c")
        client.stream.publish_batch(name, ["a", "b"])
        assert done.wait(10)
        subscription.close()
        assert client.stream.get_offset(name, "c") == 2
    assert len(threads) == 1 and threading.current_thread().name not in threads
