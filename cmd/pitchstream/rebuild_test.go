package main

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/pitchstream/pitchstream/internal/verify"
	"github.com/stretchr/testify/require"
)

// The shape of a season and a half: 1,500 batters in 50 games each, 22 batters a game.
const fillRegisters = `
	INSERT INTO pitchstream.pitch_registers (pitch_id, revision, record_ts_ms, source_offset, source_partition, source_topic, event_time,
	    core_version, build, processed_at, game_pk, measured_batter_id, pitch_type, pitch_result, exit_velocity_mph, is_swing, is_contact,
	    is_whiff, swing_confidence, attack_angle_deg, bat_speed_mph, speed_confidence, bat_samples, ball_samples, duplicate_samples, issues)
	SELECT md5(i::text)::uuid, 0, 1700000000000 + i, i / 6, i % 6, 'pitches.raw', timestamptz '2024-04-01' + i * interval '30 s',
	    1, 'fill', now(), 700000 + (i % 1500) / 22 * 50 + (i / 1500) % 50, 600000 + i % 1500,
	    (ARRAY['FourSeamFastball', 'Slider', 'Sinker', 'Changeup', 'Curveball', NULL])[1 + i % 6], (ARRAY['Strike', 'Ball', 'HitIntoPlay'])[1 + i % 3],
	    CASE WHEN i % 5 = 0 THEN 60 + i % 601 * 0.1 END, i % 2 = 0, i % 5 = 0, i % 2 = 0 AND i % 5 <> 0,
	    CASE WHEN i % 2 = 0 THEN 'confirmed' END, CASE WHEN i % 2 = 0 THEN i % 31 - 10.25 END, CASE WHEN i % 2 = 0 THEN 60 + i % 251 * 0.1 END,
	    CASE WHEN i % 2 = 0 THEN 'reliable' END, 100, 60, 0, '{}'
	FROM generate_series($1::bigint, $2::bigint) AS i`

// fillChunk is how many rows one statement makes.
const fillChunk = 50_000

// fill makes so many pitches, and the totals of their batters by the store's own statements.
func fill(t *testing.T, w *town, pitches int64) {
	t.Helper()
	for from := int64(0); from < pitches; from += fillChunk {
		w.exec(t, fillRegisters, from, min(from+fillChunk, pitches)-1)
	}
	w.exec(t, "ANALYZE pitchstream.pitch_registers")
	status, r := w.verify(t, "aggregates", "--repair")
	require.Equal(t, exitOK, status)
	require.Positive(t, r.Differences, "there were none")
	require.Equal(t, r.Differences, r.Repaired)
}

// TestRebuildOfManyPitches measures; make rebuild-1m runs it with a million. Without the variable it is a
// small one.
func TestRebuildOfManyPitches(t *testing.T) {
	pitches := int64(5_000)
	if text := os.Getenv("PITCHSTREAM_REBUILD_PITCHES"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		require.NoError(t, err)
		pitches = n
	}
	w := newVerifyTown(t)
	measure := func(what string, f func()) time.Duration {
		began := time.Now()
		f()
		took := time.Since(began)
		t.Logf("%-34s %6.1f s", what, took.Seconds())
		return took
	}
	measure("fill Postgres, compute the totals", func() { fill(t, w, pitches) })
	took := measure("rebuild redis, empty", func() { w.rebuild(t) })
	took = max(took, measure("rebuild redis, full", func() { w.rebuild(t) }))
	if pitches >= 1_000_000 { // elsewhere a neighbour decides how long a minute is
		require.Less(t, took, time.Minute)
	}
	var r verify.Report
	measure("verify redis", func() { r = w.clean(t, "redis") })
	measure("verify aggregates", func() { w.clean(t, "aggregates") })
	require.Equal(t, pitches, r.Redis.Redis.Pitches)
	require.Equal(t, r.Redis.PostgresGames, r.Redis.RedisGames)
	t.Logf("%d pitches, %d batters, %d batter-games, %d keys",
		pitches, r.Redis.Redis.Groups, r.Redis.RedisGames.Groups, r.Redis.Keys)
}

func (w *town) rebuild(t *testing.T) {
	t.Helper()
	status, stdout, stderr := runCLI(t, append([]string{"rebuild", "redis"}, w.flags[1:]...)...)
	require.Equal(t, exitOK, status, stderr)
	t.Log(stdout)
}

// A target beside live is written anew from its own schema, under its own prefix; one that is not there is an
// error that says what to do.
// guard: rebuild: a target is rebuilt from its own schema
func TestRebuildRedisOfATarget(t *testing.T) {
	w := twoTargets(t, 150)
	spoil := func(prefix string) (key string) {
		keys, err := w.redis.Keys(t.Context(), prefix+"batter:{*}").Result()
		require.NoError(t, err)
		require.NotEmpty(t, keys)
		require.NoError(t, w.redis.HSet(t.Context(), keys[0], "pitches", 1000).Err())
		return keys[0]
	}
	spoil(w.prefix + "better:")
	ofLive := spoil(w.prefix)
	rebuild := func(args ...string) (status int, stdout, stderr string) {
		return runCLI(t, append(append([]string{"rebuild", "redis"}, args...), w.flags[1:]...)...)
	}
	status, stdout, _ := rebuild("--target=better", "--dry-run")
	require.Equal(t, exitFailed, status)
	require.Contains(t, stdout, "1 with other values")
	status, stdout, stderr := rebuild("--target=better")
	require.Equal(t, exitOK, status, stderr)
	require.Contains(t, stdout, "rebuilt "+w.prefix+"better:")
	w.clean(t, "redis", "--target=better")
	pitches, err := w.redis.HGet(t.Context(), ofLive, "pitches").Result()
	require.NoError(t, err)
	require.Equal(t, "1000", pitches, "live is another target")

	for _, command := range []string{"rebuild", "verify"} {
		status, _, stderr = runCLI(t, append([]string{command, "redis", "--target=beter"}, w.flags[1:]...)...)
		require.Equal(t, exitFailed, status)
		require.Contains(t, stderr, "there is no target beter: give one of live, better, or make it with `pitchstream replay --into beter`")
	}
	status, _, stderr = rebuild("--target=Better")
	require.Equal(t, exitUsage, status)
	require.Contains(t, stderr, "small letters")
}
