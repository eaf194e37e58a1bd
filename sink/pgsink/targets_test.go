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
