package pgsink

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/sink/sinktest"
)

// byBatter scores swings with the batter, so that a score shows of which row it was made.
type byBatter []schemas.Model

func (m byBatter) Score(row *schemas.Row) (scores []schemas.Score) {
	if !row.IsSwing {
		return nil
	}
	for _, v := range m {
		s := schemas.Score{Model: v.Name, Version: v.Version, IsShadow: v.IsShadow}
		s.Label = schemas.Text(fmt.Sprintf("batter %d", row.BatterID.Value))
		s.Value = row.ExitVelocityMPH
		scores = append(scores, s)
	}
	return scores
}

func newByBatter(models []schemas.Model) (schemas.Scorer, error) {
	if len(models) == 0 {
		return nil, nil
	}
	return byBatter(models), nil
}

// scored is a sink that scores, with the books of its models.
func scored(t *testing.T) (*Sink, pgbooks.Models) {
	s := open(t)
	s.cfg.NewScorer = newByBatter
	_, err := s.EnsurePositions(t.Context(), []schemas.Position{{Topic: "t"}})
	require.NoError(t, err)
	return s, pgbooks.NewModels(s.DB())
}

func addVersion(t *testing.T, books pgbooks.Models, content string) int32 {
	t.Helper()
	entry := schemas.ModelEntry{Name: "m", Kind: "k", Trained: json.RawMessage("{}"), Figures: json.RawMessage("{}"), AddedBy: "test"}
	version, _, err := books.Add(t.Context(), entry, []byte(content))
	require.NoError(t, err)
	return version
}

func setState(t *testing.T, books pgbooks.Models, version int32, state string) {
	t.Helper()
	_, err := books.SetState(t.Context(), "m", version, state, "test")
	require.NoError(t, err)
}

// requireScores fails unless the current swings, and only they, have one score each as by this version.
func requireScores(t *testing.T, s *Sink, books pgbooks.Models, version int32) {
	t.Helper()
	rows, err := pgbooks.New(s.DB()).Rows(t.Context())
	require.NoError(t, err)
	want := map[schemas.PitchID][]schemas.Score{}
	scorer := byBatter{{Name: "m", Version: version}}
	for i := range rows {
		if scores := scorer.Score(&rows[i].Row); scores != nil {
			want[rows[i].PitchID] = scores
		}
	}
	got, err := books.AllScores(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// Corrections, deletes, late identifies, repeated and older batches: each current swing has the score of what
// it is now.
// guard: a pitch that a model does not score any more has no score
// guard: at once: rows are scored in steps
func TestEveryCurrentRowIsScoredAsItIs(t *testing.T) {
	s, books := scored(t)
	setState(t, books, addVersion(t, books, "1"), schemas.ModelLive)
	g := sinktest.NewGenerator(7, 40)
	for _, b := range g.Batches(g.Changes(400)) {
		_, err := s.Apply(t.Context(), b)
		require.NoError(t, err)
	}
	requireScores(t, s, books, 1)
}

// guard: at once: a batch that knows no model sees that one scores
// guard: the versions that score are those that the transaction reads
func TestEveryBatchIsScoredByTheVersionThatItReads(t *testing.T) {
	s, books := scored(t)
	g := sinktest.NewGenerator(1, 1)
	one, two := addVersion(t, books, "1"), addVersion(t, books, "2")
	swing := func(i int) schemas.Change {
		c := g.Upsert(i, 1)
		c.Row.IsSwing = true
		return c
	}
	versions := func() (all []int32) {
		scores, err := books.AllScores(t.Context())
		require.NoError(t, err)
		for i := range 4 {
			for _, score := range scores[sinktest.PitchID(i)] {
				all = append(all, score.Version)
			}
		}
		return all
	}
	apply := func(i int) schemas.Outcome {
		out, err := s.Apply(t.Context(), sinktest.BatchOf(swing(i)))
		require.NoError(t, err)
		return out
	}
	require.Nil(t, apply(0).Published[0].Scores)
	require.Empty(t, versions())
	setState(t, books, one, schemas.ModelLive)
	require.Len(t, apply(1).Published[0].Scores, 1)
	require.Equal(t, []int32{1}, versions())
	setState(t, books, two, schemas.ModelShadow)
	require.Len(t, apply(2).Published[0].Scores, 2)
	require.Equal(t, []int32{1, 1}, versions())
	setState(t, books, two, schemas.ModelLive)
	apply(3)
	require.Equal(t, []int32{1, 1, 2}, versions())
	now, was, err := books.Rollback(t.Context(), "m", "test", anyFile)
	require.NoError(t, err)
	require.Equal(t, []int32{1, 2}, []int32{now, was})
	apply(3)
	require.Equal(t, []int32{1, 1, 1}, versions())
	setState(t, books, one, schemas.ModelRetired)
	require.Nil(t, apply(3).Published[0].Scores)
	require.Empty(t, versions(), "a model without a live version says nothing")
}

// The live version is retired because it is bad. A rollback must not bring it back.
// guard: models: a rollback passes over the version that was live last
func TestARollbackAfterARetireTakesTheVersionBefore(t *testing.T) {
	_, books := scored(t)
	one, two := addVersion(t, books, "1"), addVersion(t, books, "2")
	setState(t, books, one, schemas.ModelLive)
	setState(t, books, one, schemas.ModelRetired)
	_, _, err := books.Rollback(t.Context(), "m", "test", anyFile)
	require.ErrorIs(t, err, pgbooks.ErrNoPrevious, "nothing was live before it")
	setState(t, books, one, schemas.ModelLive)
	setState(t, books, two, schemas.ModelLive)
	setState(t, books, two, schemas.ModelRetired)
	now, was, err := books.Rollback(t.Context(), "m", "test", anyFile)
	require.NoError(t, err)
	require.Equal(t, []int32{one, 0}, []int32{now, was})
	now, was, err = books.Rollback(t.Context(), "m", "test", anyFile)
	require.NoError(t, err)
	require.Equal(t, []int32{two, one}, []int32{now, was}, "a second rollback changes back")
}

// A Postgres that was restored from a backup has lost the newest changes of models. Batches are scored by the
// versions that it has, and a later change is seen although as many were made as before.
// guard: models: no generation comes twice
func TestAStoreThatCameBackOlderIsScoredByItsVersions(t *testing.T) {
	s, books := scored(t)
	one, two := addVersion(t, books, "1"), addVersion(t, books, "2")
	g := sinktest.NewGenerator(1, 1)
	loads := 0
	s.cfg.NewScorer = func(models []schemas.Model) (schemas.Scorer, error) {
		loads++
		return newByBatter(models)
	}
	pitches := 0
	apply := func() (versions []int32) {
		c := g.Upsert(pitches, 1)
		pitches++
		c.Row.IsSwing = true
		out, err := s.Apply(t.Context(), sinktest.BatchOf(c))
		require.NoError(t, err)
		for _, score := range out.Published[0].Scores {
			versions = append(versions, score.Version)
		}
		return versions
	}
	generation := int64(0)
	read := func() {
		require.NoError(t, pg.ScanOne(t.Context(), s.DB(), []any{&generation}, sqlGeneration))
	}
	read()
	setState(t, books, one, schemas.ModelLive)
	require.Equal(t, []int32{1}, apply())

	restore := func() {
		for _, sql := range []string{
			`UPDATE {schema}.models SET state = 'candidate'`,
			fmt.Sprintf(`UPDATE {schema}.model_generation SET generation = %d`, generation),
		} {
			_, err := pg.Exec(t.Context(), s.DB(), sql)
			require.NoError(t, err)
		}
	}
	restore()
	setState(t, books, two, schemas.ModelLive)
	require.Equal(t, []int32{2}, apply())
	restore()
	loads = 0
	require.Empty(t, apply())
	require.Empty(t, apply())
	require.Equal(t, 1, loads, "an older generation is remembered, too")
}

func TestAProgramWithoutAScorerDoesNotWriteWhileModelsScore(t *testing.T) {
	s, books := scored(t)
	s.cfg.NewScorer = noScorer
	setState(t, books, addVersion(t, books, "1"), schemas.ModelLive)
	_, err := s.Apply(t.Context(), sinktest.BatchOf(sinktest.NewGenerator(1, 1).Upsert(0, 1)))
	require.ErrorIs(t, err, errCannotScore)
}

// The contract of a store holds while models score, too.
func TestAStoreThatScoresKeepsItsContract(t *testing.T) {
	sinktest.Exercise(t, func(t *testing.T) sinktest.Fixture {
		owner := open(t)
		books := pgbooks.NewModels(owner.DB())
		setState(t, books, addVersion(t, books, "1"), schemas.ModelLive)
		return sinktest.Fixture{
			Open: func(t *testing.T, core int32) sinktest.Store {
				s, err := Open(Config{
					URL: owner.cfg.URL, Schema: "pitchstream", Group: "g", Build: "test", CoreVersion: core, NewScorer: newByBatter,
				})
				require.NoError(t, err)
				t.Cleanup(s.Close)
				return whole(s)
			},
			Refuse:      func(t *testing.T, venue string) { refuseVenue(t, owner, venue) },
			RefuseNames: func(t *testing.T, batter int64) { refuseNames(t, owner, batter) },
		}
	})
}

// anyFile lets every model file score.
func anyFile([]byte) error { return nil }
