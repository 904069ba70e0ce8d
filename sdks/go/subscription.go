package gomsg

import (
	"context"
	"iter"
)

// Subscription is a stream whose items go to a handler, one at a time and in order, on a goroutine of its own. It goes on
// over lost connections, until its context ends, it or the client is closed, or an error is final.
type Subscription struct {
	life *streamLife
	err  *Error
}

// Close ends the subscription and returns at once, so that a handler may call it. A handler that runs can still settle
// its item; Done tells when it has returned.
func (s *Subscription) Close() error {
	s.life.cancel(errSubscriptionClosed)
	return nil
}

// Done is closed when the subscription has ended and nothing of it runs any more.
func (s *Subscription) Done() <-chan struct{} { return s.life.done }

// Err returns why the subscription ended: nil while it runs, and when it was ended by its Close, by that of the client or
// by its context.
func (s *Subscription) Err() error {
	select {
	case <-s.life.done:
		if s.err != nil {
			return s.err
		}
	default:
	}
	return nil
}

// stream is what one streaming method is made of.
type stream[T any] struct {
	client *Client
	method string
	route  string
	feed   func() feed[T]
}

// subscribe returns once the stream is in place.
func (s stream[T]) subscribe(
	ctx context.Context, handler func(T), onError func(error, T), onReady func(),
) (*Subscription, error) {
	if handler == nil {
		return nil, invalid(s.method, "handler", "it is nil")
	}
	life, failed := s.client.beginStream(ctx, s.method, true)
	if failed != nil {
		return nil, failed
	}
	source := s.reader(life)
	stop := source.watch()
	if failed := source.place(); failed != nil {
		source.close()
		stop()
		s.client.endStream(life)
		return nil, failed
	}
	if onReady != nil {
		guarded(onReady)
	}
	subscription := &Subscription{life: life}
	go func() {
		defer s.client.endStream(life)
		defer stop()
		defer source.close()
		for {
			item, ok, failed := source.next()
			if ok {
				source.setHandling(true)
				failed = s.handle(source.feed, handler, onError, item)
				source.setHandling(false)
			} else if life.ctx.Err() != nil {
				return
			}
			if failed != nil {
				subscription.err = failed
			}
			if failed != nil || !ok {
				return
			}
		}
	}()
	return subscription, nil
}

// handle runs the handler, and returns an error when the subscription is to end because of it.
func (s stream[T]) handle(feed feed[T], handler func(T), onError func(error, T), item T) *Error {
	failed := s.run(handler, item)
	if failed == nil {
		return nil
	}
	settled := feed.reject(item, failed)
	if onError != nil {
		guarded(func() { onError(failed, item) })
		return nil
	}
	if settled {
		return nil
	}
	return failed
}

// run turns a panic of the handler into an error.
func (s stream[T]) run(handler func(T), item T) (failed *Error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		reason := recover()
		failed = failure(ReasonHandlerFailed, s.method, "the handler panicked: %v", reason)
		if cause, isError := reason.(error); isError {
			failed.Cause = cause
		}
	}()
	handler(item)
	returned = true
	return nil
}

// iterate opens the stream when the iteration begins and ends it with the iteration.
func (s stream[T]) iterate(ctx context.Context, onReady func()) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		life, failed := s.client.beginStream(ctx, s.method, false)
		if failed != nil {
			yield(none, failed)
			return
		}
		defer s.client.endStream(life)
		source := s.reader(life)
		defer source.watch()()
		defer source.close()
		if failed := source.place(); failed != nil {
			yield(none, failed)
			return
		}
		if onReady != nil {
			guarded(onReady)
		}
		for {
			item, ok, failed := source.next()
			if failed != nil {
				yield(none, failed)
			}
			if !ok {
				return
			}
			source.setHandling(true)
			more := yield(item, nil)
			source.setHandling(false)
			if !more {
				return
			}
		}
	}
}

func (s stream[T]) reader(life *streamLife) *reader[T] {
	return &reader[T]{client: s.client, method: s.method, route: s.route, life: life, feed: s.feed()}
}

// failedIteration yields the error of a parameter.
func failedIteration[T any](err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		yield(none, err)
	}
}
