package gomsg

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/gomsg/gomsg/sdks/go/internal/frames"
	"google.golang.org/grpc/codes"
)

// maxFrameBytes: calls of a frame are gathered up to about this size; a single larger call has a frame of its own.
const maxFrameBytes = 1 << 20

// maxFrameCalls is the most calls that a server takes in one frame.
const maxFrameCalls = 65_536

// node is one server: its connection, which the pipeline and all streams share, and the calls for it. One goroutine
// connects and sends, a second one receives. All fields below the first group belong to the dispatcher's lock.
type node struct {
	address    string
	router     *router
	dispatcher *dispatcher
	ctx        context.Context
	cancel     context.CancelFunc
	wakeUp     chan struct{}
	// Only of the sending goroutine.
	frame []frames.Call

	conn    *watchedConn
	link    *link
	started bool
	ending  bool
	// It failed, and has answered nothing since: while others stand, it gets no calls. That it takes connections says
	// nothing, as the kernel of a stopped process does too.
	failing bool
	// It had no leader to offer for the last call that it was to find one for: others are asked first.
	leaderless bool
	// To be connected though no call waits for it.
	probed bool
	// Calls for the next frame.
	ready callList
	// Calls that the node has, by id less one; also those that nobody waits for any more.
	calls []*call
	free  []uint32
	// Tries since the last frame that came.
	failures int
	// Streams that were lost so far.
	losses int
}

// wake lets the node see what is ready. Holds the lock.
func (n *node) wake() {
	if !n.started {
		n.started = true
		n.router.tasks.Add(1)
		go n.run()
	}
	select {
	case n.wakeUp <- struct{}{}:
	default:
	}
}

// probe sees to it that the node is tried again. Holds the lock.
func (n *node) probe() {
	n.probed = true
	n.wake()
}

// stands tells that calls may go to the node at once. Holds the lock.
func (n *node) stands() bool { return n.link != nil && !n.failing }

// isUntried tells that nothing is known of the node but its address. Holds the lock.
func (n *node) isUntried() bool { return n.link == nil && !n.failing }

func (n *node) run() {
	defer n.router.tasks.Done()
	for {
		select {
		case <-n.wakeUp:
		case <-n.ctx.Done():
			n.retire()
			return
		}
		n.dispatcher.mu.Lock()
		link, ending, wanted := n.link, n.ending, n.ready.length > 0 || n.probed
		n.probed = false
		n.dispatcher.mu.Unlock()
		switch {
		case ending:
			n.halfClose(link)
		case link == nil && wanted:
			if link = n.connect(); link != nil {
				n.flush(link)
			}
		case link != nil:
			n.flush(link)
		}
	}
}

// connect waits as long as the failures before it ask for, connects and opens the stream. Nil when that failed; the
// calls of the node have then gone where the router sent them. A node that failed answers a probe first, unless calls
// wait for it already: there was no other to send them to.
func (n *node) connect() *link {
	n.dispatcher.mu.Lock()
	delay := time.Duration(0)
	if n.failures > 0 {
		delay = min(n.dispatcher.backoff.Delay(n.failures-1), n.router.untilUnreachable())
	}
	n.dispatcher.mu.Unlock()
	if !sleep(n.ctx, delay) {
		return nil
	}
	began := time.Now()
	conn, err := n.dial(n.ctx)
	if err == nil {
		err = n.prove(conn)
	}
	if err != nil {
		n.failed(nil, began, err)
		return nil
	}
	link, openErr := openLink(n.ctx, n, conn)
	if openErr != nil {
		failed := statusError(openErr)
		failed.Message = n.address + ": " + failed.Message
		n.failed(nil, began, failed)
		return nil
	}
	n.dispatcher.mu.Lock()
	n.link = link
	n.router.connected()
	n.dispatcher.mu.Unlock()
	n.router.tasks.Add(1)
	n.router.receivers.Add(1)
	go func() {
		defer n.router.tasks.Done()
		defer n.router.receivers.Done()
		defer link.cancel()
		err := link.receive()
		n.failed(link, time.Now(), statusError(err))
	}()
	n.router.options.Hooks.connected(n.address)
	return link
}

// silent: a connection is given up because nothing is heard on it, be it the pipeline's or one that only streams use.
func (n *node) silent(conn *watchedConn, err *Error) {
	n.dispatcher.mu.Lock()
	if n.conn == conn {
		n.conn = nil
	}
	link := n.link
	if link == nil && n.ctx.Err() == nil {
		n.losses++
		n.router.streamFailed(n)
	}
	n.dispatcher.mu.Unlock()
	switch {
	case link == nil:
		n.router.options.Hooks.disconnected(n.address, err)
	case link.conn == conn:
		n.failed(link, time.Now(), err)
		link.cancel()
	}
}

// awaitsAnswers tells whether the node has calls over a connection.
func (n *node) awaitsAnswers(conn *watchedConn) bool {
	n.dispatcher.mu.Lock()
	defer n.dispatcher.mu.Unlock()
	return n.link != nil && n.link.conn == conn && len(n.calls) > len(n.free)
}

// flush sends what is ready.
func (n *node) flush(link *link) {
	for {
		// Lets the callers that are about to run make their calls: those share the frame.
		runtime.Gosched()
		n.dispatcher.mu.Lock()
		header := n.collect(link)
		n.dispatcher.mu.Unlock()
		if len(n.frame) == 0 {
			return
		}
		err := link.send(header, n.frame)
		clear(n.frame) // Payloads that nobody needs any more.
		if err != nil {
			return // The receiver learns why.
		}
	}
}

// collect takes calls for one frame out of those that are ready. Holds the lock.
func (n *node) collect(link *link) frames.Header {
	n.frame = n.frame[:0]
	header := frames.Header{TopologyEpoch: n.router.epoch()}
	if n.link != link || n.ready.length == 0 {
		return header
	}
	now := time.Now()
	bytes := frames.MaxOverhead
	for c := n.ready.first; c != nil; c = n.ready.first {
		if !n.dispatcher.place(c, now) {
			continue
		}
		size := len(c.payload) + frames.MaxCallOverhead
		otherSession := header.Session != 0 && c.session != nil && c.session.ID != header.Session
		if len(n.frame) > 0 && (otherSession || bytes+size > maxFrameBytes || len(n.frame) == maxFrameCalls) {
			n.wake()
			break
		}
		if c.session != nil {
			header.Session, header.AnsweredBelow = c.session.ID, c.session.AnsweredBelow()
		}
		bytes += size
		n.give(c)
		n.frame = append(n.frame, frames.Call{
			ID: c.id, Method: c.rpc.number, Payload: c.payload, Sequence: c.sequence,
			TimeoutMS: remainingMS(c.deadline.Sub(now)), Retry: c.sends > 0,
		})
		c.sends++
		c.tries++
	}
	if len(n.frame) > 0 {
		link.conn.opened()
	}
	return header
}

// remainingMS is at least 1: 0 says that the caller waits for ever.
func remainingMS(remaining time.Duration) uint32 {
	return uint32(min(max(remaining.Milliseconds(), 1), 1<<32-1))
}

// give makes a call one that the node has.
func (n *node) give(c *call) {
	c.moveTo(nil)
	c.out = n
	if last := len(n.free) - 1; last >= 0 {
		c.id = n.free[last]
		n.free = n.free[:last]
		n.calls[c.id-1] = c
		return
	}
	n.calls = append(n.calls, c)
	c.id = uint32(len(n.calls))
}

// takeResults takes the results of a frame.
func (n *node) takeResults(link *link, results []frames.Result) error {
	n.dispatcher.mu.Lock()
	defer n.dispatcher.mu.Unlock()
	if n.link != link {
		return nil
	}
	n.failures, n.failing = 0, false
	link.answered = true
	n.router.reached()
	for _, result := range results {
		if result.CallID == 0 || int(result.CallID) > len(n.calls) || n.calls[result.CallID-1] == nil {
			return fmt.Errorf("a frame answers call %d, which is not open", result.CallID)
		}
		c := n.calls[result.CallID-1]
		n.calls[result.CallID-1] = nil
		n.free = append(n.free, result.CallID)
		n.dispatcher.take(c, result)
	}
	return nil
}

// failed: the link broke, or could not be made. What was sent and not answered may or may not have arrived.
func (n *node) failed(link *link, began time.Time, err *Error) {
	n.dispatcher.mu.Lock()
	if n.link != link || n.ctx.Err() != nil {
		n.dispatcher.mu.Unlock()
		return
	}
	n.link = nil
	n.losses++
	ending := n.ending
	if !ending {
		n.failures++
		n.failing = true
		n.router.nodeFailed(n, began)
	}
	n.handOver(link != nil && link.answered, err)
	n.router.failUnreachable(err)
	if !ending && n.router.callsWait() {
		n.probe() // This one may be back before the one that they wait for.
	}
	n.dispatcher.mu.Unlock()
	if !ending {
		n.router.options.Hooks.disconnected(n.address, err)
	}
}

// handOver lets the router send the calls of the node elsewhere, or here again. Holds the lock.
func (n *node) handOver(answered bool, err *Error) {
	calls, ready := n.calls, n.ready.length
	n.calls, n.free = nil, nil
	if n.router.ctx.Err() != nil { // No node sends anything any more.
		err = failure(ReasonClientClosed, "", "the client was closed before the answer came")
	}
	for ; ready > 0 && n.ready.first != nil; ready-- {
		c := n.ready.first
		if isFinalCode(err.Code) || err.Reason == ReasonClientClosed {
			n.dispatcher.fail(c, err.forCall(c))
		} else {
			n.dispatcher.enqueue(c)
		}
	}
	for _, c := range calls {
		if c != nil {
			n.dispatcher.lost(c, answered, err)
		}
	}
}

// end asks for a half-close: the node answers what it took and ends the stream. Holds the lock.
func (n *node) end() {
	n.ending = true
	if n.started {
		n.wake()
	}
}

func (n *node) halfClose(link *link) {
	if link != nil {
		_ = link.stream.CloseSend() // The receiver learns of a stream that is over already.
	}
	<-n.ctx.Done()
	n.retire()
}

// retire ends what is left when the node's context has ended.
func (n *node) retire() {
	n.dispatcher.mu.Lock()
	conn, link := n.conn, n.link
	n.conn, n.link = nil, nil
	n.handOver(true, &Error{Code: codes.Unavailable, Message: n.address + ": the node is no longer used", Retryable: true})
	n.dispatcher.mu.Unlock()
	if link != nil {
		link.cancel()
	}
	if conn != nil {
		conn.close(nil)
	}
}

// sleep waits; false when the context ended first.
func sleep(ctx context.Context, wait time.Duration) bool {
	if wait <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// lostLinks is how many connections to the node were lost.
func (n *node) lostLinks() int {
	n.dispatcher.mu.Lock()
	defer n.dispatcher.mu.Unlock()
	return n.losses
}
