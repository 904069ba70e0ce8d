"""The client without asyncio among threads, processes and the end of a program."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import gomsg
import gomsg.sync

DEADLINE_SECONDS = 20


def test_threads_share_a_client_and_close_it_together(address: str, name: str) -> None:
    client = gomsg.sync.connect(address)
    client.kv.set(name, "0")

    def work() -> int:
        done = 0
        try:
            while True:
                client.kv.incr(name)
                done += 1
                if done == 50:
                    client.close()
        except gomsg.CanceledError as error:
            assert error.reason == gomsg.ErrorReason.CLIENT_CLOSED
        return done

    with ThreadPoolExecutor(8) as threads:
        futures = [threads.submit(work) for _ in range(8)]
        done = sum(future.result(DEADLINE_SECONDS) for future in futures)
    with gomsg.sync.connect(address) as reader:
        assert int(reader.kv.get(name)) == done


def test_a_loop_in_one_thread_ends_when_another_closes(address: str, name: str) -> None:
    client = gomsg.sync.connect(address)
    subscription = client.stream.subscribe(name)
    seen: list[str] = []
    first = threading.Event()

    def follow() -> None:
        for message in subscription:
            seen.append(message.data)
            first.set()

    thread = threading.Thread(target=follow)
    thread.start()
    while not first.wait(0.01):
        client.stream.publish(name, "x")
    client.close()
    thread.join(DEADLINE_SECONDS)
    assert not thread.is_alive() and set(seen) == {"x"}


def test_a_handler_may_close_the_client(address: str, name: str) -> None:
    client = gomsg.sync.connect(address)
    closed = threading.Event()

    def handler(message: gomsg.sync.StreamMessage) -> None:
        client.close()
        closed.set()

    subscription = client.stream.subscribe(name, handler)
    client.stream.publish(name, "x")
    assert closed.wait(client._client._core.limits.close_timeout / 2)
    assert subscription.is_closed


def test_closing_the_client_leaves_no_thread_of_a_handler(address: str, name: str) -> None:
    client = gomsg.sync.connect(address)
    handled = threading.Event()
    threads: set[threading.Thread] = set()

    def handler(message: gomsg.sync.StreamMessage) -> None:
        threads.add(threading.current_thread())
        handled.set()

    subscription = client.stream.subscribe(name, handler)
    client.stream.publish(name, "x")
    assert handled.wait(DEADLINE_SECONDS)
    client.close()
    for thread in threads:
        thread.join(DEADLINE_SECONDS)
        assert not thread.is_alive()
    assert subscription.is_closed


def test_a_handler_that_nobody_would_await_is_refused(address: str, name: str) -> None:
    async def handler(message: object) -> None: ...

    with gomsg.sync.connect(address) as client:
        with pytest.raises(gomsg.InvalidArgumentError, match=r"stream\.subscribe: handler: give a plain function"):
            client.stream.subscribe(name, handler)


FORKING_PROGRAM = """
import os, sys
import gomsg, gomsg.sync

with gomsg.sync.connect(sys.argv[1]) as client:
    client.kv.set("k", "v")
    child = os.fork()
    if child == 0:
        try:
            client.kv.get("k")
        except gomsg.GomsgError as error:
            print(error.message, flush=True)
        client.close()
        print("closed", flush=True)
        os._exit(0)
    os.waitpid(child, 0)
    print(client.kv.get("k"))
"""


def test_a_client_from_before_a_fork_says_so(address: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", FORKING_PROGRAM, address],
        # gRPC's own work after a fork crashes now and then while its threads run.
        env={**os.environ, "GRPC_ENABLE_FORK_SUPPORT": "0"},
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    first, *others = ended.stdout.splitlines()
    assert "make one in each process" in first
    assert others == ["closed", "v"]


SLOWNESS_IS_NO_NEWS = """
import logging
logging.getLogger("asyncio").addFilter(lambda record: not record.getMessage().startswith("Executing "))
"""
"""In development mode asyncio tells of everything that took 100 ms, which says something of the machine."""

PROGRAM = """
import sys
import gomsg, gomsg.sync

client = gomsg.sync.connect(sys.argv[1])
client.kv.set("k", "v")
subscription = client.stream.subscribe("unclosed", lambda message: print("got", message.data, flush=True))
client.stream.publish("unclosed", "x")
items = iter(client.queue.consume("unclosed-queue"))
client.queue.push("unclosed-queue", "y")
print(next(items).data, flush=True)
"""


def test_a_program_that_closes_nothing_ends_quietly(address: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", SLOWNESS_IS_NO_NEWS + PROGRAM, address],
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")


ASYNC_PROGRAM = """
import asyncio, sys
import gomsg

async def main():
    client = gomsg.connect(sys.argv[1])
    await client.kv.set("k", "v")
    await client.stream.subscribe("unclosed", print)
    async for message in client.stream.subscribe("unclosed-2", start=gomsg.StreamStart.earliest()):
        break
    asyncio.ensure_future(client.queue.pop_timeout("unclosed-none", 60))
    await asyncio.sleep(0.05)

asyncio.run(main())
"""


def test_an_event_loop_that_ends_first_ends_quietly(address: str, name: str) -> None:
    with gomsg.sync.connect(address) as client:
        client.stream.publish("unclosed-2", "x")
    ended = subprocess.run(
        [sys.executable, "-X", "dev", "-c", SLOWNESS_IS_NO_NEWS + ASYNC_PROGRAM, address],
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
