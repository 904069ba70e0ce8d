package gomsg

import (
	"context"
	"sync"
	"time"

	gomsgv1 "github.com/gomsg/gomsg/sdks/go/gen/gomsg/v1"
	"github.com/gomsg/gomsg/sdks/go/internal/backoff"
	"github.com/gomsg/gomsg/sdks/go/internal/frames"
	"github.com/gomsg/gomsg/sdks/go/internal/sessions"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// internalCallTimeout bounds the client's own calls.
const internalCallTimeout = 10 * time.Second

// maxHintsAtOnce is how many leader hints a call follows without a wait.
const maxHintsAtOnce = 3

// dispatcher takes every unary call from its caller to a node and back: it bounds what is in flight, places writes in
// the client's session, repeats what is safe to repeat, and times out. Its lock covers all calls, the router and the
// lines of all nodes; it is held for a few lines a call and once a frame, never while anything is sent.
type dispatcher struct {
	options ConnectOptions
	backoff backoff.Backoff
	hooks   *Hooks

	mu          sync.Mutex
	router      *router
	bounds      bounds
	sessions    sessions.Sessions
	deadlines   deadlines
	sessionless callList
	delayed     callList
	// Calls whose callers wait.
	open int
	// Set when the client closes; closed once no caller waits.
	idle chan struct{}
}

func newDispatcher(options ConnectOptions, router *router) *dispatcher {
	d := &dispatcher{
		options: options,
		backoff: backoff.Backoff{First: options.RetryDelay, Longest: options.MaxRetryDelay},
		hooks:   &options.Hooks,
		router:  router,
	}
	d.bounds = bounds{
		maxInFlightCalls: options.MaxInFlightCalls, maxInFlightBytes: options.MaxInFlightBytes,
		maxWaitingCalls: options.MaxWaitingCalls, maxWaitingBytes: options.MaxWaitingBytes,
		admit: d.enqueue,
	}
	d.sessions = sessions.Sessions{Open: d.openSession, Close: d.closeSession}
	d.deadlines.expire = d.expire
	return d
}

// do makes a call and waits for its answer. The response is a view into a frame that only this call's caller reads.
func (d *dispatcher) do(ctx context.Context, c *call) ([]byte, *Error) {
	c.heldBytes = len(c.payload) + callOverheadBytes
	c.done = doneChannels.Get().(chan struct{})
	d.mu.Lock()
	if c.internal {
		d.enqueue(c)
	} else {
		if refusal := d.refusal(c); refusal != nil {
			d.mu.Unlock()
			doneChannels.Put(c.done)
			return nil, refusal
		}
		d.open++
		if c.watched {
			d.deadlines.add(c)
		}
		d.bounds.take(c)
	}
	d.mu.Unlock()
	select {
	case <-c.done:
	case <-ctx.Done():
		d.abandon(ctx, c)
		<-c.done
	}
	doneChannels.Put(c.done)
	return c.response, c.err
}

func (d *dispatcher) refusal(c *call) *Error {
	switch {
	case d.idle != nil:
		return failure(ReasonClientClosed, c.method, "the client is closed")
	case len(c.payload) > d.options.MaxRequestBytes:
		return failure(ReasonBatchTooLarge, c.method, "the request has %d bytes, and the client sends at most %d",
			len(c.payload), d.options.MaxRequestBytes)
	case !d.bounds.mayTake(c):
		err := failure(ReasonOverloaded, c.method, "%d calls wait in the client already; nothing was sent",
			d.bounds.waiting.length)
		err.RetryAfter = d.options.RetryDelay
		return err
	}
	return nil
}

// abandon fails a call whose context has ended, unless it was just answered.
func (d *dispatcher) abandon(ctx context.Context, c *call) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !c.settled {
		d.fail(c, contextError(ctx, c.method, c.mayBeApplied()))
	}
}

// expire runs when some call may be late.
func (d *dispatcher) expire() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.deadlines.late(time.Now(), func(c *call) {
		outcome := ""
		if c.mayBeApplied() {
			outcome = mayBeApplied
		}
		d.fail(c, failure(ReasonDeadlineExceeded, c.method, "no answer within %v%s", c.timeout, outcome))
	})
}

// enqueue lets a call go to the node that the router picks, with the next frame. Holds the lock.
func (d *dispatcher) enqueue(c *call) {
	node := d.router.pick(c.route, c.hint, c.avoid)
	c.moveTo(&node.ready)
	node.wake()
}

// Sessions.

// place sees to it that a write has its place in a session; false when it now waits for one. Holds the lock.
func (d *dispatcher) place(c *call, now time.Time) bool {
	if !c.rpc.isWrite || c.sequence > 0 || c.rpc == &rpcOpenSession || c.rpc == &rpcCloseSession {
		return true
	}
	session := d.sessions.Current(now)
	if session == nil {
		c.moveTo(&d.sessionless)
		return false
	}
	c.session, c.sequence = session, session.Take(now)
	return true
}

// openSession is called with the lock held, and answers later.
func (d *dispatcher) openSession() {
	d.internal(&rpcOpenSession, nil, func(response []byte, err *Error) {
		var opened gomsgv1.PipelineServiceOpenSessionResponse
		if err == nil {
			if broken := proto.Unmarshal(response, &opened); broken != nil {
				err = undecodable(rpcOpenSession.path, broken)
			}
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		if err != nil {
			d.sessions.OpenFailed()
			if err.Reason == ReasonDeadlineExceeded { // How long a call waits is for the call to say.
				d.resumeSessionless()
				return
			}
			for c := d.sessionless.first; c != nil; c = d.sessionless.first {
				d.fail(c, err.forCall(c))
			}
			return
		}
		d.sessions.Opened(opened.SessionId, opened.IdleTimeout.AsDuration(), time.Now())
		d.resumeSessionless()
	})
}

func (d *dispatcher) resumeSessionless() {
	waiting := d.sessionless.length
	for c := d.sessionless.first; c != nil && waiting > 0; c = d.sessionless.first {
		waiting--
		d.enqueue(c)
	}
}

// closeSession is called with the lock held. The server forgets a session by itself in time: what becomes of this call
// matters to nobody.
func (d *dispatcher) closeSession(id uint64) {
	payload, err := proto.Marshal(&gomsgv1.PipelineServiceCloseSessionRequest{SessionId: id})
	if err != nil {
		return // A message of one number is always encoded.
	}
	d.internal(&rpcCloseSession, payload, func([]byte, *Error) {})
}

// internal makes a call of the client's own, past the bounds, and answers later, without the lock.
func (d *dispatcher) internal(rpc *rpc, payload []byte, answered func([]byte, *Error)) {
	d.router.tasks.Add(1)
	go func() {
		defer d.router.tasks.Done()
		ctx, cancel := context.WithTimeout(d.router.ctx, internalCallTimeout)
		defer cancel()
		answered(d.doInternal(ctx, rpc, payload))
	}()
}

func (d *dispatcher) doInternal(ctx context.Context, rpc *rpc, payload []byte) ([]byte, *Error) {
	return d.do(ctx, &call{
		rpc: rpc, method: rpc.path, payload: payload, internal: true, timeout: internalCallTimeout,
		deadline: time.Now().Add(internalCallTimeout),
	})
}

// In. All with the lock held.

// take takes one result of a node.
func (d *dispatcher) take(c *call, result frames.Result) {
	from := c.out
	c.out = nil
	switch {
	case c.settled:
		d.bounds.release(c)
	case result.Failed:
		d.refused(c, from, pipelineError(result.Body).of(c.method))
	default:
		if c.route != "" {
			from.leaderless = false
		}
		c.response = result.Body
		d.settle(c)
	}
}

// refused repeats a call that was refused before anything was done, for a reason that passes, or fails it.
func (d *dispatcher) refused(c *call, from *node, err *Error) {
	switch err.Reason {
	case ReasonNotLeader, ReasonStaleTopology:
		if err.hasNoLeader() {
			d.router.leave(from, c.route)
		}
		d.router.wantTopology()
		c.hint, c.avoid = err.Leader, from
		if c.hint != "" && c.hintsFollowed < maxHintsAtOnce && c.tries < d.options.MaxSends {
			c.hintsFollowed++
			d.enqueue(c)
			return
		}
	case ReasonDraining:
		c.avoid = from
	case ReasonOverloaded:
	case ReasonNoQuorum:
		if !c.isRepeatable() {
			d.fail(c, err)
			return
		}
		d.router.leave(from, c.route)
		d.router.wantTopology()
		c.hint, c.avoid = "", from
	case ReasonSessionExpired:
		if c.session != nil {
			d.sessions.Lost(c.session)
		}
		fallthrough
	default:
		d.fail(c, err)
		return
	}
	delay := max(err.RetryAfter, d.backoff.Delay(c.tries-1))
	if c.tries >= d.options.MaxSends || !time.Now().Add(delay).Before(c.deadline) {
		d.fail(c, err)
		return
	}
	d.tellRetry(c, delay, err)
	c.moveTo(&d.delayed)
	c.retry = time.AfterFunc(delay, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if c.line == &d.delayed {
			d.enqueue(c)
		}
	})
}

// lost takes a call whose answer was lost with a connection, which has answered other calls or none.
func (d *dispatcher) lost(c *call, answered bool, err *Error) {
	c.out = nil
	if !answered {
		c.tries--
	}
	switch {
	case c.settled:
		d.bounds.release(c)
	case !isFinalCode(err.Code) && err.Reason != ReasonClientClosed && c.isRepeatable() && c.tries < d.options.MaxSends:
		d.tellRetry(c, 0, err)
		d.enqueue(c)
	default:
		d.fail(c, err.forCall(c))
	}
}

func (d *dispatcher) tellRetry(c *call, delay time.Duration, err *Error) {
	if d.hooks.OnRetry != nil && !c.internal {
		info := RetryInfo{Method: c.method, Attempt: c.sends, Delay: delay, Err: err.of(c.method)}
		// Not under the lock: the hook may use the client.
		d.router.tasks.Add(1)
		go func() {
			defer d.router.tasks.Done()
			d.hooks.retried(info)
		}()
	}
}

// failAll fails every call that has not been answered.
func (d *dispatcher) failAll(err *Error) {
	lines := []*callList{&d.sessionless, &d.delayed, &d.bounds.waiting}
	for _, node := range d.router.nodes {
		lines = append(lines, &node.ready)
		for _, c := range node.calls {
			if c != nil && !c.settled {
				d.fail(c, err.forCall(c))
			}
		}
	}
	for _, line := range lines {
		for c := line.first; c != nil; c = line.first {
			d.fail(c, err.forCall(c))
		}
	}
}

func (d *dispatcher) fail(c *call, err *Error) {
	c.err = err
	d.settle(c)
}

// settle tells the caller. What a node still has keeps its place in the bounds until that node is done with it, or its
// connection.
func (d *dispatcher) settle(c *call) {
	c.settled = true
	c.payload = nil
	d.deadlines.remove(c)
	if c.retry != nil {
		c.retry.Stop()
	}
	d.bounds.leave(c)
	c.moveTo(nil)
	if c.sequence > 0 {
		d.sessions.Settled(c.session, c.sequence)
		if d.sessionless.length > 0 && !d.sessions.Opening() {
			d.resumeSessionless()
		}
	}
	if c.out == nil {
		d.bounds.release(c)
	}
	if !c.internal {
		d.open--
		if d.open == 0 && d.idle != nil {
			close(d.idle)
		}
	}
	c.done <- struct{}{}
}

// drain takes no more calls, waits for those that were made as long as the context allows, fails the rest and closes the
// session.
func (d *dispatcher) drain(ctx context.Context) {
	d.mu.Lock()
	d.idle = make(chan struct{})
	if d.open == 0 {
		close(d.idle)
	}
	d.mu.Unlock()
	select {
	case <-d.idle:
	case <-ctx.Done():
		d.mu.Lock()
		d.failAll(failure(ReasonClientClosed, "", "the client was closed before the answer came"))
		d.mu.Unlock()
	}
	d.mu.Lock()
	session := d.sessions.End()
	connected := d.router.isConnected()
	d.deadlines.stop()
	d.mu.Unlock()
	if session == 0 || !connected {
		return
	}
	payload, err := proto.Marshal(&gomsgv1.PipelineServiceCloseSessionRequest{SessionId: session})
	if err != nil {
		return // A message of one number is always encoded.
	}
	answered := make(chan struct{})
	d.internal(&rpcCloseSession, payload, func([]byte, *Error) { close(answered) })
	select {
	case <-answered:
	case <-ctx.Done():
	}
}

func pipelineError(body []byte) *Error {
	var failed gomsgv1.PipelineError
	if err := proto.Unmarshal(body, &failed); err != nil {
		return &Error{Code: codes.Unknown, Message: "the error of the server is malformed", Cause: err}
	}
	return serverError(codes.Code(failed.Code), failed.Message, failed.Detail)
}

func undecodable(method string, cause error) *Error {
	return &Error{Method: method, Code: codes.Unknown, Message: "the response is malformed: " + cause.Error(), Cause: cause}
}

// forCall returns the error of a connection as that of one call: it says what is known about a write.
func (e *Error) forCall(c *call) *Error {
	copied := *e
	copied.Method = c.method
	if c.mayBeApplied() {
		copied.Message += mayBeApplied
	}
	return &copied
}
