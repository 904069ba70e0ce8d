"""The error that all failed calls raise; its families and the catalogue of reasons are generated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._gen.errors import ErrorReason


@dataclass(frozen=True, slots=True)
class NodeAddress:
    """Where a node is reached."""

    node_id: str
    address: str
    """`host:port` of its one port."""


class GomsgError(Exception):
    """A failed call. `reason` says why in a way that programs can decide on; the text and `action` are for people.

    A timeout or a lost connection never says that a write did not happen. What lies beneath is in `__cause__`.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: ErrorReason,
        code: int,
        method: str = "",
        subject: str = "",
        action: str = "",
        retryable: bool = False,
        retry_after: float | None = None,
        leader: NodeAddress | None = None,
        topology_epoch: int | None = None,
        current_version: int | None = None,
        oldest_available: int | None = None,
        newest_available: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        """Why, such as `ErrorReason.KEY_NOT_FOUND`; UNSPECIFIED for failures that are none of gomsg's."""
        self.code = code
        """Canonical gRPC code (google.rpc.Code), such as 5."""
        self.method = method
        """The method that failed: `kv.get`."""
        self.subject = subject
        """What the reason is about: a key, queue, topic, parameter or node. Empty when it is the call as a whole."""
        self.action = action
        """What to do about it, as one sentence."""
        self.retryable = retryable
        """True when the same call can succeed later without any change to it."""
        self.retry_after = retry_after
        """Seconds to wait before the next try; None = at once."""
        self.leader = leader
        """Where the leader is, with NOT_LEADER, when it is known."""
        self.topology_epoch = topology_epoch
        """Epoch of the server's slot map, with STALE_TOPOLOGY and NOT_LEADER."""
        self.current_version = current_version
        """Current version of the key, with CONDITION_FAILED on a key that exists."""
        self.oldest_available = oldest_available
        """Oldest revision or offset that can still be read, with COMPACTED and OFFSET_OUT_OF_RANGE."""
        self.newest_available = newest_available
        """Newest revision, or the offset that the next message gets, with COMPACTED and OFFSET_OUT_OF_RANGE."""

    @property
    def cause(self) -> BaseException | None:
        """What lies beneath, if anything."""
        return self.__cause__
