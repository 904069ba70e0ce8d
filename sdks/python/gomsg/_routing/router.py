"""Chooses the node of a call: the leader of its slot in a cluster, otherwise the one that was configured."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .._gen.errors import ErrorReason
from ..v1 import cluster_pb2
from .topology import SlotMap

REFRESH_INTERVAL_SECONDS = 0.5
"""The topology is asked for at most this often."""

RENEWAL_INTERVAL_SECONDS = 5.0
"""While a node is connected the topology is asked for this often, whatever happens: nodes that join are of no use to a
client that never hears of them, and when the last one that it knows leaves, it has nowhere to go."""

LEADERLESS_REASONS = frozenset((ErrorReason.NOT_LEADER, ErrorReason.NO_QUORUM, ErrorReason.DRAINING))
"""Of a node that says so and names no other leader, another one is tried."""

_KNOWN_ADDRESSES_MAX = 256


class Router:
    """While the topology has at most one node, everything goes to a configured address, never to the advertised one,
    which may not be reachable from here. `fetch` asks a node for the topology and answers through `learned`, or not.
    `stands` says of an address whether the node there answered last, or was not tried so far.
    """

    def __init__(
        self,
        addresses: tuple[str, ...],
        fetch: Callable[[], None],
        stands: Callable[[str], bool],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._configured = addresses
        self._fetch = fetch
        self._stands = stands
        self._loop = loop
        self._position = 0
        self._left: str | None = None
        """The node that had no leader to offer last."""
        self._map: SlotMap | None = None
        self._fetched_at = float("-inf")
        self._timer: asyncio.TimerHandle | None = None
        self._renewal: asyncio.TimerHandle | None = None

    @property
    def epoch(self) -> int:
        """Epoch of the map by which calls are routed; 0 = they are not."""
        return self._map.epoch if self._map is not None and self._map.is_cluster else 0

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every address that calls may go to, the configured ones first."""
        if self._map is None or not self._map.is_cluster:
            return self._configured
        return tuple(dict.fromkeys((*self._configured, *self._map.addresses)))[:_KNOWN_ADDRESSES_MAX]

    @property
    def home(self) -> str:
        """Where calls go that any node takes."""
        addresses = self.addresses
        return addresses[self._position % len(addresses)]

    def address_for(self, route: str | None) -> str:
        """Where a call about a name should go."""
        if route is None or self._map is None or not self._map.is_cluster:
            return self.home
        return self._map.leader_of(route) or self.home

    def lost(self, address: str) -> None:
        """A node cannot be reached: turns to the next, unless that was done already."""
        if address == self.home:
            self._move()
            self._stop_renewal()  # Never a reason to connect; the next connection asks anyway.
        if self._map is not None and self._map.is_cluster:
            self.refresh()

    def leave(self, address: str) -> None:
        """A node has no leader to offer, such as one that is cut off: another one is asked, where there is one."""
        self._left = address
        if address == self.home:
            self._move()
        if address != self.home:
            self.refresh()

    def found(self, address: str) -> None:
        """A node answers again: turns to it, when the one turned to does not."""
        addresses = self.addresses
        if address in addresses and not self._stands(self.home):
            self._position = addresses.index(address)

    def learned(self, response: cluster_pb2.ClusterServiceGetTopologyResponse, address: str) -> None:
        """The topology, as the node at the address knows it."""
        if address == self._left and address != self.home:
            return  # It was asked before it was left, and may be the only one that does not know who leads.
        fresh = SlotMap(response)
        if self._map is None or fresh.epoch >= self._map.epoch:
            home = self.home
            self._map = fresh
            addresses = self.addresses
            self._position = addresses.index(home) if home in addresses else 0

    def refresh(self) -> None:
        """Asks for the topology, at once or when the interval has passed."""
        if self._timer is not None:
            return
        delay = self._fetched_at + REFRESH_INTERVAL_SECONDS - self._loop.time()
        self._timer = self._loop.call_later(max(0.0, delay), self._ask)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._stop_renewal()

    def _ask(self) -> None:
        self._timer = None
        self._fetched_at = self._loop.time()
        self._stop_renewal()
        self._renewal = self._loop.call_later(RENEWAL_INTERVAL_SECONDS, self.refresh)
        self._fetch()

    def _move(self) -> None:
        """To the next that stands, or to the next when none does."""
        addresses = self.addresses
        first = self._position % len(addresses) + 1
        others = [at % len(addresses) for at in range(first, first + len(addresses) - 1)]
        standing = (at for at in others if self._stands(addresses[at]))
        self._position = next(standing, first % len(addresses))

    def _stop_renewal(self) -> None:
        if self._renewal is not None:
            self._renewal.cancel()
            self._renewal = None
