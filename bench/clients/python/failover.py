"""Work that goes on while nodes die, through the Python SDK: lanes that increment, push, settle, publish and read, with
the client's defaults. Prints a line of JSON for everything that a call or message told it; the driver judges. "stop" on
stdin ends what makes work, which a line "stopped" tells; the end of stdin ends the rest.

    python failover.py --address host:port,host:port --name python --lanes 32 --pause-ms 50
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import gomsg

POP_SECONDS = 1


class Program:
    def __init__(self, client: gomsg.Client, name: str, pause: float) -> None:
        self.client = client
        self.name = name
        self.pause = pause
        self.producing = True
        self.over = False
        self.running: list[asyncio.Task[None]] = []
        self.making: list[asyncio.Task[None]] = []

    def start(self, lane: int) -> None:
        """Even lanes pop, and read as a group; odd ones consume, and read without a name."""
        key, queue, topic = (f"{self.name}-{what}-{lane}" for what in "nqt")
        client = self.client

        async def settles(message: gomsg.QueueMessage) -> None:
            await self.settle(lane, message)

        async def reads(message: gomsg.StreamMessage) -> None:
            await self.read(lane, message)

        async def increment(_: int) -> None:
            await self.attempt("incr", lane, {}, client.kv.incr(key))

        async def push(number: int) -> None:
            await self.attempt("push", lane, {"id": number}, client.queue.push(queue, str(number)))

        async def publish(number: int) -> None:
            await self.attempt("publish", lane, {"id": number}, client.stream.publish(topic, str(number)))

        if lane % 2 == 0:
            self.run(self.pops(lane, queue))
            self.run(self.watch("deliver", lane, client.stream.subscribe_group(topic, "readers", reads)))
        else:
            self.run(self.watch("settle", lane, client.queue.consume(queue, settles)))
            start = gomsg.StreamStart.earliest()
            self.run(self.watch("deliver", lane, client.stream.subscribe(topic, reads, start=start)))
        for call in increment, push, publish:
            self.making.append(asyncio.create_task(self.produce(call)))

    def run(self, work: Any) -> None:
        self.running.append(asyncio.create_task(work))

    async def stop(self) -> None:
        if self.producing:
            self.producing = False
            await asyncio.gather(*self.making)
            say("stopped")

    async def produce(self, call: Callable[[int], Awaitable[None]]) -> None:
        number = 0
        while self.producing:
            number += 1
            await call(number)
            await asyncio.sleep(self.pause)

    async def pops(self, lane: int, queue: str) -> None:
        while not self.over:
            try:
                message = await self.client.queue.pop_timeout(queue, POP_SECONDS)
            except gomsg.GomsgError as error:
                if self.over:
                    return
                failed("settle", lane, error, {})
                await asyncio.sleep(self.pause)
            else:
                if message is not None:
                    await self.settle(lane, message)

    async def settle(self, lane: int, message: gomsg.QueueMessage) -> None:
        facts = {"id": int(message.data), "message": message.message_id}
        await self.attempt("settle", lane, facts, message.ack())

    async def read(self, lane: int, message: gomsg.StreamMessage) -> None:
        tell("deliver", lane, {"ok": True, "id": int(message.data), "offset": message.offset})
        if lane % 2 == 0:
            await self.attempt("commit", lane, {"offset": message.offset}, message.ack())

    async def attempt(self, kind: str, lane: int, facts: dict[str, Any], call: Awaitable[Any]) -> None:
        """Awaits a call and tells what came of it."""
        try:
            result = await call
        except gomsg.GomsgError as error:
            failed(kind, lane, error, facts)
        else:
            value = {"value": result} if kind == "incr" else {}
            tell(kind, lane, {**facts, "ok": True, **value})

    async def watch(self, kind: str, lane: int, subscription: gomsg.Subscription[Any]) -> None:
        """A subscription that ends by itself is a failure that its user sees."""
        try:
            await subscription
            await subscription.wait()
        except gomsg.GomsgError as error:
            if not self.over:
                failed(kind, lane, error, {})


def tell(kind: str, lane: int, facts: dict[str, Any]) -> None:
    say(json.dumps({"kind": kind, "lane": lane, "at": round(time.time() * 1000), **facts}))


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def failed(kind: str, lane: int, error: gomsg.GomsgError, facts: dict[str, Any]) -> None:
    tell(kind, lane, {**facts, "ok": False, "reason": str(error.reason), "text": str(error)})


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", default="localhost:9000")
    parser.add_argument("--name", default="python", help="first part of all names")
    parser.add_argument("--lanes", type=int, default=32)
    parser.add_argument("--pause-ms", type=float, default=50.0, help="between two calls of a lane that make work")
    options = parser.parse_args()
    async with gomsg.connect(options.address) as client:
        program = Program(client, options.name, options.pause_ms / 1000)
        for lane in range(options.lanes):
            program.start(lane)
        while line := await asyncio.to_thread(sys.stdin.readline):
            if line.strip() == "stop":
                await program.stop()
        program.over = True
        await program.stop()
    await asyncio.gather(*program.running)


asyncio.run(main())
