package main

import (
	"fmt"
	"math"
	"time"

	conformancev1 "github.com/gomsg/gomsg/conformance/clients/go/gen/gomsg/conformance/v1"
	gomsg "github.com/gomsg/gomsg/sdks/go"
)

// input reads values of the protocol as the types of the SDK. Its first error stays: a value that Go's compiler would
// refuse never reaches the SDK.
type input struct {
	args []*conformancev1.Value
	err  error
}

func (in *input) fail(format string, args ...any) {
	if in.err == nil {
		in.err = fmt.Errorf(format, args...)
	}
}

func (in *input) unknownOption(name string) { in.fail("there is no option %s", name) }

func (in *input) wrong(value *conformancev1.Value, wanted string) {
	in.fail("%v is no %s: such a call does not compile", value, wanted)
}

func (in *input) arg(position int) *conformancev1.Value {
	if position >= len(in.args) {
		in.fail("argument %d is missing: such a call does not compile", position)
		return nil
	}
	return in.args[position]
}

func (in *input) text(value *conformancev1.Value) string {
	switch kind := value.GetKind().(type) {
	case *conformancev1.Value_Text:
		return kind.Text
	case *conformancev1.Value_Bytes:
		return string(kind.Bytes)
	}
	in.wrong(value, "string")
	return ""
}

func (in *input) bytes(value *conformancev1.Value) []byte { return []byte(in.text(value)) }

func (in *input) boolean(value *conformancev1.Value) bool {
	kind, ok := value.GetKind().(*conformancev1.Value_Bool)
	if !ok {
		in.wrong(value, "bool")
		return false
	}
	return kind.Bool
}

func (in *input) integer64(value *conformancev1.Value) int64 {
	kind, ok := value.GetKind().(*conformancev1.Value_Integer)
	if !ok {
		in.wrong(value, "int64")
		return 0
	}
	return kind.Integer
}

func (in *input) integer(value *conformancev1.Value) int { return int(in.integer64(value)) }

func (in *input) unsigned64(value *conformancev1.Value) uint64 {
	switch kind := value.GetKind().(type) {
	case *conformancev1.Value_Unsigned:
		return kind.Unsigned
	case *conformancev1.Value_Integer:
		if kind.Integer >= 0 {
			return uint64(kind.Integer)
		}
	}
	in.wrong(value, "uint64")
	return 0
}

func (in *input) number(value *conformancev1.Value) float64 {
	switch kind := value.GetKind().(type) {
	case *conformancev1.Value_Number:
		return kind.Number
	case *conformancev1.Value_Integer:
		return float64(kind.Integer)
	}
	in.wrong(value, "float64")
	return 0
}

func (in *input) duration(value *conformancev1.Value) time.Duration {
	kind, ok := value.GetKind().(*conformancev1.Value_Duration)
	if !ok {
		in.wrong(value, "time.Duration")
		return 0
	}
	return kind.Duration.AsDuration()
}

func (in *input) moment(value *conformancev1.Value) time.Time {
	kind, ok := value.GetKind().(*conformancev1.Value_Timestamp)
	if !ok {
		in.wrong(value, "time.Time")
		return time.Time{}
	}
	return kind.Timestamp.AsTime()
}

func (in *input) fields(value *conformancev1.Value) map[string]*conformancev1.Value {
	kind, ok := value.GetKind().(*conformancev1.Value_Fields)
	if !ok {
		in.wrong(value, "struct or map")
		return nil
	}
	return kind.Fields.GetFields()
}

// streamStart reads `{earliest: true}`, `{latest: true}`, `{offset: 5}` or `{time: …}`.
func (in *input) streamStart(value *conformancev1.Value) gomsg.StreamStart {
	fields := in.fields(value)
	if len(fields) != 1 {
		in.wrong(value, "StreamStart")
	}
	for name, place := range fields {
		switch name {
		case "earliest":
			return gomsg.StartEarliest()
		case "latest":
			return gomsg.StartLatest()
		case "offset":
			return gomsg.StartOffset(in.unsigned64(place))
		case "time":
			return gomsg.StartTime(in.moment(place))
		}
		in.unknownOption(name)
	}
	return gomsg.StreamStart{}
}

func listIn[T any](in *input, value *conformancev1.Value, each func(*conformancev1.Value) T) []T {
	kind, ok := value.GetKind().(*conformancev1.Value_List)
	if !ok {
		in.wrong(value, "slice")
		return nil
	}
	list := make([]T, 0, len(kind.List.GetValues()))
	for _, element := range kind.List.GetValues() {
		list = append(list, each(element))
	}
	return list
}

func mapIn[T any](in *input, value *conformancev1.Value, each func(*conformancev1.Value) T) map[string]T {
	entries := make(map[string]T)
	for name, element := range in.fields(value) {
		entries[name] = each(element)
	}
	return entries
}

// asInteger is an integer as the protocol has it.
func asInteger(number uint64) *conformancev1.Value {
	if number <= math.MaxInt64 {
		return integer64Out(int64(number))
	}
	return &conformancev1.Value{Kind: &conformancev1.Value_Unsigned{Unsigned: number}}
}
