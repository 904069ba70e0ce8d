package gomsg

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
)

// Causes of the end of a stream's context.
var (
	errSubscriptionClosed = errors.New("the subscription was closed")
	errClientClosed       = errors.New("the client was closed")
)

// streamLife is how long one subscription or iteration lives.
type streamLife struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	// Closed when nothing of it runs any more; nil for an iteration, which runs on its user's goroutine.
	done chan struct{}
}

func (c *Client) beginStream(ctx context.Context, method string, handled bool) (*streamLife, *Error) {
	if ctx == nil {
		return nil, invalid(method, "ctx", "it is nil: give context.Background()")
	}
	life := &streamLife{}
	life.ctx, life.cancel = context.WithCancelCause(ctx)
	if handled {
		life.done = make(chan struct{})
	}
	c.streamsMu.Lock()
	defer c.streamsMu.Unlock()
	if c.streams == nil {
		life.cancel(errClientClosed)
		return nil, failure(ReasonClientClosed, method, "the client is closed")
	}
	c.streams[life] = struct{}{}
	return life, nil
}

func (c *Client) endStream(life *streamLife) {
	life.cancel(errSubscriptionClosed)
	c.streamsMu.Lock()
	delete(c.streams, life)
	c.streamsMu.Unlock()
	if life.done != nil {
		close(life.done)
	}
}

// endStreams ends all streams for good, and waits for handlers that run as long as the context allows.
func (c *Client) endStreams(ctx context.Context) {
	c.streamsMu.Lock()
	streams := c.streams
	c.streams = nil
	c.streamsMu.Unlock()
	for life := range streams {
		life.cancel(errClientClosed)
	}
	for life := range streams {
		if life.done == nil {
			continue
		}
		select {
		case <-life.done:
		case <-ctx.Done():
			return
		}
	}
}

// reader yields the items of a feed over any number of connections. It belongs to one goroutine.
type reader[T any] struct {
	client *Client
	method string
	// Name whose slot decides where the stream goes; empty = any node.
	route string
	life  *streamLife
	feed  feed[T]

	items []T
	mu    sync.Mutex
	// Ends the open stream; nil while there is none.
	cancel context.CancelFunc
	// An item is with its user: until that is through with it, the stream stays open, so that it can be settled.
	handling bool
	// Tries to open since the last item that came.
	failures int
	// The node that has the stream, or had it last.
	node  *node
	hint  string
	avoid *node
}

// place opens the stream for the first time: unlike later, it gives up after the client's timeouts.
func (r *reader[T]) place() *Error {
	began := time.Now()
	options := &r.client.options
	for {
		failed, reached := r.open(began.Add(options.Timeout))
		switch {
		case failed == nil:
			return nil
		case errors.Is(context.Cause(r.life.ctx), errClientClosed):
			return failure(ReasonClientClosed, r.method, "the client was closed")
		case r.life.ctx.Err() != nil:
			return contextError(r.life.ctx, r.method, false)
		case r.isFinal(failed):
			return failed
		case !reached && time.Since(began) >= options.UnreachableTimeout:
			err := failure(ReasonUnreachable, r.method, "no node could be reached for %v; last: %s",
				options.UnreachableTimeout, failed.Message)
			err.Cause = failed
			return err
		case time.Since(began) >= options.Timeout:
			err := failure(ReasonDeadlineExceeded, r.method, "it was not in place within %v; last: %s",
				options.Timeout, failed.Message)
			err.Cause = failed
			return err
		}
		r.pause(failed, time.Until(began.Add(options.Timeout)))
	}
}

// next waits for the next item. When it is not ok, the stream has ended for good, with an error or without.
func (r *reader[T]) next() (item T, ok bool, failed *Error) {
	for {
		if r.life.ctx.Err() != nil {
			return item, false, r.endError()
		}
		if len(r.items) > 0 && r.feed.superseded() {
			r.items = nil
		}
		if len(r.items) > 0 {
			item, r.items = r.items[0], r.items[1:]
			return item, true, nil
		}
		if r.cancel == nil {
			if failed, _ := r.open(time.Now().Add(r.client.options.Timeout)); failed != nil {
				if r.life.ctx.Err() == nil && r.isFinal(failed) {
					return item, false, failed
				}
				r.pause(failed, r.client.options.MaxRetryDelay)
				continue
			}
		}
		items, err := r.feed.receive(r.life.ctx)
		if err == nil {
			r.items, r.failures = items, 0
			continue
		}
		failed := r.lost(err)
		if r.life.ctx.Err() == nil && r.isFinal(failed) {
			return item, false, failed
		}
		if failed.Reason == ReasonNotLeader || failed.Reason == ReasonNoQuorum {
			r.turnFrom(r.node, failed)
		}
		if r.life.ctx.Err() == nil {
			r.pause(failed, r.client.options.MaxRetryDelay)
		}
	}
}

// open opens the stream, and tells whether a node was reached.
func (r *reader[T]) open(deadline time.Time) (failed *Error, reached bool) {
	conn, node, failed := r.client.conn(r.life.ctx, r.method, r.route, r.hint, r.avoid)
	if failed != nil {
		r.hint, r.avoid = "", node
		return failed, false
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.life.ctx))
	r.mu.Lock()
	r.cancel = cancel
	r.mu.Unlock()
	if r.life.ctx.Err() != nil {
		cancel()
	}
	timer := time.AfterFunc(time.Until(deadline), cancel)
	defer timer.Stop()
	if err := r.feed.open(ctx, conn, node); err != nil {
		failed = r.lost(err)
		r.turnFrom(node, failed)
		return failed, true
	}
	r.node, r.avoid = node, nil
	return nil, true
}

// turnFrom lets the next try go to another node than the one that refused the stream or ended it.
func (r *reader[T]) turnFrom(node *node, failed *Error) {
	r.hint, r.avoid = failed.Leader, node
	r.client.dispatcher.mu.Lock()
	defer r.client.dispatcher.mu.Unlock()
	if failed.hasNoLeader() {
		r.client.router.leave(node, r.route)
	}
	if failed.Reason == ReasonNotLeader || failed.Reason == ReasonStaleTopology || failed.Reason == ReasonNoQuorum {
		r.client.router.wantTopology()
	}
}

func (r *reader[T]) lost(err error) *Error {
	r.close()
	failed := &Error{Code: codes.Unavailable, Message: "the server ended the stream", Retryable: true}
	if !errors.Is(err, io.EOF) {
		copied := *statusError(err)
		failed = &copied
	}
	failed.Method = r.method
	r.feed.lost(failed)
	return failed
}

// pause waits before the next try, and tells of it.
func (r *reader[T]) pause(failed *Error, most time.Duration) {
	delay := min(max(failed.RetryAfter, r.client.dispatcher.backoff.Delay(r.failures)), max(most, 0))
	r.failures++
	r.client.options.Hooks.retried(RetryInfo{Method: r.method, Attempt: r.failures, Delay: delay, Err: failed})
	sleep(r.life.ctx, delay)
}

func (r *reader[T]) isFinal(err *Error) bool {
	switch {
	case err.Reason == ReasonClientClosed:
		return true
	case r.feed.survives(err):
		return false
	case err.Reason == "":
		return isFinalCode(err.Code)
	}
	return !err.Retryable
}

// endError is why the life ended; nil when its user closed the stream or the client.
func (r *reader[T]) endError() *Error {
	cause := context.Cause(r.life.ctx)
	if errors.Is(cause, errSubscriptionClosed) || errors.Is(cause, errClientClosed) {
		return nil
	}
	return contextError(r.life.ctx, r.method, false)
}

// close ends what is open.
func (r *reader[T]) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cancel != nil {
		r.cancel()
		r.cancel = nil
	}
}

// watch lets the open stream end with the life, at once where no item is with its user. It returns what ends the
// watch itself.
func (r *reader[T]) watch() (stop func() bool) {
	return context.AfterFunc(r.life.ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.cancel != nil && !r.handling {
			r.cancel()
		}
	})
}

func (r *reader[T]) setHandling(handling bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.handling = handling
	if !handling && r.cancel != nil && r.life.ctx.Err() != nil {
		r.cancel()
	}
}
