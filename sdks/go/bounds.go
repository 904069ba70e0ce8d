package gomsg

// bounds is what a client may hold: calls and bytes on their way, and calls and bytes that wait for room there. It
// belongs to the dispatcher's lock.
type bounds struct {
	maxInFlightCalls, maxInFlightBytes int
	maxWaitingCalls, maxWaitingBytes   int
	// admit is told of each call when there is room for it.
	admit func(*call)

	calls, bytes int
	// Calls that wait for room, in the order in which they came.
	waiting      callList
	waitingBytes int
}

// mayTake is false when the call would have to wait and may not.
func (b *bounds) mayTake(c *call) bool {
	if b.waiting.length == 0 && b.hasRoom(c) {
		return true
	}
	return b.waiting.length < b.maxWaitingCalls && b.waitingBytes+c.heldBytes <= b.maxWaitingBytes
}

// take admits a call or lets it wait. Only when it may be taken.
func (b *bounds) take(c *call) {
	if b.waiting.length == 0 && b.hasRoom(c) {
		b.enter(c)
		return
	}
	b.waitingBytes += c.heldBytes
	c.moveTo(&b.waiting)
}

// leave: a call that may still wait here waits no more.
func (b *bounds) leave(c *call) {
	if c.line == &b.waiting {
		b.waitingBytes -= c.heldBytes
		c.moveTo(nil)
	}
}

// release: the last trace of a call is gone, and what waits moves up.
func (b *bounds) release(c *call) {
	if !c.admitted {
		return
	}
	c.admitted = false
	b.calls--
	b.bytes -= c.heldBytes
	for next := b.waiting.first; next != nil && b.hasRoom(next); next = b.waiting.first {
		b.leave(next)
		b.enter(next)
	}
}

func (b *bounds) enter(c *call) {
	c.admitted = true
	b.calls++
	b.bytes += c.heldBytes
	b.admit(c)
}

// hasRoom: a call that is larger than the bound goes when nothing else does.
func (b *bounds) hasRoom(c *call) bool {
	if b.calls == 0 {
		return true
	}
	return b.calls < b.maxInFlightCalls && b.bytes+c.heldBytes <= b.maxInFlightBytes
}
