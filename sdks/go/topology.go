package gomsg

import (
	"slices"

	gomsgv1 "github.com/gomsg/gomsg/sdks/go/gen/gomsg/v1"
	"github.com/gomsg/gomsg/sdks/go/internal/slots"
)

// maxNodes is the most nodes of a cluster that a client connects to.
const maxNodes = 256

// topology says which node leads the group of each slot.
type topology struct {
	epoch     uint64
	addresses []string
	// Position in addresses, less than 0 where no leader is known.
	leaders [slots.Count]int16
}

// newTopology reads what a server said. Nodes without a usable address are left out.
func newTopology(response *gomsgv1.ClusterServiceGetTopologyResponse) *topology {
	t := &topology{epoch: response.Epoch}
	positions := make(map[string]int16)
	for _, node := range response.Nodes {
		if len(t.addresses) < maxNodes && isAddress(node.Address) {
			positions[node.NodeId] = int16(len(t.addresses))
			t.addresses = append(t.addresses, node.Address)
		}
	}
	for slot := range t.leaders {
		t.leaders[slot] = -1
	}
	for _, group := range response.Groups {
		leader, known := positions[group.LeaderNodeId]
		if !known {
			continue
		}
		for _, run := range group.Slots {
			for slot := run.First; slot <= run.Last && slot < slots.Count; slot++ {
				t.leaders[slot] = leader
			}
		}
	}
	return t
}

// complete takes the leaders over that an earlier topology knows and this one does not: a node that is cut off from the
// others knows of no leader, and the one that was is as good to ask as any other.
func (t *topology) complete(earlier *topology) {
	positions := make([]int16, len(earlier.addresses))
	for i, address := range earlier.addresses {
		positions[i] = int16(slices.Index(t.addresses, address))
	}
	for slot, leader := range t.leaders {
		if known := earlier.leaders[slot]; leader < 0 && known >= 0 {
			t.leaders[slot] = positions[known]
		}
	}
}

// forget takes the lead of all slots from a node.
func (t *topology) forget(address string) {
	position := int16(slices.Index(t.addresses, address))
	for slot, leader := range t.leaders {
		if leader == position {
			t.leaders[slot] = -1
		}
	}
}

// leader returns the address of the node that leads the slot of a name; empty when none is known.
func (t *topology) leader(name string) string {
	if position := t.leaders[slots.Of(name)]; position >= 0 {
		return t.addresses[position]
	}
	return ""
}
