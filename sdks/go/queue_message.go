package gomsg

import (
	"context"
	"errors"
	"time"

	gomsgv1 "github.com/gomsg/gomsg/sdks/go/gen/gomsg/v1"
)

// maxNackErrorBytes is the most that a message keeps of why it was given back.
const maxNackErrorBytes = 1024

// QueueMessage is one hand-out of a message to this consumer, to be settled by Ack or Nack before its lease ends.
type QueueMessage struct {
	// ID of this delivery, for Ack, Nack and Extend of the queue client: `queue#sequence.delivery`. It never comes twice.
	ID string
	// MessageID is `queue#sequence`, the same in every delivery of the message.
	MessageID string
	// Queue is the name of the queue.
	Queue string
	// Data is the payload as it was pushed.
	Data []byte
	// Headers as they were pushed.
	Headers map[string]string
	// Priority as it was pushed.
	Priority int
	// Attempt says which delivery of the message this is since it was pushed or redriven, from 1.
	Attempt int
	// PushedAt is when the message was pushed.
	PushedAt time.Time
	// LeaseExpiresAt is when the lease ends.
	LeaseExpiresAt time.Time

	client *Client
}

func newQueueMessage(client *Client, from *gomsgv1.QueueDelivery) *QueueMessage {
	return &QueueMessage{
		ID: from.DeliveryId, MessageID: from.MessageId, Queue: from.Queue, Data: from.Payload, Headers: from.Headers,
		Priority: int(from.Priority), Attempt: int(from.Attempt),
		PushedAt: timeOf(from.PushedAt), LeaseExpiresAt: timeOf(from.LeaseExpiresAt), client: client,
	}
}

// Ack settles the delivery: the message is done and removed. Fails with DELIVERY_NOT_FOUND when it was settled already
// or its lease ran out. The client's Timeout holds.
func (m *QueueMessage) Ack() error {
	if m.client == nil {
		return notDelivered("queue.ack")
	}
	return m.client.Queue.Ack(context.Background(), m.ID)
}

// Nack gives the delivery back: the message becomes ready again at once, after the option Delay, or after the backoff of
// the queue. Fails with DELIVERY_NOT_FOUND. The client's Timeout holds.
func (m *QueueMessage) Nack(options ...QueueNackOptions) error {
	if m.client == nil {
		return notDelivered("queue.nack")
	}
	return m.client.Queue.Nack(context.Background(), m.ID, options...)
}

// Extend lets the lease end the given time from now, and returns that moment. Fails with DELIVERY_NOT_FOUND. The
// client's Timeout holds.
func (m *QueueMessage) Extend(lease time.Duration) (time.Time, error) {
	if m.client == nil {
		return time.Time{}, notDelivered("queue.extend")
	}
	return m.client.Queue.Extend(context.Background(), m.ID, lease)
}

// notDelivered is the error of a message that a program made itself, such as for a test of its handler.
func notDelivered(method string) error {
	return invalid(method, "message", "no client delivered it")
}

// rejectDelivery gives a delivery back whose handler failed. One that cannot be given back comes again when its lease
// ends.
func rejectDelivery(message *QueueMessage, err error) {
	text := err.Error()
	if failed := (*Error)(nil); errors.As(err, &failed) {
		text = failed.Message
	}
	if len(text) > maxNackErrorBytes {
		text = text[:maxNackErrorBytes]
	}
	if failed := message.Nack(QueueNackOptions{Error: validText(text)}); failed != nil {
		message.client.options.Hooks.log("a delivery could not be given back: " + failed.Error())
	}
}
