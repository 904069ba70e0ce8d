package main

import (
	"encoding/json"
	"fmt"

	"github.com/anishathalye/porcupine"
)

// The models of register.ts and counter.ts, written anew.
func modelOf(name string) (porcupine.Model, decoder, error) {
	switch name {
	case "register":
		return registerModel, decodeRegister, nil
	case "counter":
		return counterModel, decodeCounter, nil
	}
	return porcupine.Model{}, nil, fmt.Errorf("no model is called %q: register or counter", name)
}

// text is a value that may be absent, which JSON calls null.
type text struct {
	value   string
	present bool
}

func textOf(value *string) text {
	if value == nil {
		return text{}
	}
	return text{*value, true}
}

func (t text) String() string {
	if !t.present {
		return "null"
	}
	return fmt.Sprintf("%q", t.value)
}

type registerInput struct {
	key, kind       string
	value, expected text
}

type registerOutput struct {
	value   text
	applied bool
}

func decodeRegister(key string, input, output json.RawMessage) (any, any, error) {
	var in struct {
		Kind            string
		Value, Expected *string
	}
	if err := json.Unmarshal(input, &in); err != nil {
		return nil, nil, err
	}
	decoded := registerInput{key, in.Kind, textOf(in.Value), textOf(in.Expected)}
	if output == nil {
		return decoded, nil, nil
	}
	var out struct {
		Value   *string
		Applied bool
	}
	if err := json.Unmarshal(output, &out); err != nil {
		return nil, nil, err
	}
	return decoded, registerOutput{textOf(out.Value), out.Applied}, nil
}

var registerModel = porcupine.Model{
	Partition: partition(func(input any) string { return input.(registerInput).key }),
	Init:      func() any { return text{} },
	Step: func(state, input, output any) (bool, any) {
		now, in := state.(text), input.(registerInput)
		out, known := output.(registerOutput)
		switch in.kind {
		case "get":
			return !known || out.value == now, now
		case "set":
			return true, in.value
		case "delete":
			return !known || out.applied == now.present, text{}
		case "cas":
			applied := now == in.expected
			if known && out.applied != applied {
				return false, now
			}
			if applied {
				return true, in.value
			}
			return true, now
		}
		return false, now
	},
	DescribeOperation: func(input, output any) string {
		in := input.(registerInput)
		out, known := output.(registerOutput)
		if !known {
			return fmt.Sprintf("%s(%s) → ?", in.kind, in.value)
		}
		return fmt.Sprintf("%s(%s) → %s, %t", in.kind, in.value, out.value, out.applied)
	},
}

type counterInput struct {
	key, kind string
	delta     int64
}

func decodeCounter(key string, input, output json.RawMessage) (any, any, error) {
	var in struct {
		Kind  string
		Delta int64
	}
	if err := json.Unmarshal(input, &in); err != nil {
		return nil, nil, err
	}
	decoded := counterInput{key, in.Kind, in.Delta}
	if output == nil {
		return decoded, nil, nil
	}
	var out struct{ Value int64 }
	if err := json.Unmarshal(output, &out); err != nil {
		return nil, nil, err
	}
	return decoded, out.Value, nil
}

var counterModel = porcupine.Model{
	Partition: partition(func(input any) string { return input.(counterInput).key }),
	Init:      func() any { return int64(0) },
	Step: func(state, input, output any) (bool, any) {
		in := input.(counterInput)
		next := state.(int64) + in.delta
		value, known := output.(int64)
		return !known || value == next, next
	},
	DescribeOperation: func(input, output any) string {
		in := input.(counterInput)
		return fmt.Sprintf("%s(%d) → %v", in.kind, in.delta, output)
	},
}

func partition(keyOf func(input any) string) func([]porcupine.Operation) [][]porcupine.Operation {
	return func(history []porcupine.Operation) [][]porcupine.Operation {
		byKey := map[string][]porcupine.Operation{}
		for _, operation := range history {
			key := keyOf(operation.Input)
			byKey[key] = append(byKey[key], operation)
		}
		parts := make([][]porcupine.Operation, 0, len(byKey))
		for _, part := range byKey {
			parts = append(parts, part)
		}
		return parts
	}
}
