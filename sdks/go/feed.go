package gomsg

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

// feed is one kind of stream: how it opens, what it yields, and where it goes on after a lost connection.
type feed[T any] interface {
	// open opens the stream where it is to go on, and returns once it is in place.
	open(ctx context.Context, conn *grpc.ClientConn, from *node) error
	// receive returns the items that came next; none where the server only says how far it is.
	receive(ctx context.Context) ([]T, error)
	// lost says that the stream is over, and why; open may follow.
	lost(err *Error)
	// survives tells that an error, which would be final otherwise, is mended by opening the stream again.
	survives(err *Error) bool
	// superseded tells that items which have not been handed out yet come again, to whoever has their place now.
	superseded() bool
	// reject gives an item back whose handler failed, and tells whether that is all there is to do about it.
	reject(item T, err error) bool
}

// plainFeed is a feed that goes on with its request, as `items` may have changed it.
type plainFeed[Response, T any] struct {
	connect func(ctx context.Context, conn grpc.ClientConnInterface) (grpc.ServerStreamingClient[Response], error)
	// Whether a message is the first, which says that the stream is in place; nil where the first is like the others.
	subscribed func(*Response) bool
	// The items of a message. Remembers where to go on.
	items func(*Response) []T
	// Gives an item back whose handler failed; nil where there is no such thing.
	giveBack func(item T, err error)

	stream grpc.ServerStreamingClient[Response]
	first  []T
}

func (f *plainFeed[Response, T]) open(ctx context.Context, conn *grpc.ClientConn, _ *node) error {
	stream, err := f.connect(ctx, conn)
	if err != nil {
		return err
	}
	response, err := stream.Recv()
	if err != nil {
		return err
	}
	if f.subscribed != nil && !f.subscribed(response) {
		return notSubscribed()
	}
	f.stream, f.first = stream, f.items(response)
	return nil
}

func (f *plainFeed[Response, T]) receive(context.Context) ([]T, error) {
	if items := f.first; len(items) > 0 {
		f.first = nil
		return items, nil
	}
	response, err := f.stream.Recv()
	if err != nil {
		return nil, err
	}
	return f.items(response), nil
}

// lost keeps the items of a first message that were not given out: they are resumed behind.
func (f *plainFeed[Response, T]) lost(*Error) { f.stream = nil }

func (f *plainFeed[Response, T]) survives(*Error) bool { return false }

func (f *plainFeed[Response, T]) superseded() bool { return false }

func (f *plainFeed[Response, T]) reject(item T, err error) bool {
	if f.giveBack == nil {
		return false
	}
	f.giveBack(item, err)
	return true
}

// notSubscribed is an end that trying again does not mend.
func notSubscribed() *Error {
	return &Error{Code: codes.Unimplemented, Message: "the first message of the stream does not say that it is in place"}
}
