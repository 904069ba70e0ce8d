package gomsg

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
)

// prove lets a node that failed, and that no call waits for, answer a probe.
func (n *node) prove(conn *watchedConn) *Error {
	n.dispatcher.mu.Lock()
	isDue := n.failing && n.ready.length == 0
	n.dispatcher.mu.Unlock()
	if !isDue {
		return nil
	}
	if err := conn.probe(n.ctx); err != nil {
		n.drop(conn)
		failed := *statusError(err)
		failed.Message = n.address + ": " + failed.Message
		return &failed
	}
	n.dispatcher.mu.Lock()
	n.failing = false
	n.dispatcher.mu.Unlock()
	return nil
}

// dial returns a connection that stands.
func (n *node) dial(ctx context.Context) (*watchedConn, *Error) {
	options := &n.router.options
	limit := min(options.ConnectTimeout, options.UnreachableTimeout)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	conn, err := n.connection()
	if err != nil {
		return nil, &Error{Code: codes.Unavailable, Message: n.address + ": " + err.Error(), Cause: err}
	}
	for {
		state := conn.GetState()
		switch state {
		case connectivity.Ready:
			return conn, nil
		case connectivity.Idle:
			conn.Connect()
		case connectivity.TransientFailure, connectivity.Shutdown:
			failed := n.whyNot(ctx, conn)
			n.drop(conn)
			return nil, failed
		}
		if !conn.WaitForStateChange(ctx, state) {
			n.drop(conn)
			return nil, &Error{
				Code: codes.Unavailable, Retryable: true,
				Message: fmt.Sprintf("%s: no connection within %v", n.address, limit), Cause: context.Cause(ctx),
			}
		}
	}
}

// whyNot asks a connection that failed for the reason: a stream on it fails at once with it.
func (n *node) whyNot(ctx context.Context, conn *watchedConn) *Error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	_, err := conn.NewStream(ctx, &executeDesc, executePath)
	if err == nil {
		err = errors.New("the connection failed")
	}
	failed := statusError(err)
	failed.Message = n.address + ": " + failed.Message
	return failed
}

func (n *node) connection() (*watchedConn, error) {
	n.dispatcher.mu.Lock()
	defer n.dispatcher.mu.Unlock()
	if n.conn == nil {
		if n.ctx.Err() != nil {
			return nil, n.ctx.Err()
		}
		conn, err := n.newConn()
		if err != nil {
			return nil, err
		}
		n.conn = conn
	}
	return n.conn, nil
}

// drop gives up a connection that does not stand; the next try makes a new one.
func (n *node) drop(conn *watchedConn) {
	n.dispatcher.mu.Lock()
	if n.conn == conn {
		n.conn = nil
	}
	n.dispatcher.mu.Unlock()
	conn.close(nil)
}
