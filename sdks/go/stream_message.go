package gomsg

import (
	"strconv"
	"time"

	gomsgv1 "github.com/gomsg/gomsg/sdks/go/gen/gomsg/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// StreamMessage is a message of a topic.
type StreamMessage struct {
	// ID is `topic#partition.offset`.
	ID string
	// Topic is the name of the topic.
	Topic string
	// Partition of the message.
	Partition int
	// Offset of the message in its partition.
	Offset uint64
	// Key as it was published; empty = none.
	Key string
	// Data is the payload as it was published.
	Data []byte
	// Headers as they were published.
	Headers map[string]string
	// PublishedAt is when it was appended, by the clock of the leader; it never decreases within a partition.
	PublishedAt time.Time

	membership *membership
}

func newStreamMessage(_ *Client, from *gomsgv1.StreamMessage) *StreamMessage {
	id := make([]byte, 0, len(from.Topic)+24)
	id = append(append(id, from.Topic...), '#')
	id = append(strconv.AppendUint(id, uint64(from.Partition), 10), '.')
	id = strconv.AppendUint(id, from.Offset, 10)
	return &StreamMessage{
		ID: string(id), Topic: from.Topic, Partition: int(from.Partition), Offset: from.Offset, Key: from.Key,
		Data: from.Payload, Headers: from.Headers, PublishedAt: timeOf(from.PublishedAt),
	}
}

// Ack commits the place of the consumer or group behind the message: it and every one before it in its partition are
// processed. It returns once that is committed; calls for one partition share a commit while another one is on its way.
// On a message of a subscription without a name, or one that was read, there is nothing to commit, and it succeeds.
// Fails with MEMBER_FENCED when the partition went to another member. The client's Timeout holds.
func (m *StreamMessage) Ack() error {
	if m.membership == nil {
		return nil
	}
	return m.membership.acks.commit(m.membership, uint32(m.Partition), m.Offset)
}

// StreamStart is a place in a topic: made by StartEarliest, StartLatest, StartOffset or StartTime. Its zero is none.
type StreamStart struct {
	start *gomsgv1.StreamStart
}

// StartEarliest is the oldest message that is kept.
func StartEarliest() StreamStart {
	return StreamStart{&gomsgv1.StreamStart{Position: &gomsgv1.StreamStart_Earliest{Earliest: true}}}
}

// StartLatest is behind the newest message.
func StartLatest() StreamStart {
	return StreamStart{&gomsgv1.StreamStart{Position: &gomsgv1.StreamStart_Latest{Latest: true}}}
}

// StartOffset is an offset, in every partition that is asked for.
func StartOffset(offset uint64) StreamStart {
	return StreamStart{&gomsgv1.StreamStart{Position: &gomsgv1.StreamStart_Offset{Offset: offset}}}
}

// StartTime is the first message published at or after a moment.
func StartTime(moment time.Time) StreamStart {
	return StreamStart{&gomsgv1.StreamStart{Position: &gomsgv1.StreamStart_Time{Time: timestamppb.New(moment)}}}
}

func (s StreamStart) toProto() *gomsgv1.StreamStart { return s.start }
