"""Durable sets by the Python SDK, for the table of the SDKs: prints one line of JSON.

    python load.py --address localhost:9000 --in-flight 1000 --duration 5 --value-bytes 64
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import time

import gomsg

WARM_UP_SECONDS = 0.5


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", default="localhost:9000")
    parser.add_argument("--in-flight", type=int, default=1000)
    parser.add_argument("--duration", type=float, default=5.0)
    parser.add_argument("--value-bytes", type=int, default=64)
    options = parser.parse_args()
    value = b"x" * options.value_bytes
    async with gomsg.connect(options.address) as client:
        await load(client, options.in_flight, WARM_UP_SECONDS, value)
        cpu = cpu_seconds()
        began = time.perf_counter()
        times = await load(client, options.in_flight, options.duration, value)
        seconds = time.perf_counter() - began
        cpu = cpu_seconds() - cpu
    times.sort()
    figures = {
        "calls": len(times),
        "seconds": seconds,
        "p50_ms": times[len(times) // 2] * 1000,
        "p99_ms": times[len(times) * 99 // 100] * 1000,
        "cpu_us_per_call": cpu / len(times) * 1e6,
    }
    print(json.dumps(figures))


async def load(client: gomsg.Client, in_flight: int, duration: float, value: bytes) -> list[float]:
    """The time of each call, in seconds."""
    times: list[float] = []
    end = time.perf_counter() + duration

    async def caller(number: int) -> None:
        key = f"load:{number}"
        now = time.perf_counter()
        while now < end:
            await client.kv.set(key, value)
            after = time.perf_counter()
            times.append(after - now)
            now = after

    await asyncio.gather(*(caller(number) for number in range(in_flight)))
    return times


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


asyncio.run(main())
