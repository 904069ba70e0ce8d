package testnode

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"
)

// Kept ports are below those that Linux, macOS and Windows hand out to who asks for any: a server that asks for one while
// a kept one is let go would else get that now and then. Other tests of the repository keep those from 20,000 on.
const (
	firstKeptPort = 12_000
	keptPorts     = 8_000
)

var nextKeptPort atomic.Uint32

func init() { nextKeptPort.Store(rand.Uint32N(keptPorts)) }

// Listen listens on a free port of the loopback interface that nobody else gets after the listener has ended: a server may
// come back there.
func Listen(t testing.TB) net.Listener {
	t.Helper()
	for range keptPorts {
		port := firstKeptPort + nextKeptPort.Add(1)%keptPorts
		if listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			return listener
		}
	}
	t.Fatalf("none of the ports from %d on is free", firstKeptPort)
	panic("unreachable")
}
