package main

import (
	"errors"
	"fmt"

	conformancev1 "github.com/gomsg/gomsg/conformance/clients/go/gen/gomsg/conformance/v1"
	gomsg "github.com/gomsg/gomsg/sdks/go"
	"google.golang.org/grpc/codes"
)

func unknownMethod(name string) error { return fmt.Errorf("there is no method %s", name) }

// families are the SDK's own tests for errors.
var families = []gomsg.Family{
	gomsg.ErrInvalidArgument, gomsg.ErrFailedPrecondition, gomsg.ErrOutOfRange, gomsg.ErrNotFound, gomsg.ErrAlreadyExists,
	gomsg.ErrAborted, gomsg.ErrResourceExhausted, gomsg.ErrUnavailable, gomsg.ErrDeadlineExceeded, gomsg.ErrCanceled,
	gomsg.ErrUnimplemented, gomsg.ErrInternal, gomsg.ErrUnknown,
}

// errorOut tells an error as the SDK's user sees it.
func errorOut(err error) *conformancev1.Error {
	failed := (*gomsg.Error)(nil)
	if !errors.As(err, &failed) {
		return &conformancev1.Error{Code: uint32(codes.Unknown), Message: err.Error()}
	}
	out := &conformancev1.Error{
		Reason: string(failed.Reason), Code: uint32(failed.Code), Message: err.Error(), Subject: failed.Subject,
		Retryable: failed.Retryable, Method: failed.Method,
	}
	for _, family := range families {
		if errors.Is(err, family) {
			out.Family = string(family)
		}
	}
	return out
}
