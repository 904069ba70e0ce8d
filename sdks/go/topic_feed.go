package gomsg

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	gomsgv1 "github.com/gomsg/gomsg/sdks/go/gen/gomsg/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// gapPageMessages is how many messages one call reads of what was missed.
const gapPageMessages = 1_000

// topicFeed is a subscription of a topic. A named one goes on where the server has it: behind what was acknowledged.
//
// One without a name knows the offset that comes next in each partition. After a lost connection it subscribes anew
// behind the newest messages, is told where that is, and reads what lies between before it goes on: nothing is lost,
// nothing comes twice, and partitions that were added meanwhile are noticed.
type topicFeed struct {
	client  *Client
	request *gomsgv1.StreamServiceSubscribeRequest
	// Nil without a name.
	acks   *acks
	member *membership
	stream grpc.ServerStreamingClient[gomsgv1.StreamServiceSubscribeResponse]
	// Without a name: the next offset in each partition, once it was in place.
	next map[uint32]uint64
	gaps []gap
}

// gap is messages of one partition that were missed, up to and not including `end`.
type gap struct {
	partition uint32
	end       uint64
}

func newTopicFeed(client *Client, request *gomsgv1.StreamServiceSubscribeRequest) feed[*StreamMessage] {
	f := &topicFeed{client: client, request: proto.CloneOf(request)}
	if name := request.Consumer + request.Group; name != "" {
		f.acks = newAcks(client, request.Topic, name)
	}
	return f
}

func (f *topicFeed) open(ctx context.Context, conn *grpc.ClientConn, from *node) error {
	request := f.request
	losses := from.lostLinks()
	if f.acks != nil {
		if err := f.acks.settle(ctx); err != nil {
			return err
		}
	} else if f.next != nil {
		request = proto.CloneOf(request)
		request.Start = StartLatest().toProto()
	}
	stream, err := gomsgv1.NewStreamServiceClient(conn).Subscribe(ctx, request)
	if err != nil {
		return err
	}
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	if !first.Subscribed {
		return notSubscribed()
	}
	f.stream = stream
	if f.acks != nil {
		f.member = &membership{acks: f.acks, id: first.MemberId, node: from, losses: losses}
		return nil
	}
	return f.goOn(first.Assignment.GetPositions())
}

// goOn finds what was missed between the place that is known and the one where the server goes on.
func (f *topicFeed) goOn(positions []*gomsgv1.StreamPosition) error {
	f.gaps = nil
	isFirst := f.next == nil
	if isFirst {
		f.next = make(map[uint32]uint64, len(positions))
	}
	for _, position := range positions {
		next, known := f.next[position.Partition]
		switch {
		case isFirst:
			f.next[position.Partition] = position.Offset
		case known && next > position.Offset:
			err := failure(ReasonOffsetOutOfRange, "stream.subscribe",
				"partition %d of %s ends at offset %d, before %d, where the subscription was: it is not the same topic any more",
				position.Partition, f.request.Topic, position.Offset, next)
			err.Subject, err.NewestAvailable = f.request.Topic, position.Offset
			return err
		case next < position.Offset:
			// A partition that is not known was added meanwhile: all of it was missed.
			f.next[position.Partition] = next
			f.gaps = append(f.gaps, gap{position.Partition, position.Offset})
		}
	}
	return nil
}

func (f *topicFeed) receive(ctx context.Context) ([]*StreamMessage, error) {
	if len(f.gaps) > 0 {
		return f.readGap(ctx)
	}
	response, err := f.stream.Recv()
	if err != nil {
		return nil, err
	}
	if f.acks == nil {
		for _, position := range response.Assignment.GetPositions() {
			if _, known := f.next[position.Partition]; !known {
				f.next[position.Partition] = position.Offset
			}
		}
	}
	return f.messages(response.Messages), nil
}

// readGap reads some of the first gap. What retention has removed meanwhile is passed over, as it is by a slow reader.
func (f *topicFeed) readGap(ctx context.Context) ([]*StreamMessage, error) {
	gap := f.gaps[0]
	next := f.next[gap.partition]
	if next >= gap.end {
		f.gaps = f.gaps[1:]
		return nil, nil
	}
	request := &gomsgv1.StreamServiceReadRequest{
		Topic: f.request.Topic, Partition: gap.partition, Offset: next,
		Limit: uint32(min(gap.end-next, gapPageMessages)),
	}
	var response gomsgv1.StreamServiceReadResponse
	err := f.client.unary(ctx, &rpcStreamRead, "stream.subscribe", request.Topic, 0, request, &response)
	if failed := (*Error)(nil); errors.As(err, &failed) && failed.Reason == ReasonOffsetOutOfRange &&
		failed.OldestAvailable > next {
		f.next[gap.partition] = failed.OldestAvailable
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, message := range response.Messages {
		message.Topic = f.request.Topic
	}
	messages := f.messages(response.Messages)
	if response.NextOffset > f.next[gap.partition] {
		f.next[gap.partition] = response.NextOffset
	}
	return messages, nil
}

func (f *topicFeed) messages(from []*gomsgv1.StreamMessage) []*StreamMessage {
	messages := make([]*StreamMessage, len(from))
	for i, message := range from {
		if message.Topic == "" {
			message.Topic = f.request.Topic
		}
		messages[i] = newStreamMessage(f.client, message)
		messages[i].membership = f.member
		if f.next != nil {
			f.next[message.Partition] = message.Offset + 1
		}
	}
	return messages
}

func (f *topicFeed) lost(err *Error) {
	if f.member != nil {
		f.acks.end(f.member, err.Reason == ReasonMemberFenced)
	}
	f.stream, f.member = nil, nil
}

// survives: the place of a group's member is given away when its connection is lost; it joins again.
func (f *topicFeed) survives(err *Error) bool {
	return err.Reason == ReasonMemberFenced && f.request.Group != ""
}

// superseded: an acknowledgement was refused, so none of this membership counts any more.
func (f *topicFeed) superseded() bool { return f.member != nil && f.acks.isFenced(f.member) }

func (f *topicFeed) reject(*StreamMessage, error) bool { return false }

// validText cuts what is not UTF-8.
func validText(text string) string {
	if utf8.ValidString(text) {
		return text
	}
	return strings.ToValidUTF8(text, "")
}

// queueOf returns the queue of a delivery id, `queue#sequence.delivery`, by which calls about it are routed.
func queueOf(deliveryID string) string {
	if end := strings.LastIndexByte(deliveryID, '#'); end >= 0 {
		return deliveryID[:end]
	}
	return deliveryID
}
