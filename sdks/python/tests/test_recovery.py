"""What goes wrong on the way, and comes right again without the caller."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

import gomsg
from gomsg.v1 import common_pb2, pipeline_pb2

from .fake_node import OPEN_SESSION, Answer, Cut, FakeNode

MANY_CUTS = 1_000


def cut_first(calls: int, then: Answer = b"") -> Callable[[pipeline_pb2.PipelineCall], Answer]:
    """The connection breaks at the first calls; the others get their answer."""
    left = [calls]

    def script(call: pipeline_pb2.PipelineCall) -> Answer:
        if left[0] > 0:
            left[0] -= 1
            raise Cut
        return then

    return script


class SessionsFail(FakeNode):
    """Answers the first tries to open a session as a test says."""

    def __init__(self, script: Callable[[pipeline_pb2.PipelineCall], Answer]) -> None:
        super().__init__()
        self.opening = script

    def _answer(self, call: pipeline_pb2.PipelineCall) -> Answer:
        if call.method == OPEN_SESSION and (answer := self.opening(call)) != b"":
            return answer
        return super()._answer(call)


async def test_a_first_write_outlives_connections_that_break_before_it_has_a_session() -> None:
    async with SessionsFail(cut_first(3)) as node, gomsg.connect(node.address) as client:
        await client.kv.incr("n")
        assert [(call.sequence, call.retry) for call in node.calls] == [(1, False)]


async def test_a_write_waits_for_a_session_as_long_as_its_own_time_lasts() -> None:
    overloaded = pipeline_pb2.PipelineError(code=8, message="later")
    overloaded.detail.reason = common_pb2.ERROR_REASON_OVERLOADED
    refusals: list[Answer] = [overloaded] * 5
    async with (
        SessionsFail(lambda call: refusals.pop() if refusals else b"") as node,
        gomsg.connect(node.address, max_sends=2, retry_delay=0.001) as client,
    ):
        await client.kv.incr("n")
        assert refusals == []


async def test_a_session_that_is_refused_for_good_fails_the_write() -> None:
    refusal = pipeline_pb2.PipelineError(code=7, message="not you")
    async with SessionsFail(lambda call: refusal) as node, gomsg.connect(node.address) as client:
        with pytest.raises(gomsg.GomsgError, match=r"kv\.incr: .*not you") as caught:
            await client.kv.incr("n")
        assert caught.value.code == 7


async def test_a_leader_that_was_lost_once_is_used_again(fake: FakeNode) -> None:
    async with FakeNode() as leader:
        for node_id, node in (("a", fake), ("b", leader)):
            fake.topology.nodes.add(node_id=node_id, address=node.address)
        fake.topology.groups.add(group=1, leader_node_id="b").slots.add(first=0, last=16_383)
        leader.script = cut_first(1)
        async with gomsg.connect(fake.address) as client:
            await client.kv.exists("k")
            while client._core.pipeline.router.epoch == 0:
                await asyncio.sleep(0)
            async with asyncio.timeout(5):
                while not leader.calls:
                    await client.kv.exists("k")
            assert fake.calls[-1].retry  # What was lost there went on here.
            async with asyncio.timeout(5):
                while len(leader.calls) == 1:
                    await client.kv.exists("k")


async def test_nodes_that_join_are_found_though_nothing_goes_wrong(
    fake: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gomsg._routing.router.RENEWAL_INTERVAL_SECONDS", 0.01)
    async with FakeNode() as joining, gomsg.connect(fake.address) as client:
        fake.topology.nodes.add(node_id="a", address=fake.address)
        fake.topology.groups.add(group=1, leader_node_id="a").slots.add(first=0, last=16_383)
        await client.kv.exists("k")
        fake.topology.nodes.add(node_id="b", address=joining.address)
        fake.topology.groups[0].leader_node_id = "b"
        async with asyncio.timeout(5):
            while not joining.calls:
                await client.kv.exists("k")


async def test_a_leader_with_an_address_that_leads_nowhere_is_done_without(fake: FakeNode) -> None:
    for node_id, address in (("a", fake.address), ("b", "no-such-host.invalid:9000")):
        fake.topology.nodes.add(node_id=node_id, address=address)
    fake.topology.groups.add(group=1, leader_node_id="b").slots.add(first=0, last=16_383)
    async with gomsg.connect(fake.address, unreachable_timeout=2) as client:
        await client.kv.exists("k")
        while client._core.pipeline.router.epoch == 0:
            await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await asyncio.gather(*(client.kv.set(f"k{at}", "v") for at in range(100)))


async def test_a_connection_that_ended_while_nobody_waited_leaves_the_next_call_its_time(fake: FakeNode) -> None:
    lost = asyncio.Event()
    hooks = gomsg.Hooks(on_disconnect=lambda address, error: lost.set())
    async with gomsg.connect(fake.address, unreachable_timeout=0.2, hooks=hooks) as client:
        await client.kv.exists("k")
        await fake.stop()
        await lost.wait()
        await asyncio.sleep(0.2)
        began = asyncio.get_running_loop().time()
        with pytest.raises(gomsg.UnavailableError):
            await client.kv.exists("k")
        assert asyncio.get_running_loop().time() - began >= 0.2


async def test_the_error_of_the_last_try_has_a_reason(fake: FakeNode) -> None:
    fake.script = cut_first(MANY_CUTS)
    async with gomsg.connect(fake.address, max_sends=2) as client:
        with pytest.raises(gomsg.UnavailableError, match="may still be applied") as caught:
            await client.kv.incr("n")
    assert caught.value.reason == gomsg.ErrorReason.UNREACHABLE
    assert caught.value.method == "kv.incr"


async def test_a_token_that_cannot_be_had_fails_calls_and_subscriptions(fake: FakeNode) -> None:
    def token() -> str:
        raise ValueError("the issuer is away")

    async with gomsg.connect(fake.address, token=token, unreachable_timeout=0.1) as client:
        with pytest.raises(gomsg.UnavailableError, match="the issuer is away"):
            await client.kv.exists("k")
        with pytest.raises(gomsg.UnavailableError, match="the issuer is away"):
            await client.stream.subscribe("t", lambda message: None)


async def test_a_token_that_comes_late_is_waited_for(fake: FakeNode) -> None:
    tries: list[str] = []

    async def token() -> str:
        tries.append("try")
        if len(tries) == 1:
            raise ConnectionError("not yet")
        return "secret"

    async with gomsg.connect(fake.address, token=token) as client:
        await client.kv.exists("k")
    assert fake.headers[0]["authorization"] == "Bearer secret"


@pytest.mark.parametrize("token", ["a\nb", "schlüssel"])
async def test_a_token_that_no_header_holds_is_refused(fake: FakeNode, token: str) -> None:
    with pytest.raises(gomsg.InvalidArgumentError, match="token"):
        gomsg.connect(fake.address, token=token)
    async with gomsg.connect(fake.address, token=lambda: token) as client:
        with pytest.raises(gomsg.InvalidArgumentError, match="token"):
            await client.kv.exists("k")
