"""What a client may hold: calls and bytes on their way, and calls and bytes that wait for room there."""

from __future__ import annotations

from collections.abc import Callable

from .._options import Limits
from .call import Call


class Bounds:
    """`admit` is told of each call when there is room for it."""

    def __init__(self, limits: Limits, admit: Callable[[Call], None]) -> None:
        self._limits = limits
        self._admit = admit
        self.waiting: dict[Call, None] = {}
        """Calls that wait for room, in the order in which they came."""
        self._waiting_bytes = 0
        self._calls = 0
        self._bytes = 0

    def may_take(self, call: Call) -> bool:
        """False when the call would have to wait and may not."""
        if not self.waiting and self._has_room(call):
            return True
        limits = self._limits
        return (
            len(self.waiting) < limits.max_waiting_calls
            and self._waiting_bytes + call.held_bytes <= limits.max_waiting_bytes
        )

    def take(self, call: Call) -> None:
        """Admits a call or lets it wait. Only when it may be taken."""
        if not self.waiting and self._has_room(call):
            self._enter(call)
        else:
            self._waiting_bytes += call.held_bytes
            call.move_to(self.waiting)

    def leave(self, call: Call) -> None:
        """A call that may still wait here waits no more."""
        if call.line is self.waiting:
            self._waiting_bytes -= call.held_bytes
            call.move_to(None)

    def release(self, call: Call) -> None:
        """The last trace of a call is gone: what waits moves up."""
        if not call.admitted:
            return
        call.admitted = False
        self._calls -= 1
        self._bytes -= call.held_bytes
        while self.waiting:
            waiting = next(iter(self.waiting))
            if not self._has_room(waiting):
                break
            self.leave(waiting)
            self._enter(waiting)

    def _enter(self, call: Call) -> None:
        call.admitted = True
        self._calls += 1
        self._bytes += call.held_bytes
        self._admit(call)

    def _has_room(self, call: Call) -> bool:
        # A call that is larger than the bound goes when nothing else does.
        if self._calls == 0:
            return True
        limits = self._limits
        return (
            self._calls < limits.max_in_flight_calls
            and self._bytes + call.held_bytes <= limits.max_in_flight_bytes
        )
