package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	conformancev1 "github.com/gomsg/gomsg/conformance/clients/go/gen/gomsg/conformance/v1"
	gomsg "github.com/gomsg/gomsg/sdks/go"
)

var errAskedToFail = errors.New("the handler fails on purpose")

// openStream is one stream that the runner has open.
type openStream struct {
	name   string
	tell   func(*conformancev1.StreamEvent)
	ctx    context.Context
	cancel context.CancelFunc
	// Closed when its end was told.
	over chan struct{}

	mu    sync.Mutex
	items []any
}

func newOpenStream(name string, tell func(*conformancev1.StreamEvent)) *openStream {
	s := &openStream{name: name, tell: tell, over: make(chan struct{})}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// close returns once the stream has ended.
func (s *openStream) close() {
	s.cancel()
	<-s.over
}

func (s *openStream) event(event *conformancev1.StreamEvent) {
	event.Stream = s.name
	s.tell(event)
}

// end tells how it ended: without an error, also when the runner closed it.
func (s *openStream) end(err error) {
	if err != nil && s.ctx.Err() == nil {
		s.event(&conformancev1.StreamEvent{What: &conformancev1.StreamEvent_Failed{Failed: errorOut(err)}})
	} else {
		s.event(&conformancev1.StreamEvent{What: &conformancev1.StreamEvent_Ended{Ended: true}})
	}
	close(s.over)
}

func (s *openStream) settle(position uint32, action conformancev1.ItemAction) error {
	s.mu.Lock()
	if int(position) >= len(s.items) {
		s.mu.Unlock()
		return fmt.Errorf("the stream %s has no item %d", s.name, position)
	}
	item := s.items[position]
	s.mu.Unlock()
	return settle(item, action)
}

func settle(item any, action conformancev1.ItemAction) error {
	switch action {
	case conformancev1.ItemAction_ITEM_ACTION_ACK:
		if item, ok := item.(interface{ Ack() error }); ok {
			return item.Ack()
		}
	case conformancev1.ItemAction_ITEM_ACTION_NACK:
		if item, ok := item.(*gomsg.QueueMessage); ok {
			return item.Nack()
		}
	default:
		return nil
	}
	return fmt.Errorf("%T knows no %v", item, action)
}

// runStream opens a stream in the asked form and reports what it yields.
func runStream[T any](
	s *openStream, request *conformancev1.OpenStream, out func(T) *conformancev1.Value,
	subscribe func(handler func(T), onError func(error, T)) (*gomsg.Subscription, error),
	iterate func(ready func()) iter.Seq2[T, error],
) error {
	take := func(item T) {
		s.mu.Lock()
		s.items = append(s.items, item)
		s.mu.Unlock()
		s.event(&conformancev1.StreamEvent{What: &conformancev1.StreamEvent_Item{Item: out(item)}})
		if request.Each == conformancev1.ItemAction_ITEM_ACTION_FAIL {
			panic(errAskedToFail)
		}
		if err := settle(item, request.Each); err != nil {
			panic(err)
		}
	}
	if request.Form == conformancev1.StreamForm_STREAM_FORM_ITERATOR {
		return runIteration(s, take, iterate)
	}
	var onError func(error, T)
	if request.HandleErrors {
		onError = func(err error, _ T) {
			s.event(&conformancev1.StreamEvent{What: &conformancev1.StreamEvent_Handled{Handled: errorOut(err)}})
		}
	}
	subscription, err := subscribe(take, onError)
	if err != nil {
		close(s.over)
		return err
	}
	go func() {
		<-subscription.Done()
		s.end(subscription.Err())
	}()
	return nil
}

func runIteration[T any](s *openStream, take func(T), iterate func(ready func()) iter.Seq2[T, error]) error {
	ready := make(chan struct{})
	placed := make(chan error, 1)
	go func() {
		var failed error
		for item, err := range iterate(func() { close(ready) }) {
			if err == nil {
				err = taken(take, item)
			}
			if err != nil {
				failed = err
				break
			}
		}
		select {
		case <-ready:
			s.end(failed)
		default:
			close(s.over)
			placed <- failed
		}
	}()
	select {
	case <-ready:
		return nil
	case err := <-placed:
		return err
	}
}

// taken is what the body of a loop does that ends with the error of its item.
func taken[T any](take func(T), item T) (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("%v", reason)
		}
	}()
	take(item)
	return nil
}
