// Package leaks finds goroutines that a client has left behind.
package leaks

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

// patience is how long goroutines may take to see that they are to end.
const patience = 20 * time.Second

// Check fails the test when goroutines of the client or of gRPC still run once it is over and everything is cleaned up.
// Call it first in the test.
func Check(t testing.TB) {
	t.Helper()
	t.Cleanup(func() {
		deadline := time.Now().Add(patience)
		for {
			left := Running()
			if len(left) == 0 {
				return
			}
			if time.Now().After(deadline) {
				t.Errorf("%d goroutines were left behind, such as:\n%s", len(left), left[0])
				return
			}
			runtime.Gosched()
			time.Sleep(time.Millisecond) // Polls a condition that nothing tells of.
		}
	})
}

// Running returns the stacks of the goroutines of the client and of gRPC, but for those of tests and of servers in them.
func Running() []string {
	buffer := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buffer, true)
		if n < len(buffer) {
			buffer = buffer[:n]
			break
		}
		buffer = make([]byte, 2*len(buffer))
	}
	var left []string
	for i, stack := range strings.Split(string(buffer), "\n\n") {
		isOurs := strings.Contains(stack, "gomsg/sdks/go.") || strings.Contains(stack, "google.golang.org/grpc")
		isTest := strings.Contains(stack, "testing.tRunner") || strings.Contains(stack, "_test.go")
		if i > 0 && isOurs && !isTest {
			left = append(left, stack)
		}
	}
	return left
}
