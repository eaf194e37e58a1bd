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
		refuse := func(is func(schemas.Change) bool) {
			s.Refuse = func(c schemas.Change) string {
				if is(c) {
					return "refused by the test"
				}
				return ""
			}
		}
		return sinktest.Fixture{
			Open: func(_ *testing.T, core int32) sinktest.Store { s.CoreVersion = core; return s },
			Refuse: func(_ *testing.T, venue string) {
				refuse(func(c schemas.Change) bool { return c.Row != nil && string(c.Row.Venue) == venue })
			},
			RefuseNames: func(_ *testing.T, batter int64) {
				refuse(func(c schemas.Change) bool {
					return c.Op == schemas.OpIdentify && c.IDs.BatterID == schemas.Some(batter)
				})
			},
		}
	})
}
