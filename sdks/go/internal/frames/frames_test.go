package frames_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"

	gomsgv1 "github.com/gomsg/gomsg/sdks/go/gen/gomsg/v1"
	"github.com/gomsg/gomsg/sdks/go/internal/frames"
	"google.golang.org/protobuf/proto"
)

func TestRequestFramesReadAsGeneratedCodeWritesThem(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		header := frames.Header{Session: pick64(random), AnsweredBelow: pick64(random), TopologyEpoch: pick64(random)}
		want := &gomsgv1.PipelineServiceExecuteRequest{
			SessionId: header.Session, AnsweredBelow: header.AnsweredBelow, TopologyEpoch: header.TopologyEpoch,
		}
		var calls []frames.Call
		for range random.IntN(5) {
			call := frames.Call{
				ID: uint32(pick64(random)), Method: random.Uint32N(600), Payload: make([]byte, random.IntN(300)),
				Sequence: pick64(random), TimeoutMS: uint32(pick64(random)), Retry: random.IntN(2) == 0,
			}
			calls = append(calls, call)
			want.Calls = append(want.Calls, &gomsgv1.PipelineCall{
				CallId: call.ID, Method: call.Method, Payload: call.Payload, Sequence: call.Sequence,
				TimeoutMs: call.TimeoutMS, Retry: call.Retry,
			})
		}
		frame := frames.Append(nil, header, calls)
		if len(frame) != frames.Size(header, calls) {
			t.Fatalf("Size says %d, the frame has %d bytes", frames.Size(header, calls), len(frame))
		}
		payloads := 0
		for _, call := range calls {
			payloads += len(call.Payload) + frames.MaxCallOverhead
		}
		if len(frame) > payloads+frames.MaxOverhead {
			t.Fatalf("a frame of %d bytes is over the bound of %d", len(frame), payloads+frames.MaxOverhead)
		}
		got := &gomsgv1.PipelineServiceExecuteRequest{}
		if err := proto.Unmarshal(frame, got); err != nil {
			t.Fatal(err)
		}
		for _, call := range want.Calls { // An empty payload is left out.
			if len(call.Payload) == 0 {
				call.Payload = nil
			}
		}
		if !proto.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}

func TestResponseFramesOfGeneratedCodeAreRead(t *testing.T) {
	failure := &gomsgv1.PipelineError{Code: 5, Message: "gone"}
	response := &gomsgv1.PipelineServiceExecuteResponse{Results: []*gomsgv1.PipelineResult{
		{CallId: 1, Payload: []byte("one")},
		{CallId: math.MaxUint32, Error: failure},
		{CallId: 3},
	}}
	// A field of a newer server, in the frame and in a result.
	response.ProtoReflect().SetUnknown([]byte{0x50, 0x01, 0x59, 1, 2, 3, 4, 5, 6, 7, 8})
	response.Results[0].ProtoReflect().SetUnknown([]byte{0x55, 1, 2, 3, 4})
	frame, err := proto.Marshal(response)
	if err != nil {
		t.Fatal(err)
	}
	results, err := frames.Results(nil, frame)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := proto.Marshal(failure)
	if err != nil {
		t.Fatal(err)
	}
	want := []frames.Result{{1, []byte("one"), false}, {math.MaxUint32, encoded, true}, {3, nil, false}}
	if len(results) != len(want) {
		t.Fatalf("got %d results, want %d", len(results), len(want))
	}
	for i, result := range results {
		if result.CallID != want[i].CallID || result.Failed != want[i].Failed || !bytes.Equal(result.Body, want[i].Body) {
			t.Errorf("result %d is %v, want %v", i, result, want[i])
		}
	}
}

func FuzzResultsNeverReadsBeyondAFrame(f *testing.F) {
	f.Add([]byte{0x0a, 0x05, 0x08, 0x01, 0x12, 0x01, 0x41})
	f.Add([]byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, frame []byte) {
		results, err := frames.Results(nil, frame)
		if err != nil {
			return
		}
		if err := proto.Unmarshal(frame, &gomsgv1.PipelineServiceExecuteResponse{}); err == nil && len(results) > len(frame) {
			t.Errorf("%d results of %d bytes", len(results), len(frame))
		}
	})
}

func pick64(random *rand.Rand) uint64 {
	return random.Uint64() >> random.IntN(65)
}
