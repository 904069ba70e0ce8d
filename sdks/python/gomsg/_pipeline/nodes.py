"""The nodes of one client: which of them stand, and which takes what."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .._routing.router import Router
from .node import Node

NODES_MAX = 256
"""Most nodes that a client is connected to at once; calls for others go through the first."""


def with_left(left: tuple[str, ...], address: str) -> tuple[str, ...]:
    """The nodes that were left in this round, with one more; one that is left again begins the next round."""
    return (address,) if address in left else (*left, address)


class Nodes:
    """A node that was tried in vain, or fell silent, is failing until it has answered something. No call and no stream
    of the user is risked on it while another one stands: it is probed instead, whenever it would have been of use.
    """

    def __init__(self, router: Router, make: Callable[[str], Node]) -> None:
        self._router = router
        self._make = make
        self._nodes: dict[str, Node] = {}

    def __iter__(self) -> Iterator[Node]:
        return iter(self._nodes.values())

    def get(self, address: str) -> Node:
        node = self._nodes.get(address)
        if node is None:
            if len(self._nodes) >= NODES_MAX:
                return next(iter(self._nodes.values()))
            node = self._nodes[address] = self._make(address)
        return node

    def stands(self, address: str) -> bool:
        """It answered last, or was not tried so far."""
        node = self._nodes.get(address)
        return node is None or node.failures == 0

    def choose(
        self, route: str | None, hint: str | None = None, left: tuple[str, ...] = (), *, may_wait: bool = False
    ) -> Node:
        """The node for what is about a name: the leader as a node told it, or as the topology does. While that one
        fails, or was left since it had no leader to offer, another one, which knows who leads or passes it on. When
        none stands, all goes to the home node, which changes with each try in vain.

        Nothing waits for the first connection to the leader of the topology while another node answers, unless it
        `may_wait`, as what stays there: the address may lead nowhere from here.
        """
        wanted = hint or self._router.address_for(route)
        if wanted not in left and self.stands(wanted):
            node = self.get(wanted)
            if node.has_answered or hint is not None or may_wait:
                return node
            beside = next((other for other in self if other.has_answered and other.address not in left), None)
            if beside is None:
                return node
            node.probe()
            return beside
        another = self._another(left)
        if another is not None:
            if not self.stands(wanted):
                self.get(wanted).probe()
            return self.get(another)
        if len(left) > 1:
            return self.choose(route, hint, left[-1:], may_wait=may_wait)
        chosen = self.get(left[0] if left and self.stands(left[0]) else self._router.home)
        for address in self._router.addresses:
            if not self.stands(address) and address != chosen.address:
                self.get(address).probe()
        return chosen

    def _another(self, left: tuple[str, ...]) -> str | None:
        """The next one that stands, behind the one that was left last."""
        addresses = self._router.addresses
        if left and left[-1] in addresses:
            first = addresses.index(left[-1]) + 1
        else:
            first = addresses.index(self._router.home)
        for address in (*addresses[first:], *addresses[:first]):
            if address not in left and self.stands(address):
                return address
        return None

    # What streams learn of nodes.

    def failed(self, address: str) -> None:
        """A stream to it broke, or did not come about."""
        self.get(address).stream_failed()

    def answered(self, address: str) -> None:
        """A stream to it is in place."""
        self.get(address).stream_answered()
