package simulate

import (
	"iter"
	"slices"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// each gives the messages of a stream, in order, without keeping them.
func each(t testing.TB, o Options) iter.Seq[Message] {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return func(yield func(Message) bool) {
		for m, ok := s.Next(); ok && yield(m); m, ok = s.Next() {
		}
	}
}

// stream keeps them all: for short streams.
func stream(t testing.TB, o Options) []Message {
	t.Helper()
	return slices.Collect(each(t, o))
}
