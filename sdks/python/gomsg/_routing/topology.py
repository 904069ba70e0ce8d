"""The slot map: which group owns which slots, and where its leader is."""

from __future__ import annotations

from array import array

from ..v1 import cluster_pb2
from .slots import SLOTS, slot_of

_NO_LEADER = 0


class SlotMap:
    """One answer of GetTopology, laid out for lookups."""

    def __init__(self, response: cluster_pb2.ClusterServiceGetTopologyResponse) -> None:
        self.epoch = int(response.epoch)
        self.addresses = tuple(node.address for node in response.nodes if node.address)
        by_id = {node.node_id: node.address for node in response.nodes}
        self._leaders: list[str] = [""]
        self._slots = array("H", bytes(2 * SLOTS))
        for group in response.groups:
            address = by_id.get(group.leader_node_id, "")
            if not address:
                continue
            index = len(self._leaders)
            self._leaders.append(address)
            for slots in group.slots:
                for slot in range(slots.first, min(slots.last, SLOTS - 1) + 1):
                    self._slots[slot] = index

    @property
    def is_cluster(self) -> bool:
        """More than one node: only then calls are routed, and by advertised addresses."""
        return len(self.addresses) > 1

    def leader_of(self, name: str) -> str | None:
        """Address of the node that leads the group of a name; None when it is not known."""
        index = self._slots[slot_of(name)]
        return None if index == _NO_LEADER else self._leaders[index]
