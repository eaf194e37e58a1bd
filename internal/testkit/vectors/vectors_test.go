package vectors

import (
	"testing"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/features/reference"
	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// The reference models compute a correct state. Check must accept it and report every change of it.
func TestCheckReportsEveryDifference(t *testing.T) {
	for _, s := range Streams(t) {
		var changes []schemas.Change
		var state State
		for _, r := range s.Records {
			c, rej := features.Transform(r, features.Limits{})
			if rej != nil {
				state.DeadLetters = append(state.DeadLetters, DeadLetter{r.Partition, r.Offset, rej.Code})
				continue
			}
			changes = append(changes, c)
		}
		state.Rows = reference.Resolve(changes)
		state.Batters, state.Games = reference.Fold(state.Rows)
		s.Check(t, state)

		fails := func(what string, change func(*State)) {
			wrong := state
			wrong.Rows = append([]schemas.StoredRow(nil), state.Rows...)
			change(&wrong)
			silent := &counter{TB: t}
			s.Check(silent, wrong)
			if silent.errors == 0 {
				t.Errorf("%s: Check did not report %s", s.Name, what)
			}
		}
		fails("a changed row", func(w *State) { w.Rows[0].BatSamples++ })
		fails("a missing row", func(w *State) { w.Rows = w.Rows[1:] })
		fails("a missing dead letter", func(w *State) { w.DeadLetters = w.DeadLetters[1:] })
		fails("a dead letter twice", func(w *State) { w.DeadLetters = append(w.DeadLetters, w.DeadLetters[0]) })
		fails("no batters", func(w *State) { w.Batters = nil })
		fails("no batter-games", func(w *State) { w.Games = nil })
	}
}

type counter struct {
	testing.TB
	errors int
}

func (c *counter) Helper()               {}
func (c *counter) Errorf(string, ...any) { c.errors++ }
