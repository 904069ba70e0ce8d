package gomsg

import (
	"context"
	"time"
)

// Hooks are told what a client does: for traces, metrics and logs. All may be nil. They run on the caller's goroutine
// (OnCall) or on one of the client's, so they must be quick and safe for concurrent use; a panic in one is dropped.
// OnConnect and OnDisconnect must not wait for calls of the client: until they return, it sends nothing to that node.
type Hooks struct {
	// OnCall is told of every call before it is made. The context that it returns, if not nil, goes on with the call.
	// The function that it returns, if not nil, is told how the call ended.
	OnCall func(ctx context.Context, info CallInfo) (context.Context, func(err error))
	// OnConnect is told that a node is connected.
	OnConnect func(address string)
	// OnDisconnect is told that a connection was lost or could not be made.
	OnDisconnect func(address string, err error)
	// OnRetry is told that a call is sent again, or that a stream connects again.
	OnRetry func(info RetryInfo)
	// Log gets one line for what an operator may want to know.
	Log func(message string)
}

// CallInfo describes a call.
type CallInfo struct {
	// Method is its name, such as "kv.set".
	Method string
	// Subject is the key, queue or topic that it is about; empty where it is about none or many.
	Subject string
}

// RetryInfo describes a retry.
type RetryInfo struct {
	// Method is the name of the call or stream, such as "stream.subscribe".
	Method string
	// Attempt is the number of the try that failed, from 1.
	Attempt int
	// Delay is how long it waits.
	Delay time.Duration
	// Err is why.
	Err error
}

// call tells of a call; only where OnCall is set. A panic in it leaves the call as it was.
func (h *Hooks) call(ctx context.Context, info CallInfo) (changed context.Context, end func(error)) {
	var told func(error)
	guarded(func() { changed, told = h.OnCall(ctx, info) })
	if changed == nil {
		changed = ctx
	}
	return changed, func(err error) {
		if told != nil {
			guarded(func() { told(err) })
		}
	}
}

func (h *Hooks) connected(address string) {
	if h.OnConnect != nil {
		guarded(func() { h.OnConnect(address) })
	}
}

func (h *Hooks) disconnected(address string, err error) {
	if h.OnDisconnect != nil {
		guarded(func() { h.OnDisconnect(address, err) })
	}
}

func (h *Hooks) retried(info RetryInfo) {
	if h.OnRetry != nil {
		guarded(func() { h.OnRetry(info) })
	}
}

func (h *Hooks) log(message string) {
	if h.Log != nil {
		guarded(func() { h.Log(message) })
	}
}

// guarded runs a function of the user's that must not break what the client does.
func guarded(run func()) {
	defer func() { _ = recover() }()
	run()
}
