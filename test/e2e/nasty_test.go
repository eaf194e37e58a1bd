package e2e

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/consumer"
	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
)

// nastyValues are what a feed may send where something else should stand; headers too.
var nastyValues = []string{
	`0`, `-0`, `-1`, `1e308`, `-1e308`, `1e-320`, `5e-324`, `1e400`, `0.1`, `32767`, `32768`, `2147483648`, `9223372036854775807`, `9223372036854775808`, `-9223372036854775809`,
	`1` + strings.Repeat("0", 400), `true`, `false`, `null`, `[]`, `{}`, `[null]`, `""`, `" "`, `"\u0000"`, `"a\u0000b"`, `"\ud800"`, `"\udc00\ud800"`, `"\uffff"`, `"é⚾𝄞"`, `"NaN"`, `"Infinity"`,
	`"` + strings.Repeat("long", 2000) + `"`, `"0001-01-01T00:00:00Z"`, `"9999-12-31T23:59:59.999Z"`, `"10000-01-01T00:00:00Z"`, `"2024-02-30T00:00:00Z"`, `"2024-09-28"`, `"0000-00-00"`,
	`"{\"a\":1}"`, `"'; DROP TABLE pitch_registers; --"`, `"\\N"`, `"\t\n\r"`, `"00000000-0000-0000-0000-000000000000"`, `"FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"`,
}

// spoil replaces some of a document's values.
func spoil(r *rand.Rand, v any) any {
	if r.IntN(60) == 0 {
		return json.RawMessage(nastyValues[r.IntN(len(nastyValues))])
	}
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = spoil(r, v[k])
		}
	case []any:
		for i := range min(len(v), 4) {
			v[i] = spoil(r, v[i])
		}
	}
	return v
}

// A row that passed the core is never refused by Postgres: what the core lets through has a place in every
// column.
func TestWhatPassesTheCoreIsNeverRefused(t *testing.T) {
	store, err := pgsink.Open(pgsink.Config{URL: testkit.Postgres(t), Schema: "pitchstream", Group: "g", Build: "test", CoreVersion: features.CoreVersion})
	require.NoError(t, err)
	defer store.Close()
	_, err = pgadmin.New(store.DB()).Migrate(t.Context())
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(11, 5))
	originals := simulated(t, 150)
	names := []string{
		schemas.HeaderGamePK, schemas.HeaderGameDate, schemas.HeaderVenue, schemas.HeaderEventTime,
		schemas.HeaderRevision, schemas.HeaderOp, schemas.HeaderPitchID, schemas.HeaderBatterID,
		schemas.HeaderPitcherID, schemas.HeaderTeamID, schemas.HeaderSchemaVersion,
	}
	passed := 0
	for round := range 8 {
		var decoded []consumer.Decoded
		for i, original := range originals {
			var tree any
			require.NoError(t, json.Unmarshal(original.Value, &tree))
			value, err := json.Marshal(spoil(r, tree))
			require.NoError(t, err)
			rec := schemas.Record{Coordinates: schemas.Coordinates{Topic: "t", Offset: int64(round*1000 + i), TimestampMS: r.Int64N(1 << 42)}, Key: original.Key, Value: value, Headers: original.Headers}
			for range r.IntN(3) {
				nasty := strings.Trim(nastyValues[r.IntN(len(nastyValues))], `"`)
				rec.Headers = append(rec.Headers[:len(rec.Headers):len(rec.Headers)], schemas.Header{
					Key: names[r.IntN(len(names))], Value: []byte(nasty),
				})
			}
			d := consumer.Decoded{Record: rec}
			d.Change, d.Rejection = features.Transform(rec, features.Limits{})
			decoded = append(decoded, d)
		}
		plan := consumer.MakePlan(decoded)
		out, err := store.Apply(t.Context(), schemas.Batch{Group: "g", Pitches: plan.Pitches})
		require.NoError(t, err)
		for _, refused := range out.Refused {
			t.Errorf("refused: %s: %+v", refused.Reason, refused.Change.Row)
		}
		passed += len(decoded) - len(plan.DeadLetters)
	}
	t.Logf("%d of %d passed the core", passed, 8*len(originals))
	require.Greater(t, passed, 500)
}

// simulated are n messages that have a value: a null is a delete of its key, or nothing.
func simulated(t *testing.T, n int) (messages []simulate.Message) {
	t.Helper()
	s, err := simulate.New(simulate.Options{
		Seed: 5, Pitches: n, Duplicates: 0.05, Corrections: 0.05, Deletes: 0.02, LateIDs: 0.1,
	})
	require.NoError(t, err)
	for m, ok := s.Next(); ok; m, ok = s.Next() {
		if json.Valid(m.Value) {
			messages = append(messages, m)
		}
	}
	return messages
}
