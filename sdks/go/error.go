package gomsg

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	gomsgv1 "github.com/gomsg/gomsg/sdks/go/gen/gomsg/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Reason says why a call failed, as one name of the error catalogue, such as "KEY_NOT_FOUND". Test for one with
// errors.Is:
//
//	if errors.Is(err, gomsg.ReasonConditionFailed) { … }
//
// It is empty where the failure is of the connection or of a proxy, not of gomsg.
type Reason string

// Error makes a Reason a target of errors.Is.
func (r Reason) Error() string { return "gomsg: " + string(r) }

// Family is what the reasons of one gRPC code have in common, such as ErrNotFound. Test for one with errors.Is:
//
//	if errors.Is(err, gomsg.ErrNotFound) { … }
type Family string

// Error makes a Family a target of errors.Is.
func (f Family) Error() string { return "gomsg: " + strings.ReplaceAll(string(f), "_", " ") }

// Error is a failed call. Reason says why in a way that programs can decide on; the text is for people. A timeout or a
// lost connection never says that a write did not happen.
type Error struct {
	// Reason is why the call failed; empty when the failure is of the connection or of a proxy.
	Reason Reason
	// Code is the canonical gRPC code.
	Code codes.Code
	// Method is the call, such as "kv.get".
	Method string
	// Subject is what the reason is about: the key, queue, topic, parameter or node. Empty when it is the call as a whole.
	Subject string
	// Message says what happened.
	Message string
	// Action says what to do about it, as one sentence; empty when the catalogue has no advice.
	Action string
	// Retryable tells whether the same call can succeed later without any change to it.
	Retryable bool
	// RetryAfter is how long to wait before the next try; 0 = at once.
	RetryAfter time.Duration
	// Leader is `host:port` of the leader, with NOT_LEADER, when it is known.
	Leader string
	// CurrentVersion is the version of the key, with CONDITION_FAILED on a key that exists.
	CurrentVersion uint64
	// OldestAvailable is the oldest revision or offset that can still be read, with COMPACTED and OFFSET_OUT_OF_RANGE.
	OldestAvailable uint64
	// NewestAvailable is the newest revision, or the offset that the next message gets, with COMPACTED,
	// OFFSET_OUT_OF_RANGE, and CONDITION_FAILED on an expected offset.
	NewestAvailable uint64
	// Cause is what led to the failure; nil when there is nothing more to say.
	Cause error
}

// Error says which call failed, what happened and what to do.
func (e *Error) Error() string {
	var text strings.Builder
	text.WriteString("gomsg: ")
	if e.Method != "" {
		text.WriteString(e.Method)
		text.WriteString(": ")
	}
	text.WriteString(e.Message)
	if e.Reason != "" {
		fmt.Fprintf(&text, " (%s)", string(e.Reason))
	}
	if e.Action != "" {
		text.WriteString(". ")
		text.WriteString(e.Action)
	}
	return text.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Is tells whether the target is the error's Reason or its Family. A missed deadline is context.DeadlineExceeded too,
// whether it was the client or the server that noticed first.
func (e *Error) Is(target error) bool {
	if target == context.DeadlineExceeded {
		return e.Code == codes.DeadlineExceeded
	}
	switch target := target.(type) {
	case Reason:
		return target == e.Reason
	case Family:
		return target == familyOf(e.Code)
	}
	return false
}

func familyOf(code codes.Code) Family {
	if family, known := familyByCode(code); known {
		return family
	}
	return ErrUnknown
}

// reasonInfo is what the catalogue says of one reason.
type reasonInfo struct {
	number    int32
	reason    Reason
	code      codes.Code
	retryable bool
	action    string
}

var (
	reasonByName   = indexed(func(info *reasonInfo) Reason { return info.reason })
	reasonByNumber = indexed(func(info *reasonInfo) int32 { return info.number })
)

func indexed[K comparable](key func(*reasonInfo) K) map[K]*reasonInfo {
	index := make(map[K]*reasonInfo, len(catalogue))
	for i := range catalogue {
		index[key(&catalogue[i])] = &catalogue[i]
	}
	return index
}

// failure makes an error of the client's own.
func failure(reason Reason, method, format string, args ...any) *Error {
	err := &Error{Reason: reason, Method: method, Code: codes.Unknown, Message: fmt.Sprintf(format, args...)}
	if info := reasonByName[reason]; info != nil {
		err.Code, err.Retryable, err.Action = info.code, info.retryable, info.action
	}
	return err
}

// invalid is the error of a parameter that cannot be sent.
func invalid(method, parameter, format string, args ...any) *Error {
	err := failure(ReasonInvalidRequest, method, parameter+": "+format, args...)
	err.Subject = parameter
	return err
}

// serverError is what a server answered.
func serverError(code codes.Code, message string, detail *gomsgv1.ErrorDetail) *Error {
	err := &Error{Code: code, Message: message, Retryable: code == codes.Unavailable}
	if detail == nil || detail.Reason == gomsgv1.ErrorReason_ERROR_REASON_UNSPECIFIED {
		return err
	}
	if info := reasonByNumber[int32(detail.Reason)]; info != nil {
		err.Reason, err.Retryable, err.Action = info.reason, info.retryable, info.action
	} else { // Of a newer server.
		err.Reason = Reason(fmt.Sprintf("REASON_%d", int32(detail.Reason)))
	}
	err.Subject = detail.Subject
	err.RetryAfter = detail.RetryAfter.AsDuration()
	err.Leader = detail.Leader.GetAddress()
	err.CurrentVersion = detail.CurrentVersion
	err.OldestAvailable = detail.OldestAvailable
	err.NewestAvailable = detail.NewestAvailable
	return err
}

// statusError is the error that a gRPC call ended with.
func statusError(err error) *Error {
	if known := (*Error)(nil); errors.As(err, &known) {
		return known
	}
	state, isStatus := status.FromError(err)
	if !isStatus {
		return &Error{Code: codes.Unavailable, Message: err.Error(), Retryable: true, Cause: err}
	}
	var detail *gomsgv1.ErrorDetail
	for _, each := range state.Details() {
		if typed, ok := each.(*gomsgv1.ErrorDetail); ok {
			detail = typed
			break
		}
	}
	failed := serverError(state.Code(), state.Message(), detail)
	failed.Cause = err
	return failed
}

// hasNoLeader tells that a node has no leader to offer, neither itself nor another: it may be cut off from those who have.
func (e *Error) hasNoLeader() bool {
	return e.Reason == ReasonNoQuorum || e.Reason == ReasonNotLeader && e.Leader == ""
}

// finalCodes are ends of a connection or stream without a reason that trying again would not mend.
func isFinalCode(code codes.Code) bool {
	switch code {
	case codes.InvalidArgument, codes.PermissionDenied, codes.FailedPrecondition, codes.OutOfRange,
		codes.Unimplemented, codes.Unauthenticated:
		return true
	}
	return false
}

const mayBeApplied = "; the write may still be applied"

// contextError is that of a call whose context has ended.
func contextError(ctx context.Context, method string, applied bool) *Error {
	cause := context.Cause(ctx)
	outcome := ""
	if applied {
		outcome = mayBeApplied
	}
	var err *Error
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = failure(ReasonDeadlineExceeded, method, "no answer before the deadline of the context%s", outcome)
	} else {
		err = failure(ReasonCanceled, method, "the context was canceled%s", outcome)
	}
	err.Cause = cause
	return err
}

// of returns the error as that of one call.
func (e *Error) of(method string) *Error {
	if e == nil || e.Method != "" {
		return e
	}
	copied := *e
	copied.Method = method
	return &copied
}
