// Package backoff gives waits that double, with jitter, so that many clients of a node that came back do not come at
// once.
package backoff

import (
	"math/rand/v2"
	"time"
)

// Backoff says how long to wait between tries.
type Backoff struct {
	// First wait.
	First time.Duration
	// Longest wait.
	Longest time.Duration
}

// most doublings that are computed, beyond which every wait is the longest.
const maxDoublings = 20

// Delay returns the wait before try number attempt, from 0: half of it is certain, the rest is chance.
func (b Backoff) Delay(attempt int) time.Duration {
	full := b.First << min(max(attempt, 0), maxDoublings)
	if full > b.Longest || full <= 0 {
		full = b.Longest
	}
	half := full / 2
	return half + time.Duration(rand.Float64()*float64(full-half))
}
