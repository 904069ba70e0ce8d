"""The pipeline against a node that answers as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

import gomsg
from gomsg.v1 import cluster_pb2, common_pb2, kv_pb2, pipeline_pb2

from .fake_node import Answer, Cut, FakeNode

SET = 101
GET = 102
INCREMENT = 105


def refusal(
    reason: common_pb2.ErrorReason, code: int, *, leader: str = "", retry_after: float = 0
) -> pipeline_pb2.PipelineError:
    error = pipeline_pb2.PipelineError(code=code, message="refused")
    error.detail.reason = reason
    if leader:
        error.detail.leader.address = leader
    if retry_after:
        error.detail.retry_after.FromMilliseconds(round(retry_after * 1000))
    return error


def first_then(first: Answer, then: bytes = b"") -> Callable[[pipeline_pb2.PipelineCall], Answer]:
    """The first call gets one answer, and all others another."""
    answers: list[Answer] = [first]
    return lambda call: answers.pop() if answers else then


async def test_calls_of_one_turn_share_a_frame(fake: FakeNode) -> None:
    async with gomsg.connect(fake.address) as client:
        await client.kv.set("warm", "up")
        frames = len(fake.frames)
        await asyncio.gather(*(client.kv.set(f"k{at}", "v") for at in range(100)))
        # The client's own calls go when they are due.
        sets = [sum(call.method == SET for call in frame.calls) for frame in fake.frames[frames:]]
        assert [count for count in sets if count > 0] == [100]


async def test_writes_have_positions_in_a_session_and_reads_have_none(fake: FakeNode) -> None:
    async with gomsg.connect(fake.address) as client:
        await client.kv.set("k", "v")
        await client.kv.exists("k")
        await client.kv.set("k", "w")
    assert [call.sequence for call in fake.calls] == [1, 0, 2]
    assert fake.sessions_opened == 1
    assert 2 in [frame.answered_below for frame in fake.frames]


async def test_a_write_whose_answer_was_lost_is_sent_again_as_a_retry(fake: FakeNode) -> None:
    cuts = [True]

    def script(call: pipeline_pb2.PipelineCall) -> Answer:
        if cuts and call.method == INCREMENT:
            cuts.pop()
            raise Cut
        return kv_pb2.KVServiceIncrementResponse(value=5).SerializeToString()

    fake.script = script
    async with gomsg.connect(fake.address) as client:
        assert await client.kv.incr("n") == 5
    tries = [call for call in fake.calls if call.method == INCREMENT]
    assert [(call.sequence, call.retry) for call in tries] == [(1, False), (1, True)]


async def test_overload_is_waited_out(fake: FakeNode) -> None:
    fake.script = first_then(refusal(common_pb2.ERROR_REASON_OVERLOADED, 8, retry_after=0.01))
    retries: list[gomsg.RetryInfo] = []
    async with gomsg.connect(fake.address, hooks=gomsg.Hooks(on_retry=retries.append)) as client:
        await client.kv.set("k", "v")
    assert [(retry.method, retry.attempt) for retry in retries] == [("kv.set", 1)]
    assert retries[0].delay >= 0.01


async def test_a_hinted_leader_gets_the_same_position(fake: FakeNode) -> None:
    async with FakeNode() as leader:
        fake.script = lambda call: refusal(common_pb2.ERROR_REASON_NOT_LEADER, 14, leader=leader.address)
        async with gomsg.connect(fake.address) as client:
            await client.kv.set("k", "v")
        assert [call.sequence for call in fake.calls] == [1]
        assert [(call.sequence, call.retry) for call in leader.calls] == [(1, True)]


async def test_calls_go_to_the_leader_of_their_slot(fake: FakeNode) -> None:
    async with FakeNode() as other:
        for node_id, node in (("a", fake), ("b", other)):
            fake.topology.nodes.add(node_id=node_id, address=node.address)
        group = fake.topology.groups.add(group=1, leader_node_id="a")
        group.slots.add(first=0, last=8191)
        group = fake.topology.groups.add(group=2, leader_node_id="b")
        group.slots.add(first=8192, last=16_383)
        fake.topology.epoch = 7
        async with gomsg.connect(fake.address) as client:
            await client.kv.exists("warm-up")
            while client._core.pipeline.router.epoch == 0:
                await asyncio.sleep(0)
            # CRC16 of foo is slot 12182, of bar 5061 (as in the Redis cluster specification).
            async with asyncio.timeout(5):
                while not other.calls:
                    # Passed on by the node that answers already, until the other one does.
                    await client.kv.exists("foo")
            other.calls.clear()
            await asyncio.gather(*(client.kv.exists(key) for key in ("foo", "bar")))
            keys = [kv_pb2.KVServiceExistsRequest.FromString(call.payload).key for call in other.calls]
            assert keys == ["foo"]
            assert other.frames[-1].topology_epoch == 7


async def test_one_node_is_reached_by_the_configured_address_only(fake: FakeNode) -> None:
    fake.topology.nodes.add(node_id="a", address="192.0.2.1:9000")
    fake.topology.groups.add(group=1, leader_node_id="a").slots.add(first=0, last=16_383)
    async with gomsg.connect(fake.address) as client:
        for _ in range(5):
            await client.kv.exists("k")
        assert client._core.pipeline.router.address_for("k") == fake.address


async def test_the_next_address_is_tried(fake: FakeNode) -> None:
    async with gomsg.connect(["127.0.0.1:1", fake.address]) as client:
        await client.kv.set("k", "v")


async def test_nobody_there_is_unreachable() -> None:
    async with gomsg.connect("127.0.0.1:1", unreachable_timeout=0.2) as client:
        with pytest.raises(gomsg.UnavailableError) as caught:
            await client.kv.get("k")
    assert caught.value.reason == gomsg.ErrorReason.UNREACHABLE
    assert caught.value.method == "kv.get"


async def test_a_late_answer_is_a_timeout_that_says_what_it_does_not_know(fake: FakeNode) -> None:
    async with gomsg.connect(fake.address, close_timeout=0.1) as client:
        # With a connection and a session it goes out at once, long before it is late.
        await client.kv.set("k", "v")
        fake.script = lambda call: None
        with pytest.raises(gomsg.DeadlineExceededError, match="may still be applied"):
            await client.kv.set("k", "v", timeout=0.3)


async def test_a_call_that_is_given_up_frees_its_place(fake: FakeNode) -> None:
    fake.script = lambda call: None if call.method == GET else b""
    async with gomsg.connect(fake.address, close_timeout=0.1) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await client.kv.get("k")
        assert client.pending_calls == 0
        await client.kv.set("k", "v")


async def test_more_waiting_calls_than_allowed_fail_at_once(fake: FakeNode) -> None:
    fake.script = lambda call: None
    async with gomsg.connect(
        fake.address, max_in_flight_calls=1, max_waiting_calls=1, close_timeout=0.1
    ) as client:
        calls = [asyncio.ensure_future(client.kv.set(f"k{at}", "v")) for at in range(3)]
        with pytest.raises(gomsg.ResourceExhaustedError) as caught:
            await calls[2]
        assert caught.value.reason == gomsg.ErrorReason.OVERLOADED
        await client.close()
        for call in calls[:2]:
            with pytest.raises(gomsg.CanceledError):
                await call


async def test_a_session_that_the_server_forgot_is_replaced(fake: FakeNode) -> None:
    fake.script = first_then(refusal(common_pb2.ERROR_REASON_SESSION_EXPIRED, 10))
    async with gomsg.connect(fake.address) as client:
        with pytest.raises(gomsg.AbortedError):
            await client.kv.set("k", "v")
        await client.kv.set("k", "v")
    assert fake.sessions_opened == 2


async def test_the_token_goes_with_every_stream(fake: FakeNode) -> None:
    async def token() -> str:
        return "secret"

    async with gomsg.connect(fake.address, token=token) as client:
        await client.kv.set("k", "v")
    assert fake.headers[0]["authorization"] == "Bearer secret"


async def test_hooks_are_told_and_do_no_harm(fake: FakeNode) -> None:
    told: list[str] = []

    def on_call(info: gomsg.CallInfo) -> Callable[[gomsg.CallResult], None]:
        told.append(f"{info.method} {info.route}")
        return lambda result: told.append(f"error {result.error}")

    def on_connect(address: str) -> None:
        raise RuntimeError("a hook that fails")

    hooks = gomsg.Hooks(on_call=on_call, on_connect=on_connect, log=lambda level, text, details: told.append(text))
    async with gomsg.connect(fake.address, hooks=hooks) as client:
        await client.kv.set("k", "v")
    assert told == ["kv.set k", "a hook failed", "error None"]


async def test_a_malformed_response_is_a_typed_error(fake: FakeNode) -> None:
    fake.script = lambda call: b"\xff"
    async with gomsg.connect(fake.address) as client:
        with pytest.raises(gomsg.UnknownError, match=r"kv\.exists: the response is malformed"):
            await client.kv.exists("k")


async def test_a_closed_client_refuses_calls_and_leaves_no_task(fake: FakeNode) -> None:
    before = len(asyncio.all_tasks())
    client = gomsg.connect(fake.address)
    await client.kv.set("k", "v")
    await client.close()
    await client.close()
    assert [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("gomsg-")] == []
    async with asyncio.timeout(5):
        while len(asyncio.all_tasks()) > before:  # Those of the node end a moment later.
            await asyncio.sleep(0)
    with pytest.raises(gomsg.CanceledError) as caught:
        await client.kv.set("k", "v")
    assert caught.value.reason == gomsg.ErrorReason.CLIENT_CLOSED


def test_topology_without_leaders_is_no_map() -> None:
    from gomsg._routing.topology import SlotMap

    response = cluster_pb2.ClusterServiceGetTopologyResponse(epoch=1)
    response.groups.add(group=1).slots.add(first=0, last=16_383)
    assert SlotMap(response).leader_of("k") is None
