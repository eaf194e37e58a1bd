package pgsink

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/sink/sinktest"
)

// openTargets is the list of targets beside a live schema.
func openTargets(t *testing.T, live *Sink) *pgadmin.Targets {
	t.Helper()
	targets, err := pgadmin.OpenTargets(*live.cfg, "pitchstream_serving")
	require.NoError(t, err)
	t.Cleanup(targets.Close)
	require.NoError(t, targets.Ensure(t.Context()))
	return targets
}

// guard: target: a writer forgets changes
func TestTheWriterOfATargetForgetsChanges(t *testing.T) {
	owner := open(t)
	name := role(t, owner)
	require.NoError(t, pgadmin.New(owner.DB()).Grant(t.Context(), pgadmin.Roles{Writer: name}))
	targets := openTargets(t, owner)
	better := openAt(t, owner.cfg.URL, "pitchstream_better")
	require.NoError(t, targets.Register(t.Context(), schemas.Target{Name: "better", Schema: better.cfg.Schema}))
	writer := as(t, better, name, 1)
	w := sinktest.NewGenerator(1, 5)
	for i := range 3 {
		_, err := writer.Apply(t.Context(), sinktest.BatchOf(w.Upsert(i, 1)))
		require.NoError(t, err)
	}
	gone, err := pgbooks.NewChanges(writer.DB()).Forget(t.Context(), time.Hour, 1)
	require.NoError(t, err)
	require.Equal(t, int64(2), gone)
	requireDenied(t, writer, `INSERT INTO schema_migrations VALUES (999, 'x', 'x')`)
}

// guard: target: what live does not have yet is not copied
func TestATargetIsMadeBesideALiveSchemaThatIsNotMigratedYet(t *testing.T) {
	live := open(t)
	_, err := pgbooks.NewPlayers(live.DB()).Set(t.Context(), []schemas.Player{{ID: 7, Name: "Seven", Team: "T"}})
	require.NoError(t, err)
	_, err = raw(t, live).Exec(t.Context(), `DROP TABLE games CASCADE`)
	require.NoError(t, err)
	targets := openTargets(t, live)
	better := openAt(t, live.cfg.URL, "pitchstream_better")
	_, err = raw(t, better).Exec(t.Context(), `ALTER TABLE players ADD COLUMN born date`)
	require.NoError(t, err)
	require.NoError(t, targets.Register(t.Context(), schemas.Target{Name: "better", Schema: better.cfg.Schema}))
	list, _, err := openReader(t, better).Players(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, []schemas.Player{{ID: 7, Name: "Seven", Team: "T"}}, list)
}

// Analysts and BI tools make views on the views of the target that readers see. A target of a newer build has
// more columns and views, and a rollback from it must work at once.
//
// guard: target: views of others survive a rollback
func TestViewsOfOthersSurviveARollback(t *testing.T) {
	live := open(t)
	w := sinktest.NewGenerator(1, 5)
	_, err := live.Apply(t.Context(), sinktest.BatchOf(w.Upsert(0, 1)))
	require.NoError(t, err)
	targets := openTargets(t, live)
	better := openAt(t, live.cfg.URL, "pitchstream_better")
	_, err = better.Apply(t.Context(), sinktest.BatchOf(w.Upsert(0, 1), w.Upsert(1, 1)))
	require.NoError(t, err)
	require.NoError(t, targets.Register(t.Context(), schemas.Target{Name: "better", Schema: better.cfg.Schema}))
	db := raw(t, better)
	exec := func(sql string) {
		t.Helper()
		_, err := db.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	exec(`ALTER VIEW pitches RENAME TO before;
		CREATE VIEW pitches AS SELECT *, 7 AS extra FROM before; CREATE VIEW fresh AS SELECT 1 AS one`)
	promote := func(name string) error {
		_, _, err := targets.Promote(t.Context(), name, schemas.Promotion{})
		return err
	}
	require.NoError(t, promote("better"))
	exec(`CREATE VIEW public.extras AS SELECT pitch_id, extra FROM pitchstream_serving.pitches;
		CREATE VIEW public.ones AS SELECT one FROM pitchstream_serving.fresh`)
	figures := func() (n [3]int) {
		t.Helper()
		err := db.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM public.extras), (SELECT count(extra) FROM public.extras),
			(SELECT count(*) FROM public.ones)`).Scan(&n[0], &n[1], &n[2])
		require.NoError(t, err)
		return n
	}
	require.Equal(t, [3]int{2, 2, 1}, figures())
	require.NoError(t, promote("live"))
	require.Equal(t, [3]int{1, 0, 0}, figures())
	require.NoError(t, promote("better"))
	require.Equal(t, [3]int{2, 2, 1}, figures())
	require.NoError(t, promote("live"))

	exec(`DROP VIEW fresh; CREATE VIEW fresh AS SELECT 'a text' AS one`)
	require.ErrorContains(t, promote("better"), "view ones depends on view pitchstream_serving.fresh")
	exec(`DROP VIEW public.extras, public.ones`)
	require.NoError(t, promote("better"))
	require.NoError(t, promote("live"))
	var n int
	err = db.QueryRow(t.Context(), `SELECT count(*) FROM pg_attribute
		WHERE attrelid = 'pitchstream_serving.pitches'::regclass AND attname = 'extra'`).Scan(&n)
	require.NoError(t, err)
	require.Zero(t, n, "without views of others there is no column that the target lacks")
}

// guard: target: models of one target only are no difference
func TestScoresOfOneTargetAreNoDifference(t *testing.T) {
	live, models := scored(t)
	better := openAt(t, live.cfg.URL, "pitchstream_better")
	_, err := better.EnsurePositions(t.Context(), []schemas.Position{{Topic: "t"}})
	require.NoError(t, err)
	addVersion(t, models, "1")
	setState(t, models, 1, schemas.ModelLive)
	for _, s := range []*Sink{live, better} {
		g := sinktest.NewGenerator(7, 20)
		for _, b := range g.Batches(g.Changes(100)) {
			_, err := s.Apply(t.Context(), b)
			require.NoError(t, err)
		}
	}
	var shown int
	const count = `SELECT count(*) FROM batter_stats WHERE last_pitch ? 'scores'`
	require.NoError(t, raw(t, live).QueryRow(t.Context(), count).Scan(&shown))
	require.Positive(t, shown)
	a, b := schemas.Target{Name: "live", Schema: "pitchstream"}, schemas.Target{Name: "better", Schema: better.cfg.Schema}
	a.Group, b.Group = "g", "g"
	d, err := openTargets(t, live).Diff(t.Context(), a, b, "t")
	require.NoError(t, err)
	require.Positive(t, d.Batters.InA)
	require.False(t, d.Different(), "%+v", d)
}
