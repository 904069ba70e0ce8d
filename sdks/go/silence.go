package gomsg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	gomsgv1 "github.com/gomsg/gomsg/sdks/go/gen/gomsg/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// watchedConn is a connection to a node that is given up when the node falls silent. A process that was stopped, a machine
// without power and a network that drops everything all leave the connection standing: nobody says that it leads nowhere.
//
// While something is open on it, calls that await their answers or streams, and nothing was heard for KeepaliveInterval,
// the node is asked for its topology. What it says does not matter. When nothing was heard for KeepaliveTimeout more, the
// connection is closed, and everything on it goes on as after any other lost connection. gRPC's own pings would come no
// more often than every 10 s.
type watchedConn struct {
	*grpc.ClientConn
	node *node
	// Ends with the connection; its cause is an *Error when the node was silent.
	ctx context.Context
	end context.CancelCauseFunc
	// What times are counted from.
	born time.Time

	// When something was heard last, or when silence began to count; since born.
	heardAt atomic.Int64
	// What is open, but for the pipeline's stream: that counts by its calls.
	open atomic.Int64
	// Something was open when the watcher looked last, or was opened since: silence counts.
	counting atomic.Bool
	wakeUp   chan struct{}
}

// newConn makes a connection of a node that connects later. Holds the lock.
func (n *node) newConn() (*watchedConn, error) {
	c := &watchedConn{node: n, born: time.Now(), wakeUp: make(chan struct{}, 1)}
	c.ctx, c.end = context.WithCancelCause(n.ctx)
	options := append(slices.Clip(n.router.dialOptions),
		grpc.WithChainUnaryInterceptor(c.watchCall), grpc.WithChainStreamInterceptor(c.watchStream))
	var err error
	// Passed on as it is: the system resolves the name anew with every try to connect.
	if c.ClientConn, err = grpc.NewClient("passthrough:///"+n.address, options...); err != nil {
		c.end(nil)
		return nil, err
	}
	n.router.tasks.Add(1)
	go func() {
		defer n.router.tasks.Done()
		c.watch()
	}()
	return c, nil
}

// close ends the connection and all that is open on it. The cause is for those that receive from it.
func (c *watchedConn) close(cause error) {
	c.end(cause)
	_ = c.Close() // It says only that it was closed already.
}

// heard: something came from the node.
func (c *watchedConn) heard() { c.heardAt.Store(int64(time.Since(c.born))) }

// opened: something was opened that is to hear from the node.
func (c *watchedConn) opened() {
	if c.counting.Load() || !c.counting.CompareAndSwap(false, true) {
		return
	}
	c.heard() // Silence counts from here: before, there was nothing to say.
	select {
	case c.wakeUp <- struct{}{}:
	default:
	}
}

func (c *watchedConn) isOpen() bool { return c.open.Load() > 0 || c.node.awaitsAnswers(c) }

// watch gives the connection up when the node is silent, and returns with its end.
func (c *watchedConn) watch() {
	interval := c.node.router.options.KeepaliveInterval
	for {
		select {
		case <-c.wakeUp:
		case <-c.ctx.Done():
			return
		}
		for c.counting.Load() {
			silence := time.Since(c.born) - time.Duration(c.heardAt.Load())
			switch {
			case silence < interval:
				if !sleep(c.ctx, interval-silence) {
					return
				}
			case !c.isOpen():
				c.counting.Store(false)
				if c.isOpen() { // Since a moment ago.
					c.counting.Store(true)
				}
			case c.isSilent():
				c.giveUp()
				return
			}
		}
	}
}

// isSilent probes the node.
func (c *watchedConn) isSilent() bool {
	before := c.heardAt.Load()
	err := c.probe(c.ctx)
	if c.ctx.Err() != nil || c.heardAt.Load() != before {
		return false
	}
	if status.Code(err) == codes.DeadlineExceeded {
		return true
	}
	c.heard() // Broken is not silent, and noticed by other means. The next look is due an interval from now.
	return false
}

// probe asks the node for something that it answers at once. Nil when it did, whatever it said.
func (c *watchedConn) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, probeKey{}, true), c.node.router.options.KeepaliveTimeout)
	defer cancel()
	_, err := gomsgv1.NewClusterServiceClient(c).GetTopology(ctx, &gomsgv1.ClusterServiceGetTopologyRequest{})
	if isAnswer(err) {
		return nil
	}
	return err
}

// probeKey is the key of a context that says that its call is a probe.
type probeKey struct{}

// giveUp closes the connection to a silent node. What is open learns of it at once: closing takes gRPC a second or more,
// as it would like to say goodbye.
func (c *watchedConn) giveUp() {
	options := &c.node.router.options
	err := &Error{
		Code: codes.Unavailable, Retryable: true,
		Message: fmt.Sprintf("%s: the node was silent for %v, and did not answer a probe within %v",
			c.node.address, options.KeepaliveInterval, options.KeepaliveTimeout),
	}
	c.node.silent(c, err)
	c.close(err)
}

// begin counts a call or stream as open, and lets it end with the connection.
func (c *watchedConn) begin(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(c.ctx, cancel)
	c.open.Add(1)
	c.opened()
	return ctx, sync.OnceFunc(func() {
		stop()
		cancel()
		c.open.Add(-1)
	})
}

// received notes what the end of a call, or a message of a stream, says of the node, and returns the error that its
// caller is to see.
func (c *watchedConn) received(ctx context.Context, err error) error {
	if isAnswer(err) {
		c.heard()
		return err
	}
	return c.explained(ctx, err)
}

// explained is the error that the caller of a call or stream is to see, which did not come from the node. The context is
// the caller's own.
func (c *watchedConn) explained(ctx context.Context, err error) error {
	if silent := (*Error)(nil); errors.As(context.Cause(c.ctx), &silent) {
		return status.Error(silent.Code, silent.Message)
	}
	// Dropped by another who shares it and found that it does not stand. gRPC says CANCELED, and the caller canceled nothing.
	if c.ctx.Err() != nil && c.node.ctx.Err() == nil && ctx.Err() == nil {
		return status.Error(codes.Unavailable, "the connection was given up")
	}
	return err
}

func (c *watchedConn) watchCall(
	ctx context.Context, method string, request, response any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker,
	options ...grpc.CallOption,
) error {
	watched, end := c.begin(ctx)
	defer end()
	return c.received(ctx, invoke(watched, method, request, response, conn, options...))
}

func (c *watchedConn) watchStream(
	ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, path string, open grpc.Streamer,
	options ...grpc.CallOption,
) (grpc.ClientStream, error) {
	if desc == &executeDesc {
		stream, err := open(ctx, desc, conn, path, options...)
		if err != nil {
			return nil, c.explained(ctx, err)
		}
		return stream, nil
	}
	watched, end := c.begin(ctx)
	stream, err := open(watched, desc, conn, path, append(slices.Clip(options), grpc.OnFinish(func(error) { end() }))...)
	if err != nil {
		end()
		return nil, c.received(ctx, err)
	}
	return watchedStream{stream, c, ctx}, nil
}

type watchedStream struct {
	grpc.ClientStream
	conn *watchedConn
	// The caller's.
	ctx context.Context
}

func (s watchedStream) RecvMsg(message any) error {
	return s.conn.received(s.ctx, s.ClientStream.RecvMsg(message))
}

// isAnswer tells whether the end of a call, or what a stream received, came from the node, not from the client's side.
func isAnswer(err error) bool {
	if err == nil || errors.Is(err, io.EOF) {
		return true
	}
	failed := statusError(err)
	switch failed.Code {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		return failed.Reason != ""
	}
	return true
}
