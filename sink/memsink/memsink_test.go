package memsink

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/sinktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTheSuiteOfEveryStore(t *testing.T) {
	sinktest.Exercise(t, func(*testing.T) sinktest.Fixture {
		s := New()
		return sinktest.Fixture{
			Open: func(_ *testing.T, core int32) sinktest.Store { s.CoreVersion = core; return s },
			Refuse: func(_ *testing.T, venue string) {
				s.Refuse = func(c schemas.Change) string {
					if c.Row != nil && string(c.Row.Venue) == venue {
						return "refused by the test"
					}
					return ""
				}
			},
		}
	})
}
