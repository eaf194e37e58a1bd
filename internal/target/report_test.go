package target

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
)

// season fills a schema with 4,000 pitches of 20 games in two venues, without their aggregates.
const season = `INSERT INTO pitch_registers (pitch_id, revision, record_ts_ms, source_topic, source_partition, source_offset,
		core_version, event_time, processed_at, game_pk, game_date, venue, measured_batter_id, is_swing, pitch_result,
		bat_speed_mph, exit_velocity_mph, pitch_speed_mph)
	SELECT ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid, 0, 1, 'pitches.raw', 0, n, 1,
		'2024-04-01Z'::timestamptz + n / 200 * interval '1 day', now(), (7000 + n / 200)::text, '2024-04-01'::date + n / 200,
		CASE WHEN n / 200 % 2 = 0 THEN 'North <Park>' ELSE 'South' END, n % 40, n % 2 = 0, CASE WHEN n % 2 = 0 THEN 'Strike' ELSE 'Ball' END,
		CASE WHEN n % 2 = 0 THEN 70 + 8 * sin(n * 12.9898) * cos(n * 78.233) END, CASE WHEN n % 6 = 0 THEN 88 + 12 * sin(n * 3.7) END,
		91 + 4 * sin(n * 1.3)
	FROM generate_series(0, 3999) AS n`

func TestTheReportSaysInWhichWayTargetsDiffer(t *testing.T) {
	url := testkit.Postgres(t)
	live := Options{Postgres: config.Postgres{URL: secret(t, url), Schema: "pitchstream"}, Group: "g", TopicRaw: "pitches.raw"}
	other := schemas.Target{Name: "better", Schema: "pitchstream_better", Prefix: "p", Group: "g.better", Rows: "r", Dead: "d"}
	for _, schema := range []string{"pitchstream", other.Schema} {
		migrate(t, config.Postgres{URL: live.Postgres.URL, Schema: schema})
		run := func(sql string) {
			db, err := pgx.Connect(t.Context(), url)
			require.NoError(t, err)
			_, err = db.Exec(t.Context(), "SET search_path = "+schema+"; "+sql)
			require.NoError(t, err)
			require.NoError(t, db.Close(t.Context()))
		}
		run(season)
		if schema == other.Schema {
			run(`
				UPDATE pitch_registers SET bat_speed_mph = bat_speed_mph - 3 WHERE venue = 'South';
				UPDATE pitch_registers SET exit_velocity_mph = NULL WHERE game_pk = '7004';
				UPDATE pitch_registers SET is_swing = false WHERE source_offset IN (0, 2, 4);
				UPDATE pitch_registers SET deleted = true WHERE game_pk = '7006';
				UPDATE pitch_registers SET launch_angle_deg = 12 WHERE is_swing`)
		}
	}
	c, err := open(live)
	require.NoError(t, err)
	defer c.close()
	require.NoError(t, c.books.Ensure(t.Context()))
	require.NoError(t, c.books.Register(t.Context(), other))

	d, err := Diff(t.Context(), live, "live", "better")
	require.NoError(t, err)
	r := d.Report
	column := func(name string) schemas.ColumnReport {
		return r.Columns[slices.IndexFunc(r.Columns, func(c schemas.ColumnReport) bool { return c.Name == name })]
	}
	speed := column("bat_speed_mph")
	require.EqualValues(t, []int64{0, 1000, 0, 0}, []int64{speed.Up, speed.Down, speed.Lost, speed.Gained})
	require.InDelta(t, -3*1000.0/1900, speed.MeanChange.Value, 1e-6)
	require.Negative(t, speed.Shift)
	require.InDelta(t, 70, speed.A.P50.Value, 0.5)
	require.Less(t, speed.B.P50.Value, speed.A.P50.Value-0.5)
	require.Len(t, speed.Edges, len(speed.A.Bars)+1)
	for _, p := range []schemas.ColumnProfile{speed.A, speed.B} {
		bars := int64(0)
		for _, n := range p.Bars {
			bars += n
		}
		require.Equal(t, p.Rows-p.Missing, bars, "each value is in one bar")
		require.LessOrEqual(t, len(p.Bars), 30)
		rising := []float64{p.Min.Value, p.P05.Value, p.P25.Value, p.P50.Value, p.P75.Value, p.P95.Value}
		require.True(t, slices.IsSorted(append(rising, p.Max.Value)), "%v", rising)
	}
	lost := column("exit_velocity_mph")
	require.Positive(t, lost.Lost)
	require.Zero(t, lost.Gained+lost.Up+lost.Down)
	require.Contains(t, r.Transitions, schemas.Transition{Column: "is_swing", A: "true", B: "false", Pitches: 3})
	require.Equal(t, "7006", r.Games[0].Name)
	require.EqualValues(t, 200, r.Games[0].OnlyA)
	require.Len(t, r.Venues, 2)
	require.Equal(t, "South", r.Venues[0].Name)
	require.Equal(t, "bat_speed_mph", r.Venues[0].Column)
	require.InDelta(t, -3, r.Venues[0].MeanChange, 1e-6)
	require.NotEmpty(t, r.Pitches)
	require.NotEqual(t, "launch_angle_deg", r.Pitches[0].Values[0].Column, "a new column")

	loss, err := c.books.Loss(t.Context(), schemas.Target{Name: "live", Schema: "pitchstream", Group: "g"}, other, "pitches.raw")
	require.NoError(t, err)
	require.EqualValues(t, []int64{3800, 200}, []int64{loss.Both, loss.Pitches})
	require.EqualValues(t, 1000+lost.Lost+3, loss.Changed, "launch angles are new, which is no change")

	var text strings.Builder
	PrintReport(&text, d)
	require.Contains(t, text.String(), "is_swing                         true → false  3 pitches")
	path := filepath.Join(t.TempDir(), "diff.html")
	require.NoError(t, WriteHTMLFile(path, d, time.Now()))
	page, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(page), "North &lt;Park&gt;")
	require.NotContains(t, string(page), "<Park>")
	if keep := os.Getenv("PITCHSTREAM_TEST_PAGE"); keep != "" {
		require.NoError(t, os.WriteFile(keep, page, 0o600))
	}
}
