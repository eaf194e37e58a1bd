package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/scoring"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
)

// model runs a command on models, which must succeed.
func (w *town) model(t *testing.T, args ...string) {
	t.Helper()
	status, _, stderr := runCLI(t, append(append([]string{"model"}, args...), w.flags[1])...)
	require.Equal(t, exitOK, status, stderr)
}

// addSpeed adds the next version of the model speed, which labels all pitches and names itself in the labels.
func (w *town) addSpeed(t *testing.T, version int) {
	t.Helper()
	name := func(s string) string { return fmt.Sprintf("%s by %d", s, version) }
	f := &scoring.File{
		Format: scoring.Format, Kind: scoring.KindArchetypes, Rows: scoring.RowsPitches,
		Columns: []scoring.Column{{Name: "pitch_speed_mph", Unit: "mph"}},
		Archetypes: &scoring.Archetypes{Mean: []float64{90}, Scale: []float64{5}, Clusters: []scoring.Cluster{
			{Name: name("slow"), Center: []float64{-1}, Share: 0.5}, {Name: name("fast"), Center: []float64{1}, Share: 0.5},
		}},
	}
	content, err := f.Encode()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "speed.json")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	w.model(t, "add", path, "--name=speed")
}

// lastVersions returns the versions that scored the last pitches in Redis, by the number of hashes that have
// them; 0 is a last pitch without a score. It fails unless each score is that of pitch_scores, if isEqual.
func (w *town) lastVersions(t *testing.T, isEqual bool) map[int32]int {
	t.Helper()
	rows, err := w.postgres.Query(t.Context(),
		`SELECT pitch_id::text, version, label, value, margin, p_value, shift FROM pitch_scores`)
	require.NoError(t, err)
	stored := map[string]schemas.ScoreValues{}
	var id string
	var label *string
	var value, margin, pValue, shift *float64
	var version int32
	_, err = pgx.ForEachRow(rows, []any{&id, &version, &label, &value, &margin, &pValue, &shift}, func() error {
		stored[id] = schemas.ScoreValues{
			Version: version, Label: schemas.Text(schemas.FromPointer(label).Value),
			Value: schemas.FromPointer(value), Margin: schemas.FromPointer(margin),
			PValue: schemas.FromPointer(pValue), Shift: schemas.FromPointer(shift),
		}
		return nil
	})
	require.NoError(t, err)
	found := map[int32]int{}
	for _, side := range schemas.Sides {
		keys := w.redis.Scan(t.Context(), 0, w.prefix+side.String()+":*", 1000).Iterator()
		seen := map[string]bool{}
		for keys.Next(t.Context()) {
			if seen[keys.Val()] {
				continue
			}
			seen[keys.Val()] = true
			var last schemas.LastPitch
			require.NoError(t, json.Unmarshal([]byte(w.redis.HGet(t.Context(), keys.Val(), "last_pitch").Val()), &last))
			score := last.Scores["speed"]
			if isEqual {
				require.Equal(t, stored[last.PitchID.String()], score, keys.Val())
			}
			found[score.Version]++
		}
		require.NoError(t, keys.Err())
	}
	return found
}

// untilLast waits until the last pitches in Redis are scored by this version alone; 0: by none.
func (w *town) untilLast(t *testing.T, version int32) {
	t.Helper()
	require.Eventually(t, func() bool {
		found := w.lastVersions(t, false)
		return len(found) == 1 && found[version] > 0
	}, 2*time.Minute, 200*time.Millisecond)
	w.lastVersions(t, true)
	w.clean(t, "redis")
}

// Redis has the scores of the last pitches through corrections, promotes, rollbacks and scorings of the past,
// with and without a processor. An audit finds a score that somebody changes, in Redis or in Postgres.
// guard: scores: Redis is compared after scores changed without a batch
func TestRedisFollowsWhatModelsSayAboutLastPitches(t *testing.T) {
	w := newVerifyTown(t)
	w.addSpeed(t, 1)
	w.addSpeed(t, 2)
	w.model(t, "promote", "speed", "1")
	stop := w.start(t)
	w.play(t, 300)
	w.through(t)
	require.Len(t, w.lastVersions(t, true), 1)
	w.clean(t, "redis", "scores")

	w.model(t, "promote", "speed", "2")
	w.send(t, simulate.Options{
		Seed: 8, Pitches: 150, Parallel: 2, Duplicates: 0.2, Corrections: 0.5, Deletes: 0.2, LateIDs: 0.2,
	})
	w.through(t)
	require.Len(t, w.lastVersions(t, true), 2, "rows of before keep the scores of the former version")
	w.clean(t, "redis", "scores")
	since := "--since=2000-01-01T00:00:00Z"
	w.model(t, "score", "speed", since)
	w.untilLast(t, 2)
	w.model(t, "rollback", "speed")
	w.model(t, "score", "speed", since)
	w.untilLast(t, 1)
	w.model(t, "retire", "speed", "1")
	w.untilLast(t, 0)
	w.model(t, "promote", "speed", "1")
	w.untilLast(t, 1)

	// The next processor sees it when no processor ran.
	stop()
	w.model(t, "promote", "speed", "2")
	w.model(t, "score", "speed", since)
	status, r := w.verify(t, "redis")
	require.Equal(t, exitFailed, status)
	require.Equal(t, schemas.DiffersOlder, r.Redis.Differences[0].Kind)
	stop = w.start(t)
	w.untilLast(t, 2)
	stop()

	key := w.redis.Keys(t.Context(), w.prefix+"batter:{*}").Val()[0]
	text := w.redis.HGet(t.Context(), key, "last_pitch").Val()
	tampered := strings.Replace(text, " by 2", " by 1", 1)
	require.NotEqual(t, text, tampered)
	require.NoError(t, w.redis.HSet(t.Context(), key, "last_pitch", tampered).Err())
	_, r = w.verify(t, "redis")
	require.Len(t, r.Redis.Differences, 1)
	require.Equal(t, key, r.Redis.Differences[0].Key)
	require.Equal(t, "last_pitch", r.Redis.Differences[0].Fields[0].Name)
	_, r = w.verify(t, "redis", "--repair")
	require.Equal(t, 1, r.Repaired)
	require.Equal(t, text, w.redis.HGet(t.Context(), key, "last_pitch").Val())
	w.clean(t, "redis", "scores")

	var last schemas.LastPitch
	require.NoError(t, json.Unmarshal([]byte(text), &last))
	w.exec(t, `UPDATE score_registers SET value = value + 1 WHERE pitch_id = $1::uuid`, last.PitchID.String())
	_, r = w.verify(t, "redis")
	require.NotEmpty(t, r.Redis.Differences)
	status, _ = w.verify(t, "scores", "--repair")
	require.Equal(t, exitOK, status)
	w.verify(t, "redis", "--repair")
	w.clean(t, "redis", "scores")
	status, _, stderr := runCLI(t, append([]string{"rebuild", "redis"}, w.flags[1:]...)...)
	require.Equal(t, exitOK, status, stderr)
	w.clean(t, "redis")
	w.lastVersions(t, true)
}
