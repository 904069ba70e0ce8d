package gomsg

import (
	"context"
	"errors"
	"sync"

	gomsgv1 "github.com/gomsg/gomsg/sdks/go/gen/gomsg/v1"
)

// membership is one open subscription in a consumer or group.
type membership struct {
	acks *acks
	id   string
	// The node that serves it, and how many connections to it were lost before.
	node   *node
	losses int
	// With the lock of its acks: it ended, or it ended because another one took its place.
	over, fenced bool
}

// acks commits the place of one consumer or group. Commits are cumulative, so at most one is on its way in each
// partition: those that come meanwhile share the next.
type acks struct {
	client          *Client
	topic, consumer string

	mu         sync.Mutex
	partitions map[uint32]*partitionAcks
}

type partitionAcks struct {
	flying, next *commit
}

type commit struct {
	membership *membership
	offset     uint64
	// Closed when the next commit may go.
	done chan struct{}
	err  error
}

func newAcks(client *Client, topic, consumer string) *acks {
	return &acks{client: client, topic: topic, consumer: consumer, partitions: make(map[uint32]*partitionAcks)}
}

// commit returns once the place behind the offset is committed.
func (a *acks) commit(membership *membership, partition uint32, offset uint64) error {
	a.mu.Lock()
	line := a.partitions[partition]
	if line == nil {
		line = &partitionAcks{}
		a.partitions[partition] = line
	}
	if joined := line.next; joined != nil {
		if offset > joined.offset {
			joined.offset, joined.membership = offset, membership
		}
		a.mu.Unlock()
		<-joined.done
		return joined.err
	}
	own := &commit{membership: membership, offset: offset, done: make(chan struct{})}
	before := line.flying
	if before == nil {
		line.flying = own
	} else {
		line.next = own
	}
	a.mu.Unlock()
	if before != nil {
		<-before.done
	}
	own.err = a.send(own, partition)
	a.mu.Lock()
	line.flying, line.next = line.next, nil
	a.mu.Unlock()
	close(own.done)
	return own.err
}

// send commits as the member that received the message. When that membership ended with a lost connection, it commits
// for the consumer or group: the message was processed all the same.
func (a *acks) send(commit *commit, partition uint32) error {
	request := &gomsgv1.StreamServiceAckRequest{
		Topic: a.topic, Consumer: a.consumer, Partition: partition, Offset: commit.offset,
	}
	member := commit.membership
	if !a.isOver(member) {
		request.MemberId = member.id
	}
	err := a.call(request)
	if request.MemberId != "" && errors.Is(err, ReasonMemberFenced) && a.isOver(member) {
		request.MemberId = ""
		err = a.call(request)
	}
	if errors.Is(err, ReasonMemberFenced) {
		a.mu.Lock()
		member.fenced = true
		a.mu.Unlock()
	}
	return err
}

// isFenced tells that another member has the place of this one.
func (a *acks) isFenced(member *membership) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return member.fenced
}

func (a *acks) call(request *gomsgv1.StreamServiceAckRequest) error {
	var response gomsgv1.StreamServiceAckResponse
	return a.client.unary(
		context.Background(), &rpcStreamAck, "stream.ack", request.Topic, 0, request, &response)
}

// isOver tells that the connection of a membership was lost, whether or not its subscription knows already.
func (a *acks) isOver(member *membership) bool {
	a.mu.Lock()
	over, fenced := member.over, member.fenced
	a.mu.Unlock()
	return !fenced && (over || member.node.lostLinks() != member.losses)
}

// end says that a membership is over; a fenced one can commit nothing more.
func (a *acks) end(member *membership, fenced bool) {
	a.mu.Lock()
	member.over, member.fenced = true, fenced
	a.mu.Unlock()
}

// settle waits for the commits that are on their way.
func (a *acks) settle(ctx context.Context) error {
	for {
		var flying *commit
		a.mu.Lock()
		for _, line := range a.partitions {
			if line.flying != nil {
				flying = line.flying
			}
		}
		a.mu.Unlock()
		if flying == nil {
			return nil
		}
		select {
		case <-flying.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
