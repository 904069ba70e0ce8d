package gomsg

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Ptr returns a pointer to a value, for options whose zero differs from leaving them out:
//
//	client.Queue.Create(ctx, "jobs", gomsg.QueueCreateOptions{MaxDeliveries: gomsg.Ptr(5)})
func Ptr[T any](value T) *T { return &value }

// Optional is an element of a list that may be nothing.
type Optional[T any] struct {
	// Value is the element; its zero where there is none.
	Value T
	// Found tells whether there is one.
	Found bool
}

// NoDuration is a duration that is not set: of a key that does not expire, or of a figure that does not apply.
const NoDuration time.Duration = -1

// NoTTL is what TTL returns for a key that does not expire.
const NoTTL = NoDuration

// durationOption is a duration whose zero leaves it out.
func durationOption(value time.Duration) *durationpb.Duration {
	if value == 0 {
		return nil
	}
	return durationpb.New(value)
}

// durationPtrOption is a duration that may be left out.
func durationPtrOption(value *time.Duration) *durationpb.Duration {
	if value == nil {
		return nil
	}
	return durationpb.New(*value)
}

// durationOf is the duration of a response; NoDuration when it is unset.
func durationOf(value *durationpb.Duration) time.Duration {
	if value == nil {
		return NoDuration
	}
	return value.AsDuration()
}

// timestampOption is a moment whose zero leaves it out.
func timestampOption(value time.Time) *timestamppb.Timestamp {
	if value.IsZero() {
		return nil
	}
	return timestamppb.New(value)
}

// timeOf is the moment of a response in UTC; zero when it is unset.
func timeOf(value *timestamppb.Timestamp) time.Time {
	if value == nil {
		return time.Time{}
	}
	return value.AsTime()
}

// number32 checks a number for a field of 32 bits without sign.
func number32(method, parameter string, value int) (uint32, error) {
	if value < 0 || uint64(value) > 1<<32-1 {
		return 0, invalid(method, parameter, "give 0 to %d, not %d", uint64(1<<32-1), value)
	}
	return uint32(value), nil
}

// number32Ptr is the same of a number that may be left out.
func number32Ptr(method, parameter string, value *int) (*uint32, error) {
	if value == nil {
		return nil, nil
	}
	number, err := number32(method, parameter, *value)
	return &number, err
}

// numbers32 is the same of a list.
func numbers32(method, parameter string, values []int) ([]uint32, error) {
	numbers := make([]uint32, len(values))
	for i, value := range values {
		var err error
		if numbers[i], err = number32(method, parameter, value); err != nil {
			return nil, err
		}
	}
	return numbers, nil
}

// oneOption returns the options of a call, which are given once or not at all.
func oneOption[T any](method string, options []T) (T, error) {
	switch len(options) {
	case 0:
		var none T
		return none, nil
	case 1:
		return options[0], nil
	}
	var none T
	return none, invalid(method, "options", "give them once, not %d times", len(options))
}

// converted returns each element of a list in its other form.
func converted[From, To any](from []From, convert func(From) To) []To {
	to := make([]To, len(from))
	for i, element := range from {
		to[i] = convert(element)
	}
	return to
}

// listToProto is the request's form of a list of messages.
func listToProto[From any, To any](
	method, parameter string, from []From, convert func(method, parameter string, from From) (*To, error),
) ([]*To, error) {
	to := make([]*To, len(from))
	for i, element := range from {
		var err error
		if to[i], err = convert(method, parameter, element); err != nil {
			return nil, err
		}
	}
	return to, nil
}

// messageOf is the SDK's form of a message; nil when it is unset.
func messageOf[From, To any](client *Client, from *From, convert func(*Client, *From) To) *To {
	if from == nil {
		return nil
	}
	to := convert(client, from)
	return &to
}

// messagesOf is the SDK's form of a list of messages.
func messagesOf[From, To any](client *Client, from []*From, convert func(*Client, *From) To) []To {
	return converted(from, func(element *From) To { return convert(client, element) })
}

// pointersOf is the same, of pointers.
func pointersOf[From, To any](client *Client, from []*From, convert func(*Client, *From) To) []*To {
	return converted(from, func(element *From) *To { return messageOf(client, element, convert) })
}

func intsOf(from []uint32) []int {
	return converted(from, func(number uint32) int { return int(number) })
}

func intPtrOf(from *uint32) *int {
	if from == nil {
		return nil
	}
	return Ptr(int(*from))
}

// firstOf is the first element of a list; its zero when there is none.
func firstOf[T any](list []T) (first T) {
	if len(list) > 0 {
		first = list[0]
	}
	return first
}

func countTrue(values ...bool) (count int) {
	for _, value := range values {
		if value {
			count++
		}
	}
	return count
}
