"""When and where to connect again: what all feeds share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .._error import GomsgError
from .._failures import failure, is_passing
from .._gen.errors import ErrorReason
from .._pipeline.backoff import backoff_seconds
from .._pipeline.nodes import with_left
from .._routing.router import LEADERLESS_REASONS

if TYPE_CHECKING:
    from .._core import Core

_UNAVAILABLE = 14


class Reconnecting:
    """The tries of one feed."""

    def __init__(self, core: Core, method: str, route: str | None) -> None:
        self._core = core
        self._method = method
        self._route = route
        self._hint: str | None = None
        self._left: tuple[str, ...] = ()
        """Nodes of the last tries, where they failed or had no leader to offer."""
        self._failures = 0
        self._failing_since: float | None = None
        self._was_in_place = False

    def next_address(self) -> str:
        """The node for the next try."""
        return self._core.pipeline.nodes.choose(self._route, self._hint, self._left, may_wait=True).address

    def in_place(self, address: str) -> None:
        """The server there answers."""
        self._core.pipeline.nodes.answered(address)
        self._was_in_place = True
        self._hint, self._left = None, ()
        self._failures = 0
        self._failing_since = None

    async def failed(self, error: GomsgError, address: str | None) -> None:
        """Waits for the next try. Raises the error, or UNREACHABLE, when there should be none. `address` is that of the
        node that was tried; None when a call failed that goes before.

        A subscription that was in place goes on trying for ever; a new one fails when no node can be reached.
        """
        core, limits = self._core, self._core.limits
        if not is_passing(error):
            raise error
        now = core.loop.time()
        if self._failing_since is None:
            self._failing_since = now
        lasted = now - self._failing_since
        if not self._was_in_place and lasted >= limits.unreachable_timeout:
            raise failure(
                "UNREACHABLE",
                f"{self._method}: no node could be reached for {lasted:.1f} s: {error.message}",
                method=self._method,
                cause=error,
            ) from error
        if address is not None:
            self._redirect(error, address)
        core.hooks.log("info", "a subscription connects again", method=self._method, address=address, error=error)
        delay = backoff_seconds(self._failures, limits.retry_delay, limits.max_retry_delay)
        self._failures += 1
        await asyncio.sleep(max(error.retry_after or 0.0, 0.0 if self._hint else delay))

    def _redirect(self, error: GomsgError, address: str) -> None:
        """Notes what the end of a try says of the node for the next one."""
        nodes, router = self._core.pipeline.nodes, self._core.pipeline.router
        leader = error.leader.address if error.leader is not None else ""
        left, self._hint, self._left = self._left, None, ()
        if leader not in ("", address):
            self._hint = leader if nodes.stands(leader) else None
            router.refresh()
        elif error.reason in LEADERLESS_REASONS:
            self._left = with_left(left, address)
            router.leave(address)
        elif error.reason == ErrorReason.STALE_TOPOLOGY:
            router.refresh()
        else:
            if error.reason == ErrorReason.UNSPECIFIED and error.code == _UNAVAILABLE:
                self._left = with_left(left, address)
                nodes.failed(address)
            router.lost(address)
