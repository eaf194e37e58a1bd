package reference

import (
	"testing"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/testkit/vectors"
	"github.com/pitchstream/pitchstream/schemas"
)

func TestVectorsStreamsEndInTheReferencesState(t *testing.T) {
	for _, s := range vectors.Streams(t) {
		t.Run(s.Name, func(t *testing.T) {
			var changes []schemas.Change
			var state vectors.State
			for _, r := range s.Records {
				change, rej := features.Transform(r, features.Limits{})
				if rej != nil {
					state.DeadLetters = append(state.DeadLetters, vectors.DeadLetter{
						Partition: r.Partition, Offset: r.Offset, Code: rej.Code,
					})
					continue
				}
				changes = append(changes, change)
			}
			state.Rows = Resolve(changes)
			state.Batters, state.Games = Fold(state.Rows)
			s.Check(t, state)
		})
	}
}
