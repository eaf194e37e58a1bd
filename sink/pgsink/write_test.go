package pgsink

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/sinktest"
)

// A bad row costs few statements, because a batch of a replay must not be written row by row.
func TestOneBadRowInThreeThousandCostsFewStatements(t *testing.T) {
	s := open(t)
	refuseVenue(t, s, "bad")
	for round, at := range []int{0, 1683, 2999} {
		w := sinktest.NewGenerator(uint64(100+round), 1)
		var changes []schemas.Change
		for i := range 3000 {
			changes = append(changes, w.Upsert(i, int64(1+round)))
		}
		b := sinktest.BatchOf(changes...)
		b.Pitches[at].Measured[0].Row.Venue = "bad"
		n := 0
		s.statements = func() { n++ }
		out, err := s.Apply(t.Context(), b)
		require.NoError(t, err)
		require.Len(t, out.Refused, 1)
		require.Equal(t, b.Pitches[at].PitchID, out.Refused[0].Change.PitchID)
		require.Equal(t, 2999, len(out.Published))
		require.LessOrEqual(t, n, 24, "the bad row at %d", at)
		t.Logf("row %d: %d statements", at, n)
	}
}

func TestManyBadRowsAreAllFound(t *testing.T) {
	s := open(t)
	refuseVenue(t, s, "bad")
	w := sinktest.NewGenerator(7, 1)
	var good, all []schemas.Change
	for i := range 60 {
		first, second := w.Upsert(i, 1), w.Upsert(i, 2)
		if i%5 == 0 {
			second.Row.Venue = "bad"
		}
		if i%10 == 0 {
			first.Row.Venue = "bad"
		}
		all = append(all, first, second)
	}
	for _, c := range all {
		if c.Row.Venue != "bad" {
			good = append(good, c)
		}
	}
	out, err := s.Apply(t.Context(), sinktest.BatchOf(all...))
	require.NoError(t, err)
	require.Equal(t, 18, len(out.Refused))
	require.Equal(t, 54, len(out.Published))
	sinktest.RequireState(t, whole(s), good)
}

// A refused identify is a dead letter, and the measured register stays current.
func TestARefusedNameLeavesWhatWasMeasured(t *testing.T) {
	s := open(t)
	refuseNames(t, s, 13)
	w := sinktest.NewGenerator(8, 1)
	var all []schemas.Change
	for i := range 20 {
		name := w.Identify(i, 1)
		name.IDs.BatterID = schemas.Some(int64(100 + i%3))
		if i == 11 {
			name.IDs.BatterID = schemas.Some(int64(13))
		}
		all = append(all, w.Upsert(i, 1), name)
	}
	out, err := s.Apply(t.Context(), sinktest.BatchOf(all...))
	require.NoError(t, err)
	require.Len(t, out.Refused, 1)
	require.Equal(t, schemas.OpIdentify, out.Refused[0].Change.Op)
	require.Contains(t, out.Refused[0].Reason, "no such batter: 13")
	sinktest.RequireState(t, whole(s), slices.DeleteFunc(all, func(c schemas.Change) bool {
		return c.Op == schemas.OpIdentify && fmt.Sprint(c.PitchID) == fmt.Sprint(out.Refused[0].Change.PitchID)
	}))
}

// Statements are planned once per connection, because planning would delay each live pitch.
// guard: batches are written without planning anew
// guard: few pitches at once are written without planning anew
func TestStatementsArePlannedOnce(t *testing.T) {
	for name, steps := range map[string]bool{"at once": false, "in steps": true} {
		t.Run(name, func(t *testing.T) { plannedOnce(t, steps) })
	}
}

func plannedOnce(t *testing.T, steps bool) {
	s := open(t)
	s.steps = steps
	w := sinktest.NewGenerator(8, 1)
	for i := range 10 {
		_, err := s.Apply(t.Context(), sinktest.BatchOf(w.Upsert(i, 1)))
		require.NoError(t, err)
	}
	var statements, kept, anew int
	require.NoError(t, s.db.Pool.QueryRow(t.Context(), `SELECT count(*), sum(generic_plans), sum(custom_plans) FROM pg_prepared_statements
		WHERE statement LIKE '%batter_game_totals%' OR statement LIKE '%INSERT INTO "pitchstream".pitch_registers%'`).Scan(&statements, &kept, &anew))
	require.GreaterOrEqual(t, statements, 3)
	require.GreaterOrEqual(t, kept, 10)
	require.Zero(t, anew)
}
