"""Nodes that fall silent though their connections stand, and nodes that have no leader to offer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import grpc
import pytest

import gomsg
from gomsg.v1 import common_pb2, kv_pb2, pipeline_pb2

from .fake_node import Answer, FakeNode, form_cluster
from .gate import Gate
from .test_pipeline import refusal

NOTICED_SECONDS = 5
"""More than enough for that, on a machine that is busy."""

NO_QUORUM = refusal(common_pb2.ERROR_REASON_NO_QUORUM, 14)
NOT_LEADER = refusal(common_pb2.ERROR_REASON_NOT_LEADER, 14)


def connect(addresses: str | list[str]) -> gomsg.Client:
    """A client that notices silence in about a second, and does not take a busy machine for a silent one."""
    return gomsg.connect(addresses, keepalive_interval=0.2, keepalive_timeout=0.4, connect_timeout=1)


class Cluster:
    """A leader behind a gate, and another node."""

    def __init__(self, leader: FakeNode, gate: Gate, other: FakeNode) -> None:
        self.leader, self.gate, self.other = leader, gate, other
        self.addresses = [gate.address, other.address]


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with FakeNode() as leader, FakeNode() as other, Gate(leader.address) as gate:
        form_cluster(leader, other, at=[gate.address, other.address])
        yield Cluster(leader, gate, other)


async def routed(client: gomsg.Client) -> None:
    """Returns once the client knows the topology."""
    await client.kv.exists("warm-up")
    while client._core.pipeline.router.epoch == 0:
        await asyncio.sleep(0)


async def test_no_call_waits_for_a_first_connection_while_another_node_answers(cluster: Cluster) -> None:
    cluster.gate.shut()
    async with gomsg.connect(cluster.other.address) as client:
        await routed(client)
        # The connection to the leader is tried for as long as this, and no call waits for that.
        async with asyncio.timeout(client._core.limits.connect_timeout / 2):
            await client.kv.incr("n")
            while cluster.gate.connections == 0:
                await asyncio.sleep(0)
        cluster.gate.open()
        async with asyncio.timeout(NOTICED_SECONDS):
            while not cluster.leader.calls:
                await client.kv.exists("k")


async def test_a_node_that_falls_silent_is_done_without_until_it_answers(cluster: Cluster) -> None:
    async with connect(cluster.addresses) as client:
        await routed(client)
        await client.kv.incr("n")
        cluster.gate.shut()
        async with asyncio.timeout(NOTICED_SECONDS):
            await client.kv.incr("n")
        assert [(call.sequence, call.retry) for call in cluster.other.calls] == [(2, True)]

        # While it is silent, nothing of the user goes there and waits.
        node = client._core.pipeline.nodes.get(cluster.gate.address)
        connections = cluster.gate.connections
        async with asyncio.timeout(NOTICED_SECONDS):
            while cluster.gate.connections == connections or node.failures < 2:
                await client.kv.exists("k")
                assert node.is_idle
        answered = len(cluster.leader.calls)

        cluster.gate.open()
        async with asyncio.timeout(NOTICED_SECONDS):
            while len(cluster.leader.calls) <= answered + 1:
                await client.kv.exists("k")
        assert cluster.leader.probes > 0


async def test_a_node_that_accepts_and_says_nothing_is_given_up(cluster: Cluster) -> None:
    cluster.gate.shut()
    async with connect(cluster.addresses) as client:
        async with asyncio.timeout(NOTICED_SECONDS):
            await client.kv.incr("n")
        assert [call.sequence for call in cluster.other.calls] == [1]
        assert client._core.pipeline.router.home == cluster.other.address


async def test_a_node_that_takes_its_time_is_not_given_up_while_it_connects(fake: FakeNode) -> None:
    async with Gate(fake.address) as gate, gomsg.connect(gate.address) as client:
        gate.shut()
        call = asyncio.ensure_future(client.kv.incr("n"))
        await asyncio.wait([call], timeout=0.5)
        gate.open()
        async with asyncio.timeout(NOTICED_SECONDS):
            await call
        assert gate.connections == 1


async def test_calls_whose_frames_stand_at_a_silent_node_go_to_another(cluster: Cluster) -> None:
    async with connect(cluster.addresses) as client:
        await routed(client)
        cluster.gate.shut()
        value = bytes(1_000_000)  # More in all than sockets and windows hold.
        async with asyncio.timeout(2 * NOTICED_SECONDS):
            await asyncio.gather(*(client.kv.set(f"k{at}", value) for at in range(24)))
        assert len(cluster.other.calls) == 24


async def test_a_long_wait_at_a_node_that_answers_pings_is_not_given_up(address: str, name: str) -> None:
    lost: list[str] = []
    hooks = gomsg.Hooks(on_disconnect=lambda at, error: lost.append(str(error)))
    async with gomsg.connect(address, keepalive_interval=0.1, keepalive_timeout=1, hooks=hooks) as client:
        assert await client.queue.pop_timeout(name, 3) is None
        assert lost == []


async def test_the_only_node_is_waited_for_when_it_falls_silent(fake: FakeNode) -> None:
    async with Gate(fake.address) as gate, connect(gate.address) as client:
        await client.kv.incr("n")
        gate.shut()
        counting = asyncio.ensure_future(client.kv.incr("n"))
        async with asyncio.timeout(NOTICED_SECONDS):
            while gate.connections < 2:
                await asyncio.sleep(0.01)
        gate.open()
        async with asyncio.timeout(NOTICED_SECONDS):
            await counting
        # The node takes what stood in the old connection too, and knows it by its position.
        assert {call.sequence for call in fake.calls} == {1, 2}
        assert fake.calls[-1].retry or fake.calls[-2].retry


async def test_a_subscription_leaves_a_silent_node(cluster: Cluster) -> None:
    async with connect(cluster.addresses) as client:
        await routed(client)
        async with client.kv.watch("k") as watch:
            assert (cluster.leader.watches, cluster.other.watches) == (1, 0)
            cluster.gate.shut()
            cluster.other.changes.put_nowait(kv_pb2.WatchEvent(type=kv_pb2.WATCH_EVENT_TYPE_SET, key="k"))
            async with asyncio.timeout(NOTICED_SECONDS):
                event = await anext(aiter(watch))
            assert event.key == "k"


async def test_a_subscription_leaves_a_node_without_a_leader(cluster: Cluster) -> None:
    async with gomsg.connect(cluster.addresses) as client:
        await routed(client)
        async with client.kv.watch("k") as watch:
            cluster.leader.changes.put_nowait(grpc.StatusCode.UNAVAILABLE)
            cluster.other.changes.put_nowait(kv_pb2.WatchEvent(type=kv_pb2.WATCH_EVENT_TYPE_SET, key="k"))
            async with asyncio.timeout(NOTICED_SECONDS):
                await anext(aiter(watch))


@pytest.mark.parametrize("answer", [NO_QUORUM, NOT_LEADER], ids=["no quorum", "no leader"])
async def test_a_node_without_a_leader_is_left(cluster: Cluster, answer: Answer) -> None:
    async with gomsg.connect(cluster.addresses) as client:
        await routed(client)
        cluster.leader.script = lambda call: answer
        async with asyncio.timeout(NOTICED_SECONDS):
            await client.kv.incr("n")
            while cluster.other.topologies_asked == 0:
                await asyncio.sleep(0.01)
        tries = [(call.sequence, call.retry) for call in cluster.leader.calls[1:] + cluster.other.calls]
        assert tries == [(1, False), (1, True)]
        # Before the leader refused the call, it may have been asked for other reasons.
        asked, asked_elsewhere = cluster.leader.topologies_asked, cluster.other.topologies_asked
        client._core.pipeline.router.refresh()
        async with asyncio.timeout(NOTICED_SECONDS):
            while cluster.other.topologies_asked == asked_elsewhere:
                await asyncio.sleep(0.01)
        assert cluster.leader.topologies_asked == asked
        assert client._core.pipeline.router.home == cluster.other.address


async def test_a_node_that_leaves_no_other_is_asked_again(fake: FakeNode) -> None:
    answers: list[Answer] = [NO_QUORUM, NOT_LEADER]
    fake.script = lambda call: answers.pop() if answers else b""
    async with gomsg.connect(fake.address) as client:
        await client.kv.incr("n")
    assert [(call.sequence, call.retry) for call in fake.calls] == [(1, False), (1, True), (1, True)]


async def test_a_hint_to_a_node_that_fails_is_not_followed_in_a_circle(cluster: Cluster) -> None:
    hint = refusal(common_pb2.ERROR_REASON_NOT_LEADER, 14, leader=cluster.gate.address)
    async with connect(cluster.addresses) as client:
        await routed(client)
        cluster.gate.shut()
        began = asyncio.get_running_loop().time()
        cluster.other.script = lambda call: hint if len(cluster.other.calls) < 8 else b""
        async with asyncio.timeout(2 * NOTICED_SECONDS):
            await client.kv.incr("n")
        # Each of seven refusals was waited out, for half of a doubled delay at least.
        assert asyncio.get_running_loop().time() - began > 0.025 / 2 * (2**7 - 1)


async def test_calls_go_round_all_nodes_until_one_of_them_leads() -> None:
    async with FakeNode() as one, FakeNode() as two, FakeNode() as three:
        form_cluster(one, two, three)
        loop = asyncio.get_running_loop()
        async with gomsg.connect(one.address) as client:
            await routed(client)
            elected_at = loop.time() + 1.5

            def leaderless_until(leads: bool) -> Callable[[pipeline_pb2.PipelineCall], Answer]:
                return lambda call: b"" if leads and loop.time() >= elected_at else NOT_LEADER

            one.script = two.script = leaderless_until(False)
            three.script = leaderless_until(True)
            async with asyncio.timeout(2 * NOTICED_SECONDS):
                await client.kv.incr("n")
            assert all(node.calls for node in (two, three))
            assert {call.sequence for node in (two, three) for call in node.calls} == {1}
