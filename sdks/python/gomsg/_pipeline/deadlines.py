"""Times out calls: tens of thousands begin and end a second, almost none of them late."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .call import Call


class _Line:
    """Calls of one timeout: they are late in the order in which they began."""

    __slots__ = ("calls", "timer")

    def __init__(self) -> None:
        self.calls: dict[Call, None] = {}
        self.timer: asyncio.TimerHandle | None = None


class Deadlines:
    """Adding and removing a call is a change of a dictionary, and each timeout in use needs one timer."""

    def __init__(self, loop: asyncio.AbstractEventLoop, on_late: Callable[[Call], None]) -> None:
        self._loop = loop
        self._on_late = on_late
        self._lines: dict[float, _Line] = {}

    def add(self, call: Call) -> None:
        line = self._lines.get(call.timeout)
        if line is None:
            line = self._lines[call.timeout] = _Line()
            line.timer = self._loop.call_at(call.deadline, self._expire, call.timeout, line)
        line.calls[call] = None

    def remove(self, call: Call) -> None:
        """Takes a call out; nothing happens when it is out already."""
        line = self._lines.get(call.timeout)
        if line is not None:
            # The timer stays: it finds the next call of the line, or ends the line.
            line.calls.pop(call, None)

    def clear(self) -> None:
        for line in self._lines.values():
            if line.timer is not None:
                line.timer.cancel()
        self._lines.clear()

    def _expire(self, timeout: float, line: _Line) -> None:
        now = self._loop.time()
        while line.calls:
            call = next(iter(line.calls))
            if call.deadline > now:
                line.timer = self._loop.call_at(call.deadline, self._expire, timeout, line)
                return
            del line.calls[call]
            self._on_late(call)
        self._lines.pop(timeout, None)
