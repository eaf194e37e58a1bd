package pgsink

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/sink/sinktest"
)

// writeSwings writes pitches that are swings, but every fourth.
func writeSwings(t *testing.T, s *Sink, g *sinktest.Generator, from, to int, revision int64) {
	t.Helper()
	var changes []schemas.Change
	for i := from; i < to; i++ {
		c := g.Upsert(i, revision)
		c.Row.IsSwing = i%4 > 0
		changes = append(changes, c)
	}
	_, err := s.Apply(t.Context(), sinktest.BatchOf(changes...))
	require.NoError(t, err)
}

// probe calls look each time that a row is scored.
type probe struct {
	schemas.Scorer
	look func(*schemas.Row)
}

func (p probe) Score(row *schemas.Row) []schemas.Score {
	p.look(row)
	return p.Scorer.Score(row)
}

// guard: models: the pitch with the zero UUID is scored too
func TestThePitchWithTheZeroUUIDIsScored(t *testing.T) {
	s, books := scored(t)
	c := sinktest.NewGenerator(3, 200).Upsert(1, 1)
	c.PitchID, c.Row.PitchID, c.Row.IsSwing = schemas.PitchID{}, schemas.PitchID{}, true
	_, err := s.Apply(t.Context(), sinktest.BatchOf(c))
	require.NoError(t, err)
	setState(t, books, addVersion(t, books, "1"), schemas.ModelLive)
	all := Scoring{Model: "m", Version: 1, Since: time.Unix(0, 0)}
	past := NewPast(s)
	_, err = past.Start(t.Context(), all)
	require.NoError(t, err)
	done, isFinished, err := past.Step(t.Context(), all, 30)
	require.NoError(t, err)
	require.True(t, isFinished)
	require.EqualValues(t, 1, done)
	require.Equal(t, ScoreReport{Pitches: 1, Scores: 1}, compareScores(t, s, false))
	stored, err := pgbooks.New(s.DB()).Registers(t.Context(), schemas.PitchID{}, 2)
	require.NoError(t, err)
	require.Len(t, stored, 1)
}

// guard: models: the progress of a scoring moves with its scores
// guard: models: a version that is not live any more overwrites no score
func TestThePastIsScoredOnAfterAnInterruption(t *testing.T) {
	s, books := scored(t)
	g := sinktest.NewGenerator(3, 200)
	writeSwings(t, s, g, 0, 100, 1)
	setState(t, books, addVersion(t, books, "1"), schemas.ModelLive)
	all := Scoring{Model: "m", Version: 1, Since: time.Unix(0, 0)}
	first := NewPast(s)
	done, err := first.Start(t.Context(), all)
	require.NoError(t, err)
	require.Zero(t, done)
	done, finished, err := first.Step(t.Context(), all, 30)
	require.NoError(t, err)
	require.False(t, finished)
	require.EqualValues(t, 30, done)

	second := NewPast(s)
	done, err = second.Start(t.Context(), all)
	require.NoError(t, err)
	require.EqualValues(t, 30, done, "it goes on")
	writeSwings(t, s, g, 90, 120, 2)
	for !finished {
		done, finished, err = second.Step(t.Context(), all, 30)
		require.NoError(t, err)
	}
	require.GreaterOrEqual(t, done, int64(100))
	requireScores(t, s, books, 1)

	done, err = second.Start(t.Context(), all)
	require.NoError(t, err)
	require.Zero(t, done, "a finished one begins anew")
	two := addVersion(t, books, "2")
	setState(t, books, two, schemas.ModelLive)
	_, _, err = second.Step(t.Context(), all, 30)
	require.ErrorIs(t, err, ErrNotScoring)
	_, _, err = second.Step(t.Context(), Scoring{Model: "m", Version: two, Since: all.Since}, 30)
	require.ErrorIs(t, err, errStopped)
	requireScores(t, s, books, 1)
}

// A shadow that becomes live has its scores elsewhere. Those of a version that is live again may have been
// overwritten. So their scoring of the past does not go on in the middle.
// guard: models: a scoring does not go on behind another state
func TestAScoringOfThePastBeginsAnewAfterAnotherState(t *testing.T) {
	s, books := scored(t)
	writeSwings(t, s, sinktest.NewGenerator(3, 200), 0, 100, 1)
	one, two := addVersion(t, books, "1"), addVersion(t, books, "2")
	setState(t, books, one, schemas.ModelShadow)
	all := Scoring{Model: "m", Version: one, Since: time.Unix(0, 0)}
	past := NewPast(s)
	begins := func() int64 {
		done, err := past.Start(t.Context(), all)
		require.NoError(t, err)
		return done
	}
	step := func() {
		_, _, err := past.Step(t.Context(), all, 30)
		require.NoError(t, err)
	}
	require.Zero(t, begins())
	step()
	require.EqualValues(t, 30, begins())
	setState(t, books, one, schemas.ModelLive)
	require.Zero(t, begins(), "the scores are those of a shadow")
	step()
	addVersion(t, books, "3")
	require.EqualValues(t, 30, begins(), "a candidate changes nothing")
	setState(t, books, two, schemas.ModelLive)
	setState(t, books, one, schemas.ModelLive)
	require.Zero(t, begins(), "the other one may have scored the same pitches")
}

// guard: models: a row that changes meanwhile is not scored as it was
func TestNobodyChangesARowThatIsBeingScored(t *testing.T) {
	s, books := scored(t)
	writeSwings(t, s, sinktest.NewGenerator(3, 200), 0, 8, 1)
	setState(t, books, addVersion(t, books, "1"), schemas.ModelLive)
	looks := 0
	s.cfg.NewScorer = func(models []schemas.Model) (schemas.Scorer, error) {
		scorer, err := newByBatter(models)
		return probe{scorer, func(*schemas.Row) {
			looks++
			_, err := pg.Exec(t.Context(), s.db,
				`SELECT FROM {schema}.pitch_registers ORDER BY pitch_id LIMIT 1 FOR UPDATE NOWAIT`)
			require.ErrorContains(t, err, "could not obtain lock")
		}}, err
	}
	p, all := NewPast(s), Scoring{Model: "m", Version: 1, Since: time.Unix(0, 0)}
	_, err := p.Start(t.Context(), all)
	require.NoError(t, err)
	_, _, err = p.Step(t.Context(), all, 100)
	require.NoError(t, err)
	require.Equal(t, 8, looks)
}

// A shadow scores the past beside the live version, and changes none of its scores.
func TestAShadowScoresThePast(t *testing.T) {
	s, books := scored(t)
	setState(t, books, addVersion(t, books, "1"), schemas.ModelLive)
	writeSwings(t, s, sinktest.NewGenerator(3, 200), 0, 40, 1)
	setState(t, books, addVersion(t, books, "2"), schemas.ModelShadow)
	p, all := NewPast(s), Scoring{Model: "m", Version: 2, Since: time.Unix(0, 0), Until: time.Now().AddDate(100, 0, 0)}
	_, err := p.Start(t.Context(), all)
	require.NoError(t, err)
	_, finished, err := p.Step(t.Context(), all, 100)
	require.NoError(t, err)
	require.True(t, finished)
	requireScores(t, s, books, 1)
	n := 0
	require.NoError(t, pg.ScanOne(t.Context(), s.db, []any{&n},
		`SELECT count(*) FROM {schema}.shadow_registers WHERE is_current AND version = 2`))
	require.Equal(t, 30, n)
}

// compareScores compares everything in steps.
func compareScores(t *testing.T, s *Sink, repair bool) (r ScoreReport) {
	t.Helper()
	p := NewPast(s)
	last, more, err := schemas.PitchID{}, true, error(nil)
	for more {
		last, more, err = p.Compare(t.Context(), last, 7, repair, &r)
		require.NoError(t, err)
	}
	return r
}

// Rows that a processor with a wrong clock wrote before a model was live have no score, and none is missing.
//
// guard: scores: none is missing where a wrong clock wrote a row before the model
func TestARowOfAWrongClockBeforeAModelLacksNoScore(t *testing.T) {
	s, books := scored(t)
	g := sinktest.NewGenerator(3, 200)
	s.cfg.Now = func() time.Time { return time.Now().Add(time.Hour) }
	writeSwings(t, s, g, 0, 20, 1)
	setState(t, books, addVersion(t, books, "1"), schemas.ModelLive)
	writeSwings(t, s, g, 20, 40, 1)
	require.Equal(t, ScoreReport{Pitches: 40, Scores: 15, Unscored: 15}, compareScores(t, s, true))
}

func TestACompareOfScoresFindsWhatDiffersAndRepairsIt(t *testing.T) {
	s, books := scored(t)
	require.Equal(t, ScoreReport{}, compareScores(t, s, true), "no model scores")
	g := sinktest.NewGenerator(3, 200)
	writeSwings(t, s, g, 0, 20, 1)
	setState(t, books, addVersion(t, books, "1"), schemas.ModelLive)
	s.cfg.Now = func() time.Time { return time.Now().Add(time.Hour) }
	writeSwings(t, s, g, 20, 60, 1)
	setState(t, books, addVersion(t, books, "2"), schemas.ModelLive)
	writeSwings(t, s, g, 60, 80, 1)
	require.Equal(t, ScoreReport{Pitches: 80, Scores: 45, Unscored: 15}, compareScores(t, s, true))

	change := func(sql string, args ...any) {
		n, err := pg.Exec(t.Context(), s.db, sql, args...)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
	}
	id := func(i int) [16]byte { return sinktest.PitchID(i) }
	change(`UPDATE {schema}.score_registers SET label = 'other', value = 1e9 WHERE pitch_id = $1`, id(21))
	change(`DELETE FROM {schema}.score_registers WHERE pitch_id = $1`, id(22))
	change(`INSERT INTO {schema}.score_registers (pitch_id, model, version, scored_at) VALUES ($1, 'm', 1, now())`, id(24))
	change(`INSERT INTO {schema}.score_registers (pitch_id, model, version, scored_at) VALUES ($1, 'm', 2, now())`, id(9999))
	kinds := func(r ScoreReport) map[string]string {
		found := map[string]string{}
		for _, d := range r.Differences {
			found[fmt.Sprint(*d.PitchID)] = d.Kind + fmt.Sprint(len(d.Fields), d.Repaired)
		}
		return found
	}
	want := func(repaired bool) map[string]string {
		text := func(i int) string { return fmt.Sprint(sinktest.PitchID(i)) }
		end := fmt.Sprint(repaired)
		return map[string]string{
			text(21): "content2 " + end, text(22): "missing0 " + end, text(24): "extra0 " + end, text(9999): "extra0 " + end,
		}
	}
	require.Equal(t, want(false), kinds(compareScores(t, s, false)))
	require.Equal(t, want(true), kinds(compareScores(t, s, true)))
	require.Empty(t, compareScores(t, s, false).Differences)

	// A score of a row that was corrected while no version was live is out of date.
	setState(t, books, 2, schemas.ModelRetired)
	writeSwings(t, s, sinktest.NewGenerator(4, 200), 70, 71, 2)
	writeSwings(t, s, sinktest.NewGenerator(4, 200), 72, 74, 2)
	require.Equal(t, ScoreReport{}, compareScores(t, s, false))
	setState(t, books, 2, schemas.ModelLive)
	stale := compareScores(t, s, true)
	require.NotEmpty(t, stale.Differences)
	require.Empty(t, compareScores(t, s, false).Differences)
}
