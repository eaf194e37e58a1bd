package main

import (
	"cmp"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
	"github.com/pitchstream/pitchstream/sink/sinktest"
)

// batter is one line of the example's result.
type batter struct {
	ID                int64
	Swings, Confirmed int64
	AttackAngle       *float64
	MedianBatSpeed    *float64
}

func TestExamplePostgres(t *testing.T) {
	changes := game(t)
	conn := migrated(t, changes)
	rows, err := conn.Query(t.Context(), example(t, "postgres"))
	require.NoError(t, err)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[batter])
	require.NoError(t, err)

	want := batters(changes)
	require.NotEmpty(t, want)
	want = want[:min(len(want), 10)]
	require.Len(t, found, len(want))
	for i := range want {
		closeTo(t, want[i].AttackAngle, found[i].AttackAngle)
		closeTo(t, want[i].MedianBatSpeed, found[i].MedianBatSpeed)
		found[i].AttackAngle, found[i].MedianBatSpeed = want[i].AttackAngle, want[i].MedianBatSpeed
		require.Equal(t, want[i], found[i])
	}
}

// The columns of the database have the types that docs/DATA.md states. Those that came later stand at the
// end.
func TestColumnTypesEqualTheDatabase(t *testing.T) {
	conn := migrated(t, nil)
	for view, columns := range map[string][]schemas.Column{
		"pitches":           schemas.StoredColumns,
		"batter_stats":      schemas.StatsColumns,
		"batter_game_stats": schemas.StatsColumns,
	} {
		rows, err := conn.Query(t.Context(), `
			SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a
			WHERE a.attrelid = $1::regclass AND a.attname = ANY ($2) ORDER BY a.attnum`, "pitchstream."+view, names(columns))
		require.NoError(t, err)
		found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[column])
		require.NoError(t, err)
		require.ElementsMatch(t, described(columns), found, view)
	}
}

// column is a column of the database.
type column struct{ Name, Type string }

func names(columns []schemas.Column) (names []string) {
	for _, c := range columns {
		names = append(names, c.Name)
	}
	return names
}

// described returns the names with the types as Postgres spells them out.
func described(columns []schemas.Column) (all []column) {
	long := map[string]string{"float8": "double precision", "int": "integer",
		"timestamptz": "timestamp with time zone"}
	for _, c := range columns {
		all = append(all, column{c.Name, cmp.Or(long[c.SQL], c.SQL)})
	}
	return all
}

// migrated returns a connection to a new database that holds the changes.
func migrated(t *testing.T, changes []schemas.Change) *pgx.Conn {
	t.Helper()
	url := testkit.Postgres(t)
	sink, err := pgsink.Open(pgsink.Config{URL: url, Schema: "pitchstream", Group: "g", Build: "test",
		CoreVersion: features.CoreVersion})
	require.NoError(t, err)
	defer sink.Close()
	_, err = pgadmin.New(sink.DB()).Migrate(t.Context())
	require.NoError(t, err)
	if len(changes) > 0 {
		_, err = sink.Apply(t.Context(), sinktest.BatchOf(changes...))
		require.NoError(t, err)
	}
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	return conn
}

// batters computes the example's result by plain loops.
func batters(changes []schemas.Change) (all []batter) {
	byBatter := map[int64][]*schemas.Row{}
	for _, c := range changes {
		if c.Row.BatterID.Present {
			byBatter[c.Row.BatterID.Value] = append(byBatter[c.Row.BatterID.Value], c.Row)
		}
	}
	for id, rows := range byBatter {
		b := batter{ID: id}
		var angles, speeds []float64
		for _, r := range rows {
			if r.IsSwing {
				b.Swings++
			}
			if r.SwingConfidence == schemas.SwingConfirmed {
				b.Confirmed++
				if r.AttackAngleDeg.Present {
					angles = append(angles, r.AttackAngleDeg.Value)
				}
			}
			if r.SpeedConfidence == schemas.SpeedReliable {
				speeds = append(speeds, r.BatSpeedMPH.Value)
			}
		}
		b.AttackAngle, b.MedianBatSpeed = of(mean, angles), of(median, speeds)
		all = append(all, b)
	}
	slices.SortFunc(all, func(a, b batter) int {
		return cmp.Or(cmp.Compare(b.Confirmed, a.Confirmed), cmp.Compare(a.ID, b.ID))
	})
	return all
}

func mean(values []float64) (m float64) {
	for _, v := range values {
		m += v / float64(len(values))
	}
	return m
}

// of returns f of the values, or nil when there are none.
func of(f func([]float64) float64, values []float64) *float64 {
	if len(values) == 0 {
		return nil
	}
	v := f(values)
	return &v
}

func closeTo(t *testing.T, want, found *float64) {
	t.Helper()
	require.Equal(t, want == nil, found == nil)
	if want != nil {
		require.InDelta(t, *want, *found, 1e-9)
	}
}
