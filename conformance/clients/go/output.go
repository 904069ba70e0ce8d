package main

import (
	"iter"
	"time"
	"unicode/utf8"

	conformancev1 "github.com/gomsg/gomsg/conformance/clients/go/gen/gomsg/conformance/v1"
	gomsg "github.com/gomsg/gomsg/sdks/go"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// give turns what a method returned into what the protocol tells.
func give[T any](out func(T) *conformancev1.Value) func(T, error) (*conformancev1.Value, error) {
	return func(value T, err error) (*conformancev1.Value, error) {
		if err != nil {
			return nil, err
		}
		return out(value), nil
	}
}

// nothing is give of a method that returns an error alone.
func nothing(err error) (*conformancev1.Value, error) { return nullOut(), err }

// collect is give of a method that yields.
func collect[T any](out func(T) *conformancev1.Value) func(iter.Seq2[T, error]) (*conformancev1.Value, error) {
	return func(elements iter.Seq2[T, error]) (*conformancev1.Value, error) {
		var values []*conformancev1.Value
		for element, err := range elements {
			if err != nil {
				return nil, err
			}
			values = append(values, out(element))
		}
		return valuesOut(values), nil
	}
}

func nullOut() *conformancev1.Value {
	return &conformancev1.Value{Kind: &conformancev1.Value_Null{Null: true}}
}

func textOut(value string) *conformancev1.Value {
	if !utf8.ValidString(value) { // Only a Go string holds that.
		return bytesOut([]byte(value))
	}
	return &conformancev1.Value{Kind: &conformancev1.Value_Text{Text: value}}
}

// plainTextOut is null where the bytes are no text.
func plainTextOut(value []byte) *conformancev1.Value {
	if !utf8.Valid(value) {
		return nullOut()
	}
	return textOut(string(value))
}

func bytesOut(value []byte) *conformancev1.Value {
	return &conformancev1.Value{Kind: &conformancev1.Value_Bytes{Bytes: value}}
}

func booleanOut(value bool) *conformancev1.Value {
	return &conformancev1.Value{Kind: &conformancev1.Value_Bool{Bool: value}}
}

func integer64Out(value int64) *conformancev1.Value {
	return &conformancev1.Value{Kind: &conformancev1.Value_Integer{Integer: value}}
}

func integerOut(value int) *conformancev1.Value { return integer64Out(int64(value)) }

func unsigned64Out(value uint64) *conformancev1.Value { return asInteger(value) }

func numberOut(value float64) *conformancev1.Value {
	return &conformancev1.Value{Kind: &conformancev1.Value_Number{Number: value}}
}

func durationOut(value time.Duration) *conformancev1.Value {
	if value == gomsg.NoDuration {
		return nullOut()
	}
	return &conformancev1.Value{Kind: &conformancev1.Value_Duration{Duration: durationpb.New(value)}}
}

func momentOut(value time.Time) *conformancev1.Value {
	if value.IsZero() {
		return nullOut()
	}
	return &conformancev1.Value{Kind: &conformancev1.Value_Timestamp{Timestamp: timestamppb.New(value)}}
}

func enumOut[T ~string](value T) *conformancev1.Value {
	if value == "" {
		return nullOut()
	}
	return textOut(string(value))
}

func pointerOut[T any](out func(T) *conformancev1.Value) func(*T) *conformancev1.Value {
	return func(value *T) *conformancev1.Value {
		if value == nil {
			return nullOut()
		}
		return out(*value)
	}
}

func optionalOut[T any](out func(T) *conformancev1.Value) func(gomsg.Optional[T]) *conformancev1.Value {
	return func(value gomsg.Optional[T]) *conformancev1.Value {
		if !value.Found {
			return nullOut()
		}
		return out(value.Value)
	}
}

func listOut[T any](out func(T) *conformancev1.Value) func([]T) *conformancev1.Value {
	return func(list []T) *conformancev1.Value {
		values := make([]*conformancev1.Value, len(list))
		for i, element := range list {
			values[i] = out(element)
		}
		return valuesOut(values)
	}
}

func valuesOut(values []*conformancev1.Value) *conformancev1.Value {
	return &conformancev1.Value{Kind: &conformancev1.Value_List{List: &conformancev1.Values{Values: values}}}
}

func mapOut[T any](entries map[string]T, out func(T) *conformancev1.Value) *conformancev1.Value {
	fields := make(map[string]*conformancev1.Value, len(entries))
	for name, value := range entries {
		fields[name] = out(value)
	}
	return fieldsOut(fields)
}

func fieldsOut(fields map[string]*conformancev1.Value) *conformancev1.Value {
	return &conformancev1.Value{Kind: &conformancev1.Value_Fields{Fields: &conformancev1.Fields{Fields: fields}}}
}

func queueMessageOut(message *gomsg.QueueMessage) *conformancev1.Value {
	if message == nil {
		return nullOut()
	}
	return fieldsOut(map[string]*conformancev1.Value{
		"id":               textOut(message.ID),
		"message_id":       textOut(message.MessageID),
		"queue":            textOut(message.Queue),
		"data":             plainTextOut(message.Data),
		"data_bytes":       bytesOut(message.Data),
		"headers":          mapOut(message.Headers, textOut),
		"priority":         integerOut(message.Priority),
		"attempt":          integerOut(message.Attempt),
		"pushed_at":        momentOut(message.PushedAt),
		"lease_expires_at": momentOut(message.LeaseExpiresAt),
	})
}

func streamMessageOut(message *gomsg.StreamMessage) *conformancev1.Value {
	if message == nil {
		return nullOut()
	}
	return fieldsOut(map[string]*conformancev1.Value{
		"id":           textOut(message.ID),
		"topic":        textOut(message.Topic),
		"partition":    integerOut(message.Partition),
		"offset":       unsigned64Out(message.Offset),
		"key":          textOut(message.Key),
		"data":         plainTextOut(message.Data),
		"data_bytes":   bytesOut(message.Data),
		"headers":      mapOut(message.Headers, textOut),
		"published_at": momentOut(message.PublishedAt),
	})
}
