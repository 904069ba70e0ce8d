"""One call on its way through the pipeline."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from .._rpc import Rpc

if TYPE_CHECKING:
    from .node import Node
    from .pipeline import Pipeline
    from .session import WriteSession

CALL_OVERHEAD_BYTES = 256
"""What a call holds beside its payload, roughly; so that many small calls are bounded by bytes too."""


class Call(asyncio.Future[bytes]):
    """A call and the future of its encoded response in one object: tens of thousands a second are made.

    Awaiting it needs no task of its own, and giving it up is noticed without a callback for each call.
    """

    __slots__ = (
        "pipeline",
        "rpc",
        "name",
        "payload",
        "route",
        "timeout",
        "deadline",
        "held_bytes",
        "call_id",
        "session",
        "sequence",
        "sends",
        "admitted",
        "internal",
        "line",
        "node",
        "sent_by",
        "hint",
        "left",
        "retry_timer",
    )

    def __init__(
        self,
        pipeline: Pipeline,
        rpc: Rpc,
        name: str,
        payload: bytes,
        route: str | None,
        timeout: float,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(loop=loop)
        self.pipeline = pipeline
        self.rpc = rpc
        self.name = name
        """`kv.set`, for messages."""
        self.payload = payload
        self.route = route
        """The name whose slot decides which node takes the call; None = any."""
        self.timeout = timeout
        self.deadline = loop.time() + timeout
        self.held_bytes = len(payload) + CALL_OVERHEAD_BYTES
        self.call_id = 0
        self.session: WriteSession | None = None
        self.sequence = 0
        """Its position in the session; 0 = in none. The same in every try."""
        self.sends = 0
        self.admitted = False
        """It counts in the bounds on calls in flight."""
        self.internal = False
        """Made by the client for its own sake."""
        self.line: dict[Call, None] | None = None
        """The line that it stands in; None while it is out, its answer awaited."""
        self.node: Node | None = None
        """Where it is ready to go, or went."""
        self.sent_by: Node | None = None
        """The node that has it and will answer; None when none has."""
        self.hint: str | None = None
        """Address of the leader, as a node that was asked gave it."""
        self.left: tuple[str, ...] = ()
        """Addresses of nodes that had no leader to offer: the next try goes to another one, where one stands."""
        self.retry_timer: asyncio.TimerHandle | None = None

    def cancel(self, msg: Any | None = None) -> bool:
        """The caller gives the call up. A write may still be applied."""
        canceled = super().cancel(msg)
        if canceled:
            self.pipeline.given_up(self)
        return canceled

    @property
    def may_be_applied(self) -> bool:
        """A write of which nobody can say that it did not happen."""
        return self.sends > 0 and self.rpc.is_write

    @property
    def is_repeatable(self) -> bool:
        """Sending it again cannot apply it twice. A session that was opened for nothing ends by itself."""
        return self.rpc.is_idempotent or self.sequence > 0 or self.internal

    def move_to(self, line: dict[Call, None] | None) -> None:
        """Leaves the line that it stands in, if any, for another."""
        if self.line is not None:
            self.line.pop(self, None)
        self.line = line
        if line is not None:
            line[self] = None
