package fileoutput

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// simulatedRows are the rows of simulated pitches, with the feed's identifiers.
func simulatedRows(t testing.TB, pitches int) (rows []Row) {
	t.Helper()
	s, err := simulate.New(simulate.Options{Seed: 7, Pitches: pitches, Games: 3, FeedIDs: true})
	require.NoError(t, err)
	for m, ok := s.Next(); ok; m, ok = s.Next() {
		record := schemas.Record{Key: m.Key, Headers: m.Headers, Value: m.Value}
		c, rejection := features.Transform(record, features.Limits{})
		require.Nil(t, rejection)
		number := int64(len(rows) + 1)
		rows = append(rows, Row{Row: *c.Row, EventTime: schemas.Some(m.EventTime), Source: "games.jsonl", Record: number})
	}
	return rows
}
