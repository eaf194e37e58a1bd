package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/config"
	stream "github.com/pitchstream/pitchstream/internal/processor"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
)

// feed runs a processor of a target until stop.
func (w *town) feed(t *testing.T, target string) (stop func()) {
	t.Helper()
	c := &runCmd{}
	require.NoError(t, withDefaults(c, append(slices.Clone(w.flags), "--admin-addr=off")...))
	o, err := c.options(target, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- stream.Run(ctx, o) }()
	return func() {
		cancel()
		require.NoError(t, <-done)
		require.Eventually(t, func() bool { // its last heartbeat may not have been deleted: then it expires
			var alive bool
			err := w.postgres.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM `+schemaOf(target)+`.heartbeats WHERE beat IS NOT NULL AND at > now() - interval '6 s')`).Scan(&alive)
			return err == nil && !alive
		}, time.Minute, 20*time.Millisecond)
	}
}

func schemaOf(target string) string {
	if target == config.Live {
		return "pitchstream"
	}
	return "pitchstream_" + target
}

// target runs a command of them, which ends with this status.
func (w *town) target(t *testing.T, status int, args ...string) (stdout, stderr string) {
	t.Helper()
	flags := w.flags
	if args[0] != "drop" {
		flags = flags[1:2] // Postgres alone
	}
	got, stdout, stderr := runCLI(t, append(append([]string{"target"}, args...), flags...)...)
	require.Equal(t, status, got, "%v: %s\n%s", args, stdout, stderr)
	return stdout, stderr
}

func (w *town) diff(t *testing.T, status int) (d schemas.TargetDiff) {
	t.Helper()
	out, _ := w.target(t, status, "diff", "live", "better", "--json")
	require.NoError(t, json.Unmarshal([]byte(out), &d))
	return d
}

// twoTargets are live and better, from the same records, both through.
func twoTargets(t *testing.T, pitches int) *town {
	t.Helper()
	w := newVerifyTown(t)
	w.play(t, pitches)
	stop := w.start(t)
	w.through(t)
	stop()
	w.replay(t, "--into=better")
	return w
}

// A target's life: filled, compared, promoted, rolled back, dropped.
// guard: target: one without processors is not promoted
// guard: target: one that is fed is not dropped
// guard: target: one that readers see is not dropped
// guard: target: the views move with the pointer
// guard: target: who promotes and why is kept
// guard: target: new values are no change
// guard: target: one with new findings of quality is not promoted
func TestTargetStory(t *testing.T) {
	w := twoTargets(t, 400)
	require.Equal(t, w.standing(t, "pitchstream"), w.standing(t, "pitchstream_better"))
	d := w.diff(t, exitOK)
	text, _ := w.target(t, exitOK, "diff", "live", "better")
	require.Contains(t, text, "0 only in live, 0 only in better, 0 differ")
	require.Positive(t, d.Rows.InA)
	require.Equal(t, d.Rows.InA, d.Rows.InB)
	require.Positive(t, d.BatterGames.InA)
	require.Positive(t, d.Pitchers.InA)
	require.Equal(t, d.PitcherGames.InA, d.PitcherGames.InB)
	require.Contains(t, text, "\npitcher-games ")

	swings := w.table(t, `SELECT pitch_id::text FROM pitches WHERE is_swing`)
	w.exec(t, `UPDATE pitchstream_better.pitch_registers SET is_swing = false WHERE is_swing`)
	batters := w.table(t, `SELECT batter_id, pitches FROM pitchstream_better.batter_totals WHERE pitches > 0 ORDER BY 1 LIMIT 1`)
	batter, pitches, _ := strings.Cut(batters[0], " ")
	w.exec(t, `UPDATE pitchstream_better.batter_totals SET pitches = 0 WHERE batter_id = $1::text::bigint`, batter)
	_, why := w.target(t, exitFailed, "promote", "better")
	require.Contains(t, why, "no processor feeds it")
	require.Contains(t, why, "it lacks 1 batters that live has, as "+batter)
	require.Contains(t, why, fmt.Sprintf("%d of %d pitches have other values than in live", len(swings), d.Rows.InA))
	require.Regexp(t, `quality has \d+ findings that live has not: .*untracked_swings at all`, why)
	require.NotContains(t, why, "it lacks 1 pitches")
	w.exec(t, `UPDATE pitchstream_better.batter_totals SET pitches = $2::text::bigint WHERE batter_id = $1::text::bigint`, batter, pitches)
	w.exec(t, `UPDATE pitchstream_better.pitch_registers SET is_swing = true, processed_at = now() WHERE pitch_id::text = ANY ($1::text[])`, swings)
	stop := w.feed(t, "better")
	w.fed(t, "better")
	w.exec(t, `UPDATE pitchstream_better.pitch_registers SET deleted = true WHERE pitch_id::text = $1`, swings[0])
	_, why = w.target(t, exitFailed, "promote", "better")
	require.Contains(t, why, "it lacks 1 pitches that live has, as "+swings[0])
	w.exec(t, `UPDATE pitchstream_better.pitch_registers SET deleted = false WHERE pitch_id::text = $1`, swings[0])
	w.exec(t, `UPDATE pitch_registers SET spin_rate_rpm = NULL`) // as an older core would have it
	w.target(t, exitOK, "promote", "better", "--promote-max-changed=0", "--reason=spin")
	w.exec(t, `UPDATE pitch_registers a SET spin_rate_rpm = b.spin_rate_rpm FROM pitchstream_better.pitch_registers b WHERE a.pitch_id = b.pitch_id`)
	history, _ := w.target(t, exitOK, "history")
	require.Regexp(t, `^1  .*Z  promote live → better  .*@.* as \S+\n     spin\n$`, history)
	w.target(t, exitUsage, "promote", "better", "--force")
	require.Equal(t, []string{"better live 1"}, w.table(t, `SELECT target, previous, generation FROM pitchstream_serving.pointer`))
	w.exec(t, `UPDATE pitchstream_better.pitch_registers SET venue = 'Elsewhere'`)
	require.Equal(t, []string{"Elsewhere"}, w.table(t, `SELECT DISTINCT venue FROM pitchstream_serving.pitches`))
	w.target(t, exitUsage, "drop", "better")
	_, why = w.target(t, exitFailed, "drop", "better", "--yes")
	require.Contains(t, why, "stop it first")
	stop()
	_, why = w.target(t, exitFailed, "drop", "better", "--yes")
	require.Contains(t, why, "readers see")
	w.target(t, exitUsage, "drop", "live", "--yes")

	_, told := w.target(t, exitOK, "rollback")
	require.Contains(t, told, "no processor feeds it")
	require.NotEqual(t, []string{"Elsewhere"}, w.table(t, `SELECT DISTINCT venue FROM pitchstream_serving.pitches`))
	list, _ := w.target(t, exitOK, "list")
	require.Regexp(t, `live +see it .*\nbetter +saw it `, list)

	before, err := w.redis.Keys(t.Context(), w.prefix+"*").Result()
	require.NoError(t, err)
	out, _ := w.target(t, exitOK, "drop", "better", "--yes")
	require.Contains(t, out, "dropped better")
	after, err := w.redis.Keys(t.Context(), w.prefix+"*").Result()
	require.NoError(t, err)
	require.Less(t, len(after), len(before))
	ofBetter := func(key string) bool {
		return len(key) > len(w.prefix)+7 && key[len(w.prefix):len(w.prefix)+7] == "better:"
	}
	require.False(t, slices.ContainsFunc(after, ofBetter))
	require.Len(t, after, len(slices.DeleteFunc(before, ofBetter)), "live's keys stay")
	topics, err := w.admin.ListTopics(t.Context())
	require.NoError(t, err)
	require.False(t, topics.Has("pitches.rows.better") || topics.Has("pitches.dead.better"))
	require.Empty(t, w.table(t, `SELECT nspname FROM pg_namespace WHERE nspname = 'pitchstream_better'`))
	w.clean(t)
	w.target(t, exitFailed, "diff", "live", "better")
}

// fed waits until a processor has said that it is caught up.
func (w *town) fed(t *testing.T, target string) {
	t.Helper()
	require.Eventually(t, func() bool {
		var caughtUp bool
		err := w.postgres.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM `+schemaOf(target)+`.heartbeats WHERE beat IS NOT NULL AND at > now() - interval '2 s'
			AND (beat->>'lag_ms')::int = 0 AND beat->>'phase' = 'ok' AND beat->'positions' <> '{}')`).Scan(&caughtUp)
		return err == nil && caughtUp
	}, 3*time.Minute, 20*time.Millisecond)
}

// A comparison finds lines that one target lacks, and says of each column by how much it differs. Pitches
// that one target has not read yet are no difference.
// guard: target: what one has not read yet is no difference
// guard: target: pitchers that differ are a difference
func TestTargetDiffFindsWhatDiffers(t *testing.T) {
	w := twoTargets(t, 400)
	ids := w.table(t, `SELECT pitch_id::text FROM pitches WHERE exit_velocity_mph IS NOT NULL AND batter_id IS NOT NULL ORDER BY 1 LIMIT 4`)
	require.Len(t, ids, 4)
	w.exec(t, `UPDATE pitchstream_better.pitch_registers SET exit_velocity_mph = exit_velocity_mph - 2 WHERE pitch_id = $1::uuid`, ids[0])
	w.exec(t, `UPDATE pitchstream_better.pitch_registers SET exit_velocity_mph = NULL, core_version = core_version + 1, build = 'x' WHERE pitch_id = $1::uuid`, ids[1])
	w.exec(t, `UPDATE pitchstream_better.pitch_registers SET deleted = true WHERE pitch_id = $1::uuid`, ids[2])
	w.exec(t, `UPDATE pitch_registers SET deleted = true WHERE pitch_id = $1::uuid`, ids[3])
	w.exec(t, `UPDATE pitchstream_better.batter_totals SET exit_velocity_sum = exit_velocity_sum * (1 + 1e-12)`)
	for _, table := range []string{"pitcher_totals", "pitcher_game_totals"} {
		w.exec(t, `UPDATE pitchstream_better.`+table+` SET type_speed_sums = ARRAY(SELECT v * (1 + 1e-12) FROM unnest(type_speed_sums) WITH ORDINALITY AS u(v, n) ORDER BY n)`)
	}
	d := w.diff(t, exitFailed)
	require.EqualValues(t, 1, d.Rows.OnlyA)
	require.Equal(t, []string{ids[2]}, d.Rows.OnlyInA)
	require.EqualValues(t, 1, d.Rows.OnlyB)
	require.Equal(t, []string{ids[3]}, d.Rows.OnlyInB)
	require.EqualValues(t, 2, d.Rows.Differ)
	require.EqualValues(t, 1, d.OtherCore)
	require.Len(t, d.Rows.Columns, 1)
	c := d.Rows.Columns[0]
	require.Equal(t, "exit_velocity_mph", c.Name)
	require.EqualValues(t, 2, c.Differ)
	require.InDelta(t, 2, c.Max.Value, 1e-9)
	require.InDelta(t, 2, c.Mean.Value, 1e-9)
	require.Len(t, c.Examples, 2)
	isExitVelocity := func(c schemas.ColumnReport) bool { return c.Name == "exit_velocity_mph" }
	moved := d.Report.Columns[slices.IndexFunc(d.Report.Columns, isExitVelocity)]
	require.EqualValues(t, []int64{0, 1, 1, 0}, []int64{moved.Up, moved.Down, moved.Lost, moved.Gained})
	require.Negative(t, moved.MeanChange.Value, "of all pitches that have both values")
	require.Equal(t, moved.A.Rows, moved.B.Rows)
	require.Equal(t, len(moved.Edges), len(moved.A.Bars)+1)
	for _, p := range []schemas.ColumnProfile{moved.A, moved.B} {
		bars := int64(0)
		for _, n := range p.Bars {
			bars += n
		}
		require.Equal(t, p.Rows-p.Missing, bars)
		rising := []float64{p.Min.Value, p.P05.Value, p.P50.Value, p.P95.Value, p.Max.Value}
		require.True(t, slices.IsSorted(rising), "%v", rising)
	}
	var median float64
	require.NoError(t, w.postgres.QueryRow(t.Context(), `SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY exit_velocity_mph) FROM pitchstream.pitches`).Scan(&median))
	require.InDelta(t, median, moved.A.P50.Value, 3, "of few values")
	require.Len(t, d.Report.Pitches, 2)
	require.Equal(t, "exit_velocity_mph", d.Report.Pitches[0].Values[0].Column)
	require.NotEmpty(t, d.Report.Games)
	require.Zero(t, d.Batters.Differ, "sums that differ in their last digits are equal")
	require.Zero(t, d.Pitchers.Differ+d.PitcherGames.Differ, "sums of pitchers too")

	page := filepath.Join(t.TempDir(), "diff.html")
	w.exec(t, `UPDATE pitchstream_better.pitch_registers SET is_swing = false, venue = '<b>Park</b>' WHERE is_swing`)
	text, _ := w.target(t, exitFailed, "diff", "live", "better", "--html", page)
	require.Regexp(t, `is_swing +true → false  \d+ pitches`, text)
	html, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Contains(t, string(html), "&lt;b&gt;Park")
	require.NotContains(t, string(html), "<b>Park")
	if keep := os.Getenv("PITCHSTREAM_TEST_PAGE"); keep != "" {
		require.NoError(t, os.WriteFile(keep, html, 0o600))
	}
	w.exec(t, `UPDATE pitchstream_better.pitch_registers b SET is_swing = a.is_swing, venue = a.venue FROM pitchstream.pitch_registers a WHERE a.pitch_id = b.pitch_id`)

	// The rows as they were; the aggregates have been right all the time.
	w.exec(t, `UPDATE pitch_registers SET deleted = false WHERE pitch_id = $1::uuid`, ids[3])
	w.exec(t, `UPDATE pitchstream_better.pitch_registers b SET deleted = false, exit_velocity_mph = a.exit_velocity_mph, core_version = a.core_version FROM pitchstream.pitch_registers a WHERE a.pitch_id = b.pitch_id AND a.pitch_id::text = ANY ($1::text[])`, ids)
	pitchers := w.table(t, `SELECT pitcher_id FROM pitcher_totals WHERE pitches > 0 ORDER BY 1`)
	w.exec(t, `UPDATE pitchstream_better.pitcher_totals SET type_chases = array_fill(0::bigint, ARRAY[cardinality(type_chases)]), type_in_zone[1] = type_in_zone[1] + 1 WHERE pitcher_id = $1::bigint`, pitchers[0])
	w.exec(t, `UPDATE pitchstream_better.pitcher_totals SET pitches = 0 WHERE pitcher_id = $1::bigint`, pitchers[1])
	d = w.diff(t, exitFailed)
	require.Zero(t, d.Rows.Differ+d.Rows.OnlyA+d.Rows.OnlyB)
	require.Equal(t, []string{pitchers[1]}, d.Pitchers.OnlyInA)
	require.EqualValues(t, 1, d.Pitchers.Differ)
	names := schemas.Map(d.Pitchers.Columns, func(c schemas.ColumnDiff) string { return c.Name })
	require.Contains(t, names, "by_pitch_type")
	require.Contains(t, names, "zone_rate_pct")
	require.NotContains(t, names, "csw_rate_pct")

	w.exec(t, `UPDATE pitchstream_better.stream_positions SET next_offset = 0`)
	d = w.diff(t, exitOK)
	require.Positive(t, d.Rows.Moving, "better has read nothing")
	require.Positive(t, d.Pitchers.Moving)
	out, _ := w.target(t, exitOK, "diff", "live", "better")
	require.Contains(t, out, "moving, left out")
}

// Rights go with the target: who reads live reads the next one, and may not write there.
// guard: target: readers of the views keep their rights
func TestTargetsHaveLivesRights(t *testing.T) {
	w := newVerifyTown(t)
	w.play(t, 50)
	role := "reader_" + w.prefix[len(w.prefix)-9:len(w.prefix)-1]
	w.exec(t, `CREATE ROLE `+role)
	t.Cleanup(func() {
		_, err := w.postgres.Exec(context.Background(), `DROP OWNED BY `+role+`; DROP ROLE `+role)
		require.NoError(t, err)
	})
	status, _, stderr := runCLI(t, "migrate", w.flags[1], "--reader-role="+role)
	require.Equal(t, exitOK, status, stderr)
	w.replay(t, "--into=better")
	w.replay(t, "--into=other")
	reads := func(what string) []string {
		return w.table(t, `SELECT has_table_privilege('`+role+`', '`+what+`', 'SELECT'), has_table_privilege('`+role+`', '`+what+`', 'INSERT')`)
	}
	for _, what := range []string{
		"pitchstream_better.pitches", "pitchstream_better.pitch_registers",
		"pitchstream_serving.pitches", "pitchstream_serving.pointer",
	} {
		require.Equal(t, []string{"true false"}, reads(what), what)
	}
	other := role + "_late"
	w.exec(t, `CREATE ROLE `+other)
	t.Cleanup(func() {
		_, err := w.postgres.Exec(context.Background(), `DROP OWNED BY `+other+`; DROP ROLE `+other)
		require.NoError(t, err)
	})
	status, _, stderr = runCLI(t, "migrate", w.flags[1], "--reader-role="+other)
	require.Equal(t, exitOK, status, stderr)
	for _, what := range []string{
		"pitchstream_better.pitches", "pitchstream_serving.pitches", "pitchstream_serving.pointer",
	} {
		require.Equal(t, []string{"true"}, w.table(t, `SELECT has_table_privilege('`+other+`', '`+what+`', 'SELECT')`), what)
	}
	w.exec(t, `REVOKE USAGE ON SCHEMA pitchstream FROM `+other) // who reads what readers see, and nothing else
	w.target(t, exitOK, "promote", "better", "--force", "--reason=rights are tried")
	// A target of a later build has other columns: the view is another one then, and its readers stay.
	w.exec(t, `ALTER TABLE pitchstream_other.pitch_registers RENAME COLUMN venue TO ballpark; DROP VIEW pitchstream_other.pitches CASCADE`)
	w.exec(t, `CREATE VIEW pitchstream_other.pitches AS SELECT pitch_id, ballpark FROM pitchstream_other.pitch_registers WHERE standing`)
	w.exec(t, `CREATE VIEW pitchstream_other.fresh AS SELECT 1 AS one`)
	w.target(t, exitOK, "promote", "other", "--force", "--reason=a later build")
	require.Equal(t, []string{"true false"}, reads("pitchstream_serving.pitches"))
	require.Equal(t, []string{"true"}, w.table(t, `SELECT has_table_privilege('`+other+`', 'pitchstream_serving.pitches', 'SELECT')`))
	require.Equal(t, []string{"true false"}, reads("pitchstream_serving.fresh"))
	require.Equal(t, []string{"false"}, w.table(t, `SELECT to_regclass('pitchstream_serving.dataset_stats') IS NOT NULL`), "it would be of another target")
	require.NotEmpty(t, w.table(t, `SELECT ballpark FROM pitchstream_serving.pitches LIMIT 1`))
}

// betterStore is the target's store, to write what no processor does.
func (w *town) betterStore(t *testing.T) *pgsink.Sink {
	t.Helper()
	_, url, _ := strings.Cut(w.flags[1], "=")
	s, err := pgsink.Open(pgsink.Config{
		URL: url, Schema: "pitchstream_better", Group: "pitchstream.better",
		Build: "test", CoreVersion: features.CoreVersion,
	})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}
