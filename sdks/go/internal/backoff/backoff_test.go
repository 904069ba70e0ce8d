package backoff

import (
	"testing"
	"time"
)

func TestWaitsDoubleUpToTheLongestWithJitterInTheirUpperHalf(t *testing.T) {
	backoff := Backoff{First: 10 * time.Millisecond, Longest: 100 * time.Millisecond}
	full := []time.Duration{10, 20, 40, 80, 100, 100}
	for attempt, milliseconds := range full {
		want := milliseconds * time.Millisecond
		for range 100 {
			if got := backoff.Delay(attempt); got < want/2 || got > want {
				t.Fatalf("attempt %d waits %v, want %v to %v", attempt, got, want/2, want)
			}
		}
	}
	if got := backoff.Delay(1_000_000); got < 50*time.Millisecond || got > 100*time.Millisecond {
		t.Errorf("a late attempt waits %v", got)
	}
}
