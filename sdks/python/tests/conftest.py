"""A real node for all tests of a run, and a fake one for what a real one does not do on demand."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

import gomsg

from .fake_node import FakeNode

ROOT = Path(__file__).resolve().parents[3]

START_SECONDS = 60
POLL_SECONDS = 0.01


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """`host:port` of a node that keeps nothing on disk."""
    with served() as at:
        yield at


@contextmanager
def served(*flags: str) -> Iterator[str]:
    """A node, as long as it is needed."""
    with tempfile.TemporaryDirectory() as folder, open(Path(folder, "log"), "w+", encoding="utf-8") as log:
        # Not a pipe: one that nobody empties would stop the node when it is full.
        process = subprocess.Popen(
            [
                str(ROOT / "node_modules" / ".bin" / "node"),
                str(ROOT / "server" / "src" / "testing" / "serve-program.ts"),
                "--host=127.0.0.1",
                "--port=0",
                "--log-format=json",
                "--storage=memory",
                *flags,
            ],
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield _served_address(process, Path(folder, "log"))
        finally:
            process.kill()
            process.wait()


def _served_address(process: subprocess.Popen[bytes], log: Path) -> str:
    give_up_at = time.monotonic() + START_SECONDS
    while True:
        has_ended = process.poll() is not None
        lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
        for line in lines:
            if not line.endswith("\n"):
                break
            message = str(json.loads(line).get("msg", "")) if line.startswith("{") else line
            if message.startswith("gomsg serves on "):
                return message.removeprefix("gomsg serves on ").strip()
        if has_ended or time.monotonic() > give_up_at:
            raise RuntimeError(f"the node did not start:\n{''.join(lines)}")
        time.sleep(POLL_SECONDS)


@pytest.fixture
async def client(address: str) -> AsyncIterator[gomsg.Client]:
    async with gomsg.connect(address, timeout=10) as connected:
        yield connected


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return uuid4().hex


@pytest.fixture
async def fake() -> AsyncIterator[FakeNode]:
    async with FakeNode() as node:
        yield node
