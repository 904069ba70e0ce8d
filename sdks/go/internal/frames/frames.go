// Package frames writes and reads the envelope of the pipeline by hand: PipelineServiceExecuteRequest out,
// PipelineServiceExecuteResponse in.
//
// Every call passes here twice, hundreds of thousands of times a second. A general encoder would make a message and a
// copy of each payload; this one writes a frame in one pass into one buffer of its exact size. Tests hold both
// directions against the generated code.
package frames

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

// Tags of the fields, as in gomsg/v1/pipeline.proto: field << 3 | wire type.
const (
	sessionIDTag     = 0x09
	answeredBelowTag = 0x10
	callTag          = 0x1a
	epochTag         = 0x20

	callIDTag      = 0x08
	callMethodTag  = 0x10
	callPayloadTag = 0x1a
	sequenceTag    = 0x20
	timeoutTag     = 0x28
	retryTag       = 0x30

	resultTag        = 0x0a
	resultCallIDTag  = 0x08
	resultPayloadTag = 0x12
	resultErrorTag   = 0x1a
)

// MaxCallOverhead is the most bytes that a call takes in a frame beside its payload.
const MaxCallOverhead = 48

// MaxOverhead is the most bytes that a frame takes beside its calls.
const MaxOverhead = 36

// Header says what all calls of a frame share; see PipelineServiceExecuteRequest. Zeros are left out.
type Header struct {
	Session       uint64
	AnsweredBelow uint64
	TopologyEpoch uint64
}

// Call is what a frame says of one call; see PipelineCall. Zeros are left out.
type Call struct {
	ID        uint32
	Method    uint32
	Payload   []byte
	Sequence  uint64
	TimeoutMS uint32
	Retry     bool
}

// Size returns the exact number of bytes that Append adds.
func Size(header Header, calls []Call) int {
	size := 0
	if header.Session != 0 {
		size += 9
	}
	if header.AnsweredBelow != 0 {
		size += 1 + varintSize(header.AnsweredBelow)
	}
	for i := range calls {
		body := calls[i].size()
		size += 1 + varintSize(uint64(body)) + body
	}
	if header.TopologyEpoch != 0 {
		size += 1 + varintSize(header.TopologyEpoch)
	}
	return size
}

// Append adds a request frame to a buffer.
func Append(frame []byte, header Header, calls []Call) []byte {
	if header.Session != 0 {
		frame = binary.LittleEndian.AppendUint64(append(frame, sessionIDTag), header.Session)
	}
	if header.AnsweredBelow != 0 {
		frame = binary.AppendUvarint(append(frame, answeredBelowTag), header.AnsweredBelow)
	}
	for i := range calls {
		frame = calls[i].append(frame)
	}
	if header.TopologyEpoch != 0 {
		frame = binary.AppendUvarint(append(frame, epochTag), header.TopologyEpoch)
	}
	return frame
}

func (c *Call) size() int {
	size := 2 + varintSize(uint64(c.ID)) + varintSize(uint64(c.Method))
	if length := len(c.Payload); length > 0 {
		size += 1 + varintSize(uint64(length)) + length
	}
	if c.Sequence > 0 {
		size += 1 + varintSize(c.Sequence)
	}
	if c.TimeoutMS > 0 {
		size += 1 + varintSize(uint64(c.TimeoutMS))
	}
	if c.Retry {
		size += 2
	}
	return size
}

func (c *Call) append(frame []byte) []byte {
	frame = binary.AppendUvarint(append(frame, callTag), uint64(c.size()))
	frame = binary.AppendUvarint(append(frame, callIDTag), uint64(c.ID))
	frame = binary.AppendUvarint(append(frame, callMethodTag), uint64(c.Method))
	if len(c.Payload) > 0 {
		frame = binary.AppendUvarint(append(frame, callPayloadTag), uint64(len(c.Payload)))
		frame = append(frame, c.Payload...)
	}
	if c.Sequence > 0 {
		frame = binary.AppendUvarint(append(frame, sequenceTag), c.Sequence)
	}
	if c.TimeoutMS > 0 {
		frame = binary.AppendUvarint(append(frame, timeoutTag), uint64(c.TimeoutMS))
	}
	if c.Retry {
		frame = append(frame, retryTag, 1)
	}
	return frame
}

func varintSize(value uint64) int {
	return (bits.Len64(value|1) + 6) / 7
}

// Result is one result of a response frame. Body is the encoded response message, or the encoded PipelineError when
// Failed: a view into the frame.
type Result struct {
	CallID uint32
	Body   []byte
	Failed bool
}

var errMalformed = errors.New("a frame of results is malformed")

// Results appends the results of a response frame to a slice. Fields of a newer server are passed over.
func Results(into []Result, frame []byte) ([]Result, error) {
	for len(frame) > 0 {
		tag, body, rest, err := field(frame)
		if err != nil {
			return into, err
		}
		frame = rest
		if tag != resultTag {
			continue
		}
		result, err := readResult(body)
		if err != nil {
			return into, err
		}
		into = append(into, result)
	}
	return into, nil
}

func readResult(body []byte) (Result, error) {
	var result Result
	for len(body) > 0 {
		if body[0] == resultCallIDTag {
			id, n := binary.Uvarint(body[1:])
			if n <= 0 || id > 1<<32-1 {
				return result, errMalformed
			}
			result.CallID = uint32(id)
			body = body[1+n:]
			continue
		}
		tag, value, rest, err := field(body)
		if err != nil {
			return result, err
		}
		switch {
		case tag == resultErrorTag:
			result.Body, result.Failed = value, true
		case tag == resultPayloadTag && !result.Failed:
			result.Body = value
		}
		body = rest
	}
	return result, nil
}

const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

// field takes one field; value is its content where it has a length, and nil otherwise.
func field(data []byte) (tag uint64, value, rest []byte, err error) {
	tag, n := binary.Uvarint(data)
	if n <= 0 {
		return 0, nil, nil, errMalformed
	}
	data = data[n:]
	skip := 0
	switch tag & 7 {
	case wireVarint:
		if _, skip = binary.Uvarint(data); skip <= 0 {
			return 0, nil, nil, errMalformed
		}
	case wireFixed64:
		skip = 8
	case wireFixed32:
		skip = 4
	case wireBytes:
		length, n := binary.Uvarint(data)
		if n <= 0 || length > uint64(len(data)-n) {
			return 0, nil, nil, errMalformed
		}
		end := n + int(length)
		return tag, data[n:end:end], data[end:], nil
	default:
		return 0, nil, nil, errMalformed
	}
	if skip > len(data) {
		return 0, nil, nil, errMalformed
	}
	return tag, nil, data[skip:], nil
}
