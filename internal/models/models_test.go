package models

import (
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/scoring"
	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/sink/sinktest"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// A model is trained, looked at, promoted, and taken back, while a store writes rows. One of another build is
// not promoted.
// guard: models: processors see that another version scores
// guard: models: what this build cannot score with does not stop the stream
func TestAModelFromTrainingToRollback(t *testing.T) {
	ctx := t.Context()
	o := Options{By: "tester", Postgres: pgsink.Config{
		URL: testkit.Postgres(t), Schema: "pitchstream", Group: "g", Build: "test", CoreVersion: 2,
	}}
	store, err := pgsink.Open(pgsink.Config{
		URL: o.Postgres.URL, Schema: "pitchstream", Group: "g", Build: "test", CoreVersion: 2, NewScorer: scoring.New,
	})
	require.NoError(t, err)
	t.Cleanup(store.Close)
	_, err = pgadmin.New(store.DB()).Migrate(ctx)
	require.NoError(t, err)
	_, err = store.EnsurePositions(ctx, []schemas.Position{{Topic: "t"}})
	require.NoError(t, err)
	g := sinktest.NewGenerator(1, 600)
	write := func(from, to int) {
		var changes []schemas.Change
		for i := from; i < to; i++ {
			c := g.Upsert(i, 1)
			r := c.Row
			f := func(low float64, spread int) schemas.Opt[float64] {
				return schemas.Some(low + float64((i*7919)%spread))
			}
			r.IsSwing, r.ContactConfidence = true, schemas.SpeedReliable
			r.ContactBatSpeedMPH, r.ContactAttackAngleDeg = f(60, 23), f(0, 19)
			r.ContactAttackDirectionPullDeg = f(-9, 17)
			r.SwingPathTiltDeg, r.SwingLengthFT, r.TimeToContactS = f(20, 13), f(5, 5), f(0.1, 3)
			changes = append(changes, c)
		}
		_, err := store.Apply(ctx, sinktest.BatchOf(changes...))
		require.NoError(t, err)
	}
	write(0, 500)
	fit := FitOptions{
		Kind: scoring.KindArchetypes, Clusters: 3, Seed: 1,
		Since: time.Unix(0, 0), Until: time.Now().AddDate(50, 0, 0),
	}
	a, err := Fit(ctx, o, fit)
	require.NoError(t, err)
	require.True(t, a.IsNew)
	again, err := Fit(ctx, o, fit)
	require.NoError(t, err)
	require.False(t, again.IsNew, "the same rows and seed give the same file")
	fit.Clusters = 4
	_, err = Fit(ctx, o, fit)
	require.NoError(t, err)

	c, err := Promote(ctx, o, "archetypes", 1, schemas.ModelLive)
	require.NoError(t, err)
	require.Equal(t, Changed{Name: "archetypes", Version: 1, State: schemas.ModelLive}, c)
	write(500, 510)
	c, err = Promote(ctx, o, "archetypes", 0, schemas.ModelLive)
	require.NoError(t, err)
	require.Equal(t, Changed{Name: "archetypes", Version: 2, State: schemas.ModelLive, Was: 1}, c)
	write(510, 520)
	c, err = Rollback(ctx, o, "archetypes")
	require.NoError(t, err)
	require.Equal(t, Changed{Name: "archetypes", Version: 1, State: schemas.ModelLive, Was: 2}, c)
	write(520, 530)
	scores, err := pgbooks.NewModels(store.DB()).AllScores(ctx)
	require.NoError(t, err)
	versions := map[int32]int{}
	for _, s := range scores {
		require.Len(t, s, 1)
		require.NotEmpty(t, s[0].Label)
		versions[s[0].Version]++
	}
	require.Equal(t, map[int32]int{1: 20, 2: 10}, versions)

	past := ScoreOptions{Name: "archetypes", Since: time.Unix(0, 0), MaxLiveLag: time.Second, Log: slog.Default()}
	scored, err := Score(ctx, o, past)
	require.NoError(t, err)
	require.Equal(t, Scored{Name: "archetypes", Version: 1, Pitches: 530}, scored)
	scores, err = pgbooks.NewModels(store.DB()).AllScores(ctx)
	require.NoError(t, err)
	require.Len(t, scores, 530)
	for _, s := range scores {
		require.Equal(t, int32(1), s[0].Version)
	}
	past.Version, past.MaxLiveLag = 2, 0
	_, err = Score(ctx, o, past)
	require.ErrorIs(t, err, pgsink.ErrNotScoring, "2 is retired")

	later := schemas.ModelEntry{Name: "later", Kind: "later", Trained: []byte("{}"), Figures: []byte("{}")}
	_, _, err = pgbooks.NewModels(store.DB()).Add(ctx, later, []byte(`{"format":"later"}`))
	require.NoError(t, err)
	_, err = Promote(ctx, o, "later", 1, schemas.ModelLive)
	require.ErrorContains(t, err, "this build reads")
	// Another build has made it live, and another version after it.
	books := pgbooks.NewModels(store.DB())
	_, err = books.SetState(ctx, "later", 1, schemas.ModelLive, "later")
	require.NoError(t, err)
	content, err := books.Content(ctx, "archetypes", 1)
	require.NoError(t, err)
	later.Kind = scoring.KindArchetypes
	_, _, err = books.Add(ctx, later, content)
	require.NoError(t, err)
	_, err = Promote(ctx, o, "later", 2, schemas.ModelLive)
	require.NoError(t, err)
	_, err = Rollback(ctx, o, "later")
	require.ErrorContains(t, err, "this build reads")
	write(530, 540)

	list, err := List(ctx, o, "archetypes")
	require.NoError(t, err)
	require.Len(t, list, 2)
	d, err := Show(ctx, o, "archetypes", 0)
	require.NoError(t, err)
	require.Equal(t, int32(1), d.Version)
	require.Equal(t, schemas.ModelLive, d.State)
	require.True(t, json.Valid(d.Content))
	_, err = Show(ctx, o, "other", 0)
	require.ErrorIs(t, err, pgbooks.ErrNoModel)
	_, err = Rollback(ctx, o, "other")
	require.ErrorIs(t, err, pgbooks.ErrNoPrevious)
}
