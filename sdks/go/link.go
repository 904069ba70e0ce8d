package gomsg

import (
	"context"
	"errors"
	"io"

	"github.com/gomsg/gomsg/sdks/go/internal/frames"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
)

const executePath = "/gomsg.v1.PipelineService/Execute"

var executeDesc = grpc.StreamDesc{StreamName: "Execute", ClientStreams: true, ServerStreams: true}

// link is one stream of PipelineService/Execute to one node. Its node's writer sends, its own goroutine receives.
type link struct {
	node   *node
	conn   *watchedConn
	stream grpc.ClientStream
	cancel context.CancelFunc
	// With the dispatcher's lock: a frame came.
	answered bool
}

func openLink(ctx context.Context, node *node, conn *watchedConn) (*link, error) {
	ctx, cancel := context.WithCancel(ctx)
	stream, err := conn.NewStream(ctx, &executeDesc, executePath, grpc.ForceCodecV2(frameCodec{}))
	if err != nil {
		cancel()
		return nil, err
	}
	return &link{node: node, conn: conn, stream: stream, cancel: cancel}, nil
}

// send sends a frame. A stream that has ended says why to the receiver.
func (l *link) send(header frames.Header, calls []frames.Call) error {
	buffer := mem.DefaultBufferPool().Get(frames.Size(header, calls))
	frame := frames.Append((*buffer)[:0], header, calls)
	*buffer = frame
	return l.stream.SendMsg(outFrame{mem.NewBuffer(buffer, mem.DefaultBufferPool())})
}

// receive takes frames until the stream ends, and says why it did.
func (l *link) receive() error {
	var results []frames.Result
	for {
		var frame inFrame
		if err := l.stream.RecvMsg(&frame); err != nil {
			if errors.Is(err, io.EOF) {
				return &Error{Code: codes.Unavailable, Message: l.node.address + ": the server ended the stream", Retryable: true}
			}
			failed := statusError(err)
			failed.Message = l.node.address + ": " + failed.Message
			return failed
		}
		l.conn.heard()
		var err error
		if results, err = frames.Results(results[:0], frame.bytes); err == nil {
			err = l.node.takeResults(l, results)
		}
		clear(results) // Views that would keep the frame.
		if err != nil {
			return &Error{Code: codes.Unknown, Message: l.node.address + ": " + err.Error(), Cause: err}
		}
	}
}

// outFrame and inFrame are frames that are encoded already, and are not decoded.
type outFrame struct{ buffer mem.Buffer }
type inFrame struct{ bytes []byte }

var errNotAFrame = errors.New("gomsg: the codec of frames takes frames only")

// frameCodec passes frames on as they are.
type frameCodec struct{}

func (frameCodec) Marshal(value any) (mem.BufferSlice, error) {
	frame, ok := value.(outFrame)
	if !ok {
		return nil, errNotAFrame
	}
	return mem.BufferSlice{frame.buffer}, nil
}

// Unmarshal copies the frame out of the buffers of the connection: callers decode their results from it.
func (frameCodec) Unmarshal(data mem.BufferSlice, value any) error {
	frame, ok := value.(*inFrame)
	if !ok {
		return errNotAFrame
	}
	frame.bytes = data.Materialize()
	return nil
}

// Name is that of the encoding on the wire.
func (frameCodec) Name() string { return "proto" }
