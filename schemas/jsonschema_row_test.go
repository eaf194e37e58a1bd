package schemas_test

import (
	"encoding/json"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/testkit/vectors"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
)

// stored is the JSON of a change's row as it is published.
func stored(t *testing.T, c schemas.Change) map[string]any {
	t.Helper()
	b, err := json.Marshal(schemas.StoredRow{Row: *c.Row, Provenance: schemas.ProvenanceOf(c, features.CoreVersion, "test", c.EventTime)})
	require.NoError(t, err)
	return document(t, b).(map[string]any)
}

func TestSimulatedRowsFitTheRowSchema(t *testing.T) {
	schema := compiled(t, schemas.RowSchema, "")
	rows := 0
	for i, m := range simulated(t, simulate.Options{
		Seed: 7, Pitches: 600, LateIDs: .2, Corrections: .1, Deletes: .05, Poison: .1,
	}) {
		change, rej := features.Transform(recordOf(m, int64(i)), features.Limits{})
		if rej == nil && change.Row != nil {
			require.NoError(t, schema.Validate(stored(t, change)))
			rows++
		}
	}
	require.Greater(t, rows, 500)
}

func TestRealRowsFitTheRowSchema(t *testing.T) {
	schema := compiled(t, schemas.RowSchema, "")
	for name, value := range real(t) {
		row := stored(t, rowOf(t, schemas.Record{Coordinates: schemas.Coordinates{Topic: "t"}, Value: value}))
		require.NoError(t, schema.Validate(row), name)
	}
}

// The vectors are adversarial on purpose: what is a row all the same is one of the schema's.
func TestVectorsRowsFitTheRowSchema(t *testing.T) {
	schema := compiled(t, schemas.RowSchema, "")
	for _, v := range featureVectors(t) {
		if change, rej := features.Transform(v.record, features.Limits{}); rej == nil && change.Row != nil {
			require.NoError(t, schema.Validate(stored(t, change)), v.id)
		}
	}
	for _, stream := range vectors.Streams(t) {
		for _, rec := range stream.Records {
			if change, rej := features.Transform(rec, features.Limits{}); rej == nil && change.Row != nil {
				require.NoError(t, schema.Validate(stored(t, change)), stream.Name)
			}
		}
	}
}

// swing is a row with a value in most columns.
func swing(t *testing.T) map[string]any {
	t.Helper()
	for i, m := range simulated(t, simulate.Options{Seed: 7, Pitches: 100, FeedIDs: true}) {
		change := rowOf(t, recordOf(m, int64(i)))
		if r := change.Row; r.IsSwing && r.IsContact && r.ExitVelocityMPH.Present && r.BatSpeedMPH.Present && r.AttackAngleDeg.Present && r.GameDate != "" {
			return stored(t, change)
		}
	}
	require.Fail(t, "no such swing")
	return nil
}

// A published row with what models say about it is one of the schema, as is a row without.
func TestScoredRowsFitTheRowSchema(t *testing.T) {
	schema := compiled(t, schemas.RowSchema, "")
	row := rowOf(t, recordOf(simulated(t, simulate.Options{Seed: 7, Pitches: 1})[0], 0))
	p := schemas.Published{PitchID: row.PitchID, Scores: []schemas.Score{
		{Model: "archetypes", Version: 3, Label: "long, fast bat", Value: schemas.Some(0.92), Margin: schemas.Some(0.41)},
		{Model: "self-batter", Version: 1},
		{Model: "whiff", Version: 2, IsShadow: true, Value: schemas.Some(0.3)},
	}}
	p.Row = &schemas.StoredRow{
		Row: *row.Row, Provenance: schemas.ProvenanceOf(row, features.CoreVersion, "test", row.EventTime),
	}
	published := document(t, p.AppendJSON(nil)).(map[string]any)
	require.Len(t, published["scores"], 2, "a shadow is shown to no reader")
	require.NoError(t, schema.Validate(published))
	require.NoError(t, schema.Validate(with(published, "scores", map[string]any{})))
	for _, broken := range []any{
		nil, []any{}, map[string]any{"whiff": nil}, map[string]any{"whiff": map[string]any{"version": json.Number("1")}},
		map[string]any{"whiff": with(published["scores"].(map[string]any)["archetypes"].(map[string]any), "value", "0.92")},
		map[string]any{"whiff": with(published["scores"].(map[string]any)["archetypes"].(map[string]any), "version", json.Number("0"))},
	} {
		require.Error(t, schema.Validate(with(published, "scores", broken)), "%v", broken)
	}
}

func TestBrokenRows(t *testing.T) {
	schema := compiled(t, schemas.RowSchema, "")
	good := swing(t)
	require.NoError(t, schema.Validate(good))
	require.NoError(t, schema.Validate(with(good, "a_column_to_come", 7)), "rows may grow")

	released := releasedRowColumns(t)
	for _, c := range schemas.StoredColumns {
		isReleased := slices.Contains(released, c.Name) // what came later is absent from older rows
		require.Equal(t, isReleased, schema.Validate(without(good, c.Name)) != nil, "%s is not there", c.Name)
		require.Error(t, schema.Validate(with(good, c.Name, map[string]any{})), "%s is an object", c.Name)
		if !mayBeMissing(c) {
			require.Error(t, schema.Validate(with(good, c.Name, nil)), "%s is null", c.Name)
		}
		for _, outside := range outsideOf(t, c) {
			require.Error(t, schema.Validate(with(good, c.Name, outside)), "%s is %v", c.Name, outside)
		}
	}
	for name, values := range map[string][]any{
		"pitch_id":     {"", "x", strings.ToUpper("0123abcd-4567-89ab-cdef-0123456789ab"), "0123abcd456789abcdef0123456789ab"},
		"game_pk":      {"", json.Number("745804"), strings.Repeat("x", 65)},
		"game_date":    {"1799-12-31", "2024-02-30", "2024-9-1", "2024-09-01T00:00:00Z"},
		"batter_id":    {json.Number("660271.5"), "660271", json.Number("9223372036854775808")},
		"inning":       {json.Number("1.5")},
		"pitch_result": {"strike", ""},
		"is_swing":     {"true", json.Number("1"), false}, // false: there is a bat speed
		"is_whiff":     {true},                            // there is contact
		"event_time":   {"2024-09-28T22:04:37Z", "2024-09-28T22:04:37.926+00:00", "2024-09-28 22:04:37.926Z", json.Number("0")},
		"issues":       {[]any{"outs"}, []any{"outs:type", "outs:type"}, []any{nil}, "outs:type"},
		"source_topic": {""},
	} {
		for _, v := range values {
			require.Error(t, schema.Validate(with(good, name, v)), "%s is %v", name, v)
		}
	}
	for _, name := range []string{"swing_confidence", "speed_confidence"} {
		require.Error(t, schema.Validate(with(good, name, nil)), "a swing always has its %s", name)
		require.Error(t, schema.Validate(with(good, name, "certain")), name)
	}
}

// outsideOf are numbers just outside a column's range.
func outsideOf(t *testing.T, c schemas.Column) (numbers []any) {
	t.Helper()
	low, high, ok := strings.Cut(strings.ReplaceAll(c.Range, "−", "-"), "–")
	if !ok || strings.Contains(c.Range, "bytes") || strings.Contains(c.Range, "years") {
		return nil
	}
	for bound, step := range map[string]string{low: "-1", high: "1"} {
		n := new(big.Int)
		_, ok := n.SetString(bound, 10)
		require.True(t, ok, "%s: %s", c.Name, c.Range)
		d, _ := new(big.Int).SetString(step, 10)
		numbers = append(numbers, json.Number(n.Add(n, d).String()))
	}
	return numbers
}
