package gomsg

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	gomsgv1 "github.com/gomsg/gomsg/sdks/go/gen/gomsg/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// flowControlWindow is the HTTP/2 receive window: a full one per round trip is what one connection can read at most.
const flowControlWindow = 4 << 20

// firstReconnectDelay is gRPC's own, between two tries of one connection.
const firstReconnectDelay = 100 * time.Millisecond

// gRPC's own pings are for connections that wait for nothing, which the client itself does not probe: they find out that
// a network has forgotten one before the next call does. Their timeout is also that of TCP for data that nobody confirms.
const (
	idlePingInterval = 20 * time.Second
	idlePingTimeout  = 10 * time.Second
)

// Client is a client of one gomsg node or cluster. It is safe for concurrent use; a program needs one. It connects with
// its first call, and lives until Close.
//
// All calls that are made at about the same time go out as one frame, and their results come back in as few. Writes are
// in a session, so that a write whose answer was lost is sent again and applied once; reads are simply repeated. A call
// fails with an *Error: when the server says so, when its context ends, after the client's Timeout where the context has
// no deadline, when no node can be reached for UnreachableTimeout, or when more calls wait than may (OVERLOADED).
type Client struct {
	// KV is the key/value store.
	KV *KVClient
	// Queue is the message queues.
	Queue *QueueClient
	// Stream is the event streams.
	Stream *StreamClient
	// Cluster is the members and state of the cluster.
	Cluster *ClusterClient

	options    ConnectOptions
	router     *router
	dispatcher *dispatcher

	closeOnce sync.Once
	closed    chan struct{}
	// Subscriptions and iterations that are open.
	streamsMu sync.Mutex
	streams   map[*streamLife]struct{}
}

// Connect makes a client of the node at `host:port`, or of a cluster of which some nodes are named, separated by commas.
// An empty address is localhost:9000. It connects with the first call; an address or option that is none fails at once
// with INVALID_REQUEST.
func Connect(address string, options ...ConnectOptions) (*Client, error) {
	given, err := oneOption("connect", options)
	if err != nil {
		return nil, err
	}
	if given, err = given.checked(); err != nil {
		return nil, err
	}
	seeds, err := parseAddresses(address)
	if err != nil {
		return nil, err
	}
	dialOptions, err := given.dialOptions()
	if err != nil {
		return nil, err
	}
	router := newRouter(given, seeds, dialOptions)
	c := &Client{
		options: given, router: router, dispatcher: newDispatcher(given, router),
		closed: make(chan struct{}), streams: make(map[*streamLife]struct{}),
	}
	router.dispatcher = c.dispatcher
	c.KV, c.Queue, c.Stream, c.Cluster = &KVClient{c}, &QueueClient{c}, &StreamClient{c}, &ClusterClient{c}
	return c, nil
}

// Close takes no more calls, ends subscriptions, waits up to CloseTimeout for running handlers and for calls that were
// made, fails the rest with CLIENT_CLOSED, and ends the session and all connections. When it returns, nothing of the
// client is left. A second Close does the same waiting and nothing else. It must not be called by a handler: it waits
// for that.
func (c *Client) Close() error {
	c.closeOnce.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), c.options.CloseTimeout)
		defer cancel()
		c.endStreams(ctx)
		c.dispatcher.drain(ctx)
		c.router.close(ctx)
		close(c.closed)
	})
	<-c.closed
	return nil
}

// unary makes a call and fills in its response. The wait is what the server may wait before it answers.
func (c *Client) unary(
	ctx context.Context, rpc *rpc, method, route string, wait time.Duration, request, response proto.Message,
) error {
	if ctx == nil {
		return invalid(method, "ctx", "it is nil: give context.Background()")
	}
	if c.options.Hooks.OnCall == nil {
		if err := c.unaryUntold(ctx, rpc, method, route, wait, request, response); err != nil {
			return err
		}
		return nil
	}
	ctx, end := c.options.Hooks.call(ctx, CallInfo{Method: method, Subject: route})
	if err := c.unaryUntold(ctx, rpc, method, route, wait, request, response); err != nil {
		end(err)
		return err
	}
	end(nil)
	return nil
}

func (c *Client) unaryUntold(
	ctx context.Context, rpc *rpc, method, route string, wait time.Duration, request, response proto.Message,
) *Error {
	if ctx.Err() != nil {
		return contextError(ctx, method, false)
	}
	payload, err := proto.Marshal(request)
	if err != nil {
		return unencodable(method, request, err)
	}
	made := &call{rpc: rpc, method: method, route: route, payload: payload}
	var hasDeadline bool
	if made.deadline, hasDeadline = ctx.Deadline(); !hasDeadline {
		timeout, isOwn := ctx.Value(timeoutKey{}).(time.Duration)
		if !isOwn {
			timeout = c.options.Timeout
		}
		if made.timeout = timeout + max(wait, 0); made.timeout < timeout { // Longer than a duration can say.
			made.timeout = math.MaxInt64
		}
		made.deadline = time.Now().Add(made.timeout)
		// The line of deadlines is of calls with the same timeout; others have a timer of their own.
		made.watched = !isOwn && wait <= 0
		if !made.watched {
			var cancel context.CancelFunc
			ctx, cancel = context.WithDeadline(ctx, made.deadline)
			defer cancel()
		}
	}
	body, failed := c.dispatcher.do(ctx, made)
	if failed != nil {
		return failed
	}
	if err := proto.Unmarshal(body, response); err != nil {
		return undecodable(method, err)
	}
	return nil
}

// timeoutKey is the key of the timeout of WithTimeout in a context.
type timeoutKey struct{}

// WithTimeout returns a context whose calls have a timeout of their own in place of the client's. Unlike a deadline of the
// context it is counted anew for each call, and the time that a pop may wait comes on top of it. A context that has a
// deadline as well keeps to that alone.
func WithTimeout(ctx context.Context, timeout time.Duration) context.Context {
	return context.WithValue(ctx, timeoutKey{}, timeout)
}

// unencodable names the parameter that is not UTF-8, the only thing that cannot be encoded.
func unencodable(method string, request proto.Message, cause error) *Error {
	name := "request"
	request.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if hasBrokenText(field, value) {
			name = string(field.Name())
			return false
		}
		return true
	})
	err := invalid(method, name, "it is not UTF-8")
	err.Cause = cause
	return err
}

func hasBrokenText(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
	broken := false
	isBroken := func(kind protoreflect.Kind, value protoreflect.Value) bool {
		switch kind {
		case protoreflect.StringKind:
			return !utf8.ValidString(value.String())
		case protoreflect.MessageKind:
			_, err := proto.Marshal(value.Message().Interface())
			return err != nil
		}
		return false
	}
	switch {
	case field.IsMap():
		value.Map().Range(func(key protoreflect.MapKey, element protoreflect.Value) bool {
			broken = isBroken(field.MapKey().Kind(), key.Value()) || isBroken(field.MapValue().Kind(), element)
			return !broken
		})
	case field.IsList():
		for i := range value.List().Len() {
			broken = broken || isBroken(field.Kind(), value.List().Get(i))
		}
	default:
		broken = isBroken(field.Kind(), value)
	}
	return broken
}

// refuseUnencodable lets a stream whose request is not UTF-8 fail as a call does. gRPC's own error of it looks like one
// of the server.
func refuseUnencodable(
	ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, path string, open grpc.Streamer,
	options ...grpc.CallOption,
) (grpc.ClientStream, error) {
	stream, err := open(ctx, desc, conn, path, options...)
	if err != nil || desc.ClientStreams {
		return stream, err
	}
	return encodableStream{stream}, nil
}

type encodableStream struct{ grpc.ClientStream }

func (s encodableStream) SendMsg(request any) error {
	if request, isMessage := request.(proto.Message); isMessage {
		if _, err := proto.Marshal(request); err != nil {
			return unencodable("", request, err)
		}
	}
	return s.ClientStream.SendMsg(request)
}

func (o *ConnectOptions) dialOptions() ([]grpc.DialOption, error) {
	transport := insecure.NewCredentials()
	if o.TLS != nil {
		config, err := o.TLS.config()
		if err != nil {
			return nil, err
		}
		transport = credentials.NewTLS(config)
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: max(o.KeepaliveInterval, idlePingInterval), Timeout: max(o.KeepaliveTimeout, idlePingTimeout),
		}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{
				BaseDelay: firstReconnectDelay, Multiplier: 2, Jitter: 0.2, MaxDelay: max(o.MaxRetryDelay, firstReconnectDelay),
			},
			MinConnectTimeout: o.ConnectTimeout,
		}),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(o.MaxResponseBytes), grpc.MaxCallSendMsgSize(o.MaxResponseBytes)),
		grpc.WithStaticStreamWindowSize(flowControlWindow), grpc.WithStaticConnWindowSize(flowControlWindow),
		// Retries are the client's own, and so is what it does with an idle connection.
		grpc.WithStreamInterceptor(refuseUnencodable),
		grpc.WithDisableRetry(), grpc.WithDisableServiceConfig(), grpc.WithIdleTimeout(0),
	}
	source := o.TokenSource
	if source == nil && o.Token != "" {
		token := o.Token
		source = func(context.Context) (string, error) { return token, nil }
	}
	if source != nil {
		options = append(options, grpc.WithPerRPCCredentials(&bearer{source: source}))
	}
	return options, nil
}

// bearer sends a token with every stream and call.
type bearer struct {
	source func(ctx context.Context) (string, error)
	// The latest token.
	latest atomic.Pointer[string]
}

// GetRequestMetadata sends a probe with the latest token: a source that is slow says nothing of the node, and any answer
// will do.
func (b *bearer) GetRequestMetadata(ctx context.Context, _ ...string) (map[string]string, error) {
	if token := b.latest.Load(); token != nil && ctx.Value(probeKey{}) != nil {
		return authorization(*token), nil
	}
	token, err := b.source(ctx)
	if err == nil && !isPrintable(token) {
		err = errors.New("it has characters that no header can carry")
	}
	if err != nil {
		// Of another error gRPC would say that the server refused the caller, for good.
		return nil, status.Errorf(codes.Unavailable, "no token: %v", err)
	}
	b.latest.Store(&token)
	return authorization(token), nil
}

func authorization(token string) map[string]string {
	return map[string]string{"authorization": "Bearer " + token}
}

// RequireTransportSecurity is false: a server behind a proxy that ends TLS is no mistake.
func (*bearer) RequireTransportSecurity() bool { return false }

// Raw is the plain gRPC clients of a node, without pipeline, sessions, retries or routing.
type Raw struct {
	KV       gomsgv1.KVServiceClient
	Queue    gomsgv1.QueueServiceClient
	Stream   gomsgv1.StreamServiceClient
	Cluster  gomsgv1.ClusterServiceClient
	Pipeline gomsgv1.PipelineServiceClient
}

// Raw returns the plain gRPC clients of the node that calls without a route go to, on the client's own connection. When
// that is given up, they fail with UNAVAILABLE or CANCELED for good: ask for new ones.
func (c *Client) Raw(ctx context.Context) (*Raw, error) {
	if ctx == nil {
		return nil, invalid("raw", "ctx", "it is nil: give context.Background()")
	}
	conn, _, err := c.conn(ctx, "raw", "", "", nil)
	if err != nil {
		return nil, err
	}
	return &Raw{
		KV: gomsgv1.NewKVServiceClient(conn), Queue: gomsgv1.NewQueueServiceClient(conn),
		Stream: gomsgv1.NewStreamServiceClient(conn), Cluster: gomsgv1.NewClusterServiceClient(conn),
		Pipeline: gomsgv1.NewPipelineServiceClient(conn),
	}, nil
}

// conn returns a connection that stands, and the node that it leads to, also with an error.
func (c *Client) conn(
	ctx context.Context, method, route, hint string, avoid *node,
) (*grpc.ClientConn, *node, *Error) {
	c.dispatcher.mu.Lock()
	if c.dispatcher.idle != nil {
		c.dispatcher.mu.Unlock()
		return nil, nil, failure(ReasonClientClosed, method, "the client is closed")
	}
	node := c.router.pick(route, hint, avoid)
	c.dispatcher.mu.Unlock()
	conn, err := node.dial(ctx)
	if err != nil {
		if ctx.Err() == nil {
			c.dispatcher.mu.Lock()
			c.router.streamFailed(node)
			c.dispatcher.mu.Unlock()
		}
		return nil, node, err.of(method)
	}
	return conn.ClientConn, node, nil
}
