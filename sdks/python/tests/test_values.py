"""What arguments may be, and what comes of those that are not."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

import gomsg
from gomsg import _values
from gomsg._pipeline.session import SESSION_SPAN_MAX, Sessions
from gomsg._routing.slots import queue_of_delivery, slot_of


NUMBER: Any = 3
"""Where text has to be."""


@pytest.mark.parametrize(
    ("given", "seconds", "nanos"),
    [
        (1, 1, 0),
        (0.1, 0, 100_000_000),
        (-1.5, -1, -500_000_000),
        (0, 0, 0),
        (timedelta(milliseconds=1500), 1, 500_000_000),
        (timedelta(milliseconds=-1500), -1, -500_000_000),
        (0.999_999_999_9, 1, 0),
    ],
)
def test_durations(given: object, seconds: int, nanos: int) -> None:
    target = Duration()
    _values.duration("m", "p", given, target)
    assert (target.seconds, target.nanos) == (seconds, nanos)


@pytest.mark.parametrize("given", [math.nan, math.inf, "1", True, None, 1e15, 10**400, pytest.param(10**5000, id="digits")])
def test_what_is_no_duration(given: object) -> None:
    with pytest.raises(gomsg.InvalidArgumentError, match="m: p: give"):
        _values.duration("m", "p", given, Duration())


def test_moments_are_aware_and_keep_microseconds() -> None:
    moment = datetime(2030, 1, 2, 3, 4, 5, 678_901, tzinfo=timezone(timedelta(hours=2)))
    target = Timestamp()
    _values.timestamp("m", "p", moment, target)
    assert _values.moment_of(target) == moment
    assert _values.moment_of(target).tzinfo is UTC
    _values.timestamp("m", "p", moment.timestamp(), target)
    assert abs(_values.moment_of(target) - moment) <= timedelta(microseconds=1)
    naive = datetime(2030, 1, 2, 3, 4, 5)
    _values.timestamp("m", "p", naive, target)
    assert _values.moment_of(target) == naive.astimezone(UTC)


@pytest.mark.parametrize(
    ("call", "subject"),
    [
        (lambda c: c.kv.get(5), "key"),
        (lambda c: c.kv.set("k", 5), "value"),
        (lambda c: c.kv.set("k", None), "value"),
        (lambda c: c.kv.set("\ud800", "v"), "key"),
        (lambda c: c.kv.incr_by("k", 1.5), "delta"),
        (lambda c: c.kv.incr_by("k", True), "delta"),
        (lambda c: c.kv.incr_by("k", 2**63), "delta"),
        (lambda c: c.kv.decr_by("k", -(2**63)), "delta"),
        (lambda c: c.kv.mget("key"), "keys"),
        (lambda c: c.kv.mget(["a", 1]), "keys[1]"),
        (lambda c: c.kv.mset(["a"]), "values"),
        (lambda c: c.kv.mset({"a": 1}), "values['a']"),
        (lambda c: c.kv.set("k", "v", if_absent=True, if_version=3), "if_version"),
        (lambda c: c.kv.set("k", "v", timeout=0), "timeout"),
        (lambda c: c.kv.get("k", consistency="fresh"), "consistency"),
        (lambda c: c.queue.push("q", "x", priority=-1), "priority"),
        (lambda c: c.queue.push("q", "x", headers={"a": b"b"}), "headers['a']"),
        (lambda c: c.queue.push_messages("q", ["x"]), "messages[0]"),
        (lambda c: c.queue.push_messages("q", [gomsg.QueuePush(data=NUMBER)]), "messages[0].data"),
        (lambda c: c.stream.read("t", -1, 10), "offset"),
        (lambda c: c.stream.read_from("t", "yesterday"), "time"),
    ],
)
async def test_wrong_arguments_are_named_and_nothing_is_sent(call: Any, subject: str) -> None:
    client = gomsg.connect("127.0.0.1:1")
    with pytest.raises(gomsg.InvalidArgumentError) as caught:
        await call(client)
    assert caught.value.reason == gomsg.ErrorReason.INVALID_REQUEST
    assert caught.value.subject == subject
    assert subject in str(caught.value)
    await client.close()


@pytest.mark.parametrize("address", ["", "localhost", "host:0", "host:99999", "a b:1", 5, [], ["x:1", 3], b"h:1"])
def test_what_is_no_address(address: Any) -> None:
    with pytest.raises(gomsg.InvalidArgumentError):
        gomsg.connect(address)


@pytest.mark.parametrize("options", [{"timeout": -1}, {"max_sends": 1.5}, {"tls": "yes"}, {"token": 3}, {"hooks": {}}])
def test_what_is_no_option(options: dict[str, Any]) -> None:
    with pytest.raises(gomsg.InvalidArgumentError):
        gomsg.connect("localhost:9000", **options)


def test_addresses_in_one_string() -> None:
    assert gomsg.connect("a:1, b:2,[::1]:3")._core.options.addresses == ("a:1", "b:2", "[::1]:3")


def test_slots_are_those_of_the_redis_cluster_specification() -> None:
    assert slot_of("123456789") == 0x31C3
    assert slot_of("foo") == 12_182
    assert slot_of("{user}:1") == slot_of("{user}:2") == slot_of("user")
    assert slot_of("{}x") != slot_of("")
    assert queue_of_delivery("a#b#12.1") == "a#b"


def test_a_session_with_one_slow_call_is_retired() -> None:
    opened: list[int] = []
    closed: list[int] = []
    sessions = Sessions(lambda: opened.append(1), closed.append)
    assert sessions.current(0) is None
    sessions.opened(7, 3600, 0)
    first = sessions.current(0)
    assert first is not None
    for _ in range(SESSION_SPAN_MAX):
        session = sessions.current(0)
        assert session is first
        session.take(0)
    for sequence in range(2, SESSION_SPAN_MAX + 1):
        sessions.settled(first, sequence)
    assert first.answered_below == 1
    assert sessions.current(0) is None
    assert (len(opened), closed) == (2, [])
    sessions.settled(first, 1)
    assert closed == [7]


@pytest.mark.parametrize("given", [10**400, pytest.param(-(10**5000), id="digits"), math.inf, 1e15])
def test_what_is_no_moment(given: object) -> None:
    with pytest.raises(gomsg.InvalidArgumentError, match="m: p: give"):
        _values.timestamp("m", "p", given, Timestamp())


def test_a_number_that_no_float_holds_is_refused() -> None:
    with pytest.raises(gomsg.InvalidArgumentError, match="m: p: give a number"):
        _values.number("m", "p", 10**400)


def test_a_value_that_cannot_be_shown_is_refused_all_the_same() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    with pytest.raises(gomsg.InvalidArgumentError, match="not Broken"):
        _values.string("m", "p", Broken())


@pytest.mark.parametrize("option", ["timeout", "keepalive_interval", "retry_delay"])
@pytest.mark.parametrize("given", [0, -1, math.inf, math.nan, 1e12, 10**400, True, "1", timedelta(days=400)])
def test_what_is_no_time_of_a_client(option: str, given: Any) -> None:
    with pytest.raises(gomsg.InvalidArgumentError, match=f"connect: {option}: give seconds"):
        gomsg.connect(**{option: given})


async def test_the_longest_and_the_shortest_times_of_a_client(address: str) -> None:
    async with gomsg.connect(address, keepalive_interval=4_000_000, retry_delay=1e-9, max_retry_delay=1e-9) as client:
        assert await client.kv.exists("k") in (True, False)
