package gomsg

import (
	"context"
	"errors"
	"testing"

	"google.golang.org/grpc/codes"
)

func TestADeadlineIsTheContextsWhoeverNoticedIt(t *testing.T) {
	if err := serverError(codes.DeadlineExceeded, "too late", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v is none", err)
	}
	if err := serverError(codes.Unavailable, "gone", nil); errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v is one", err)
	}
}
