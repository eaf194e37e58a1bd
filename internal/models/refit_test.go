package models

import (
	"bytes"
	"math/rand/v2"
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

// season writes days of swings of 20 batters in three groups.
type season struct {
	t       *testing.T
	o       Options
	store   *pgsink.Sink
	changes *sinktest.Generator
	random  *rand.Rand
	swings  int
}

var opening = time.Date(2026, 4, 1, 18, 0, 0, 0, time.UTC)

func newSeason(t *testing.T) *season {
	t.Helper()
	o := Options{By: "night", Postgres: pgsink.Config{
		URL: testkit.Postgres(t), Schema: "pitchstream", Group: "g", Build: "test", CoreVersion: 2,
	}}
	c := o.Postgres
	c.NewScorer = scoring.New
	store, err := pgsink.Open(c)
	require.NoError(t, err)
	t.Cleanup(store.Close)
	_, err = pgadmin.New(store.DB()).Migrate(t.Context())
	require.NoError(t, err)
	return &season{
		t: t, o: o, store: store, changes: sinktest.NewGenerator(1, 600), random: rand.New(rand.NewPCG(1, 9)),
	}
}

// play writes the swings of a day, which are faster by so many miles an hour.
func (s *season) play(day, swings int, faster float64) {
	s.t.Helper()
	centers := [][]float64{
		{76, 14, 12, 36, 8.1, 0.162}, {69, 4, -6, 27, 6.7, 0.146}, {65, 8, 14, 30, 7.6, 0.170},
	}
	scale := []float64{2, 3.5, 4.5, 2, 0.22, 0.005}
	var changes []schemas.Change
	for i := range swings {
		c := s.changes.Upsert(s.swings, 1)
		s.swings++
		batter := s.random.IntN(20)
		x := make([]schemas.Opt[float64], 6)
		for j := range x {
			x[j] = schemas.Some(centers[batter%3][j] + scale[j]*s.random.NormFloat64())
		}
		x[0].Value += faster
		r := c.Row
		r.IsSwing, r.ContactConfidence, r.BatterID = true, schemas.SpeedReliable, schemas.Some(int64(1000+batter))
		r.ContactBatSpeedMPH, r.ContactAttackAngleDeg, r.ContactAttackDirectionPullDeg = x[0], x[1], x[2]
		r.SwingPathTiltDeg, r.SwingLengthFT, r.TimeToContactS = x[3], x[4], x[5]
		r.InterceptXFT, r.InterceptYFT = schemas.Some(s.random.NormFloat64()), schemas.Some(1+s.random.Float64())
		r.InterceptZFT, r.PitchSpeedMPH = schemas.Some(2+s.random.Float64()), schemas.Some(90+10*s.random.Float64())
		r.Balls, r.Strikes = schemas.Some(int16(s.random.IntN(4))), schemas.Some(int16(s.random.IntN(3)))
		c.EventTime = schemas.TimeMSOf(opening.AddDate(0, 0, day).Add(time.Duration(i) * time.Second))
		changes = append(changes, c)
	}
	for len(changes) > 0 {
		n := min(len(changes), 500)
		_, err := s.store.Apply(s.t.Context(), sinktest.BatchOf(changes[:n]...))
		require.NoError(s.t, err)
		changes = changes[n:]
	}
}

// refit trains on the days from one to before another.
func (s *season) refit(name string, from, to int, change ...func(*RefitOptions)) (Refit, error) {
	s.t.Helper()
	o := RefitOptions{
		Name: name, Since: opening.AddDate(0, 0, from), Until: opening.AddDate(0, 0, to),
		Limits: RefitLimits{MinAgreement: 0.9, MaxPSI: 0.2, MaxCalibrationError: 0.03},
	}
	for _, f := range change {
		f(&o)
	}
	r, err := RunRefit(s.t.Context(), s.o, o)
	if err == nil {
		var text bytes.Buffer
		require.NoError(s.t, PrintRefit(&text, r))
		s.t.Log(text.String())
	}
	return r, err
}

func (s *season) isHeld(name string) bool {
	s.t.Helper()
	states, err := pgbooks.NewModels(s.store.DB()).RefitStates(s.t.Context())
	require.NoError(s.t, err)
	for _, state := range states {
		if state.Model == name {
			require.WithinDuration(s.t, time.Now(), state.At.Time(), time.Minute)
			return state.IsHeld
		}
	}
	s.t.Fatalf("no refit of %s", name)
	return false
}

func promoteFirst(o *RefitOptions) { o.PromoteFirst = true }

// A model is trained night after night. The first version waits, and the same rows give no new version. Like
// rows are promoted, and rows that have moved are held until a person decides.
// guard: refit: a candidate beyond a limit is not promoted
// guard: refit: a first version waits for a person
func TestNightsOfRefits(t *testing.T) {
	for name, swings := range map[string]int{"archetypes": 120, "self-batter": 400} {
		t.Run(name, func(t *testing.T) {
			s := newSeason(t)
			for day := range 6 {
				s.play(day, swings, 0)
			}
			r, err := s.refit(name, 0, 3)
			require.NoError(t, err)
			require.Equal(t, schemas.RefitCandidate, r.Result)
			require.True(t, r.IsNew)
			again, err := s.refit(name, 0, 3)
			require.NoError(t, err)
			require.Equal(t, []any{schemas.RefitCandidate, int32(1), false},
				[]any{again.Result, again.Version, again.IsNew})
			r, err = s.refit(name, 0, 3, promoteFirst)
			require.NoError(t, err)
			require.Equal(t, []any{schemas.RefitPromoted, int32(1), int32(0)}, []any{r.Result, r.Version, r.Live})
			r, err = s.refit(name, 0, 3)
			require.NoError(t, err)
			require.Equal(t, []any{schemas.RefitUnchanged, int32(1)}, []any{r.Result, r.Version})

			r, err = s.refit(name, 1, 6)
			require.NoError(t, err)
			require.Equal(t, []any{schemas.RefitPromoted, int32(2), int32(1)}, []any{r.Result, r.Version, r.Live})
			require.Greater(t, len(r.Checks), 6)
			r, err = s.refit(name, 1, 6)
			require.NoError(t, err)
			require.Equal(t, []any{schemas.RefitUnchanged, int32(2), false}, []any{r.Result, r.Version, r.IsNew})
			require.False(t, s.isHeld(name))

			// A version that a person has taken back does not come back by night.
			_, err = Rollback(t.Context(), s.o, name)
			require.NoError(t, err)
			r, err = s.refit(name, 1, 6)
			require.NoError(t, err)
			require.Equal(t, []any{schemas.RefitUnchanged, int32(2), int32(1)}, []any{r.Result, r.Version, r.Live})

			for day := 6; day < 9; day++ {
				s.play(day, swings, 4)
			}
			r, err = s.refit(name, 6, 9)
			require.NoError(t, err)
			require.Equal(t, []any{schemas.RefitHeld, int32(3), int32(1)}, []any{r.Result, r.Version, r.Live})
			beyond := map[string]float64{}
			for _, c := range r.Checks {
				if !c.IsWithin {
					beyond[c.Check+" "+c.Column] = c.Value.Value
				}
			}
			require.Contains(t, beyond, "psi contact_bat_speed_mph")
			if name == "self-batter" { // all are unlike themselves by the live version
				require.Contains(t, beyond, "rank_correlation ")
				delete(beyond, "rank_correlation ")
			}
			require.Len(t, beyond, 1, "the other columns have not moved, and the groups are the same: %v", beyond)
			require.True(t, s.isHeld(name))
			r, err = s.refit(name, 6, 9)
			require.NoError(t, err)
			require.Equal(t, []any{schemas.RefitHeld, int32(3), false}, []any{r.Result, r.Version, r.IsNew})
			d, err := Show(t.Context(), s.o, name, 3)
			require.NoError(t, err)
			require.Len(t, d.Refits, 2)
			require.Equal(t, r.Checks, d.Refits[0].Checks)
			require.Equal(t, "night", d.Refits[0].By)
			var text bytes.Buffer
			require.NoError(t, PrintDetail(&text, d))
			require.Regexp(t, "refit: held, by night; .*psi contact_bat_speed_mph", text.String())
			list, err := List(t.Context(), s.o, name)
			require.NoError(t, err)
			require.Equal(t, []string{"live", "retired", "candidate"},
				schemas.Map(list, func(m schemas.ModelEntry) string { return m.State }))

			_, err = Promote(t.Context(), s.o, name, 3, schemas.ModelLive)
			require.NoError(t, err)
			require.False(t, s.isHeld(name), "a person has decided")
		})
	}
}

// Each limit holds by itself, and a wider one lets the candidate through.
func TestEachLimitOfARefitHolds(t *testing.T) {
	s := newSeason(t)
	s.play(0, 600, 0)
	s.play(1, 600, 1)
	for _, name := range []string{"archetypes", "self-batter"} {
		fit := FitOptions{
			Kind: scoring.KindArchetypes, Clusters: 2, Since: opening, Until: opening.AddDate(0, 0, 1),
		}
		if name == "self-batter" {
			fit.Kind, fit.Of = scoring.KindSelf, scoring.OfBatter
		}
		_, err := Fit(t.Context(), s.o, fit)
		require.NoError(t, err)
		_, err = Promote(t.Context(), s.o, name, 0, schemas.ModelLive)
		require.NoError(t, err)
		wide := RefitLimits{MaxPSI: 9, MaxCalibrationError: 1}
		for check, limits := range map[string]RefitLimits{
			"psi":               {MaxPSI: 1e-6, MaxCalibrationError: 1},
			"agreement":         {MinAgreement: 1, MaxPSI: 9, MaxCalibrationError: 1},
			"calibration_error": {MaxPSI: 9},
		} {
			if check == "calibration_error" && name == "archetypes" {
				continue
			}
			r, err := s.refit(name, 0, 2, func(o *RefitOptions) { o.Limits = limits })
			require.NoError(t, err)
			require.Equal(t, schemas.RefitHeld, r.Result, check)
			for _, c := range r.Checks {
				is := c.Check
				if is == "equal_labels" || is == "adjusted_rand" || is == "rank_correlation" {
					is = "agreement"
				}
				require.True(t, c.IsWithin || is == check, "%s: %v", check, c)
			}
		}
		r, err := s.refit(name, 0, 2, func(o *RefitOptions) { o.Limits = wide })
		require.NoError(t, err)
		require.Equal(t, []any{schemas.RefitPromoted, int32(2), false}, []any{r.Result, r.Version, r.IsNew})
	}
}

func TestARefitThatCannotBe(t *testing.T) {
	s := newSeason(t)
	s.play(0, 199, 0)
	_, err := s.refit("archetypes", 0, 1)
	require.ErrorContains(t, err, "199 swings have all columns")
	require.ErrorContains(t, err, "see --days")
	release, ok, err := pgbooks.New(s.store.DB()).TryLock(t.Context(), "refit archetypes")
	require.NoError(t, err)
	require.True(t, ok)
	_, err = s.refit("archetypes", 0, 1)
	require.ErrorContains(t, err, "another refit of archetypes is running")
	release()
	_, err = s.refit("other", 0, 1)
	require.ErrorContains(t, err, "there is no model other to train again")
	trees := schemas.ModelEntry{Name: "whiff", Kind: scoring.KindTrees, Trained: []byte("{}"), Figures: []byte("{}")}
	_, _, err = pgbooks.NewModels(s.store.DB()).Add(t.Context(), trees, []byte("{}"))
	require.NoError(t, err)
	_, err = s.refit("whiff", 0, 1)
	require.ErrorContains(t, err, "which this program does not train")
	list, err := List(t.Context(), s.o, "archetypes")
	require.NoError(t, err)
	require.Empty(t, list, "nothing is left of a training that failed")
}

// The rows of its period are read where a live version does not sum up its inputs, as one of an older build.
// guard: refit: what was not compared is not replaced
func TestARefitOfAVersionWithoutInputs(t *testing.T) {
	s := newSeason(t)
	s.play(0, 500, 0)
	s.play(1, 500, 4)
	_, err := s.refit("archetypes", 0, 1)
	require.NoError(t, err)
	d, err := Show(t.Context(), s.o, "archetypes", 1)
	require.NoError(t, err)
	f, err := scoring.Parse(d.Content)
	require.NoError(t, err)
	with := f.Trained.Inputs
	require.Len(t, with, 6)
	f.Trained.Inputs = nil
	content, err := f.Encode()
	require.NoError(t, err)
	added, err := Add(t.Context(), s.o, "archetypes", content, AddOptions{})
	require.NoError(t, err)
	r, err := s.refit("archetypes", 1, 2, promoteFirst)
	require.NoError(t, err)
	require.Equal(t, schemas.RefitPromoted, r.Result)
	_, err = Promote(t.Context(), s.o, "archetypes", 1, schemas.ModelLive)
	require.NoError(t, err)
	summed, err := s.refit("archetypes", 1, 2, func(o *RefitOptions) { o.Until = o.Until.Add(-time.Hour * 23) })
	require.NoError(t, err)
	require.Equal(t, schemas.RefitUnchanged, summed.Result, "the same rows")

	s.play(2, 500, 4)
	summed, err = s.refit("archetypes", 2, 3)
	require.NoError(t, err)
	_, err = Promote(t.Context(), s.o, "archetypes", added.Version, schemas.ModelLive)
	require.NoError(t, err)
	reread, err := s.refit("archetypes", 2, 3)
	require.NoError(t, err)
	require.Equal(t, schemas.RefitHeld, reread.Result)
	require.Equal(t, summed.Checks, reread.Checks)

	stale := reread.ModelRefit
	stale.Live, stale.Result = 1, schemas.RefitPromoted
	err = pgbooks.NewModels(s.store.DB()).NoteRefit(t.Context(), stale)
	require.ErrorIs(t, err, pgbooks.ErrLiveChanged)
	list, err := List(t.Context(), s.o, "archetypes")
	require.NoError(t, err)
	require.Equal(t, schemas.ModelLive, list[added.Version-1].State)
}

// While a candidate is compared, a person looks at it and retires it.
// guard: refit: what a person has retired meanwhile is not promoted
func TestARefitDoesNotPromoteWhatAPersonHasRetiredMeanwhile(t *testing.T) {
	s := newSeason(t)
	books := pgbooks.NewModels(s.store.DB())
	e := schemas.ModelEntry{Name: "m", Kind: "archetypes", Trained: []byte("{}"), Figures: []byte("{}"), AddedBy: "night"}
	version, _, err := books.Add(t.Context(), e, []byte("a"))
	require.NoError(t, err)
	_, err = books.SetState(t.Context(), "m", version, schemas.ModelRetired, "a person")
	require.NoError(t, err)
	err = books.NoteRefit(t.Context(), schemas.ModelRefit{
		Model: "m", Version: version, Result: schemas.RefitPromoted, Checks: []schemas.RefitCheck{}, By: "night",
	})
	require.ErrorIs(t, err, pgbooks.ErrDecided)
	list, err := List(t.Context(), s.o, "m")
	require.NoError(t, err)
	require.Equal(t, schemas.ModelRetired, list[0].State)
}

// Nights leave the newest candidates. A version stays that scored rows once, or that a person added.
func TestRefitsKeepTheNewestCandidates(t *testing.T) {
	s := newSeason(t)
	books := pgbooks.NewModels(s.store.DB())
	add := func(content string, isNightly bool) (version int32) {
		t.Helper()
		e := schemas.ModelEntry{
			Name: "archetypes", Kind: "archetypes", Trained: []byte("{}"), Figures: []byte("{}"), AddedBy: "night",
		}
		version, _, err := books.Add(t.Context(), e, []byte(content))
		require.NoError(t, err)
		if isNightly {
			refit := schemas.ModelRefit{Model: "archetypes", Version: version, Result: schemas.RefitHeld, By: "night"}
			require.NoError(t, books.NoteRefit(t.Context(), refit))
		}
		return version
	}
	add("by a person", false)
	for i := range 8 {
		add(string(rune('a'+i)), true) // the versions 2 to 9
	}
	for version, states := range map[int32][]string{
		3: {schemas.ModelShadow, schemas.ModelCandidate}, 4: {schemas.ModelRetired}, 5: {schemas.ModelShadow},
	} {
		for _, state := range states {
			_, err := books.SetState(t.Context(), "archetypes", version, state, "a person")
			require.NoError(t, err)
		}
	}
	require.EqualValues(t, 2, add("a", true), "the oldest file was trained again last night")
	pruned, err := books.PruneCandidates(t.Context(), "archetypes", 2)
	require.NoError(t, err)
	require.Equal(t, []int32{6, 7, 8}, pruned)
	pruned, err = books.PruneCandidates(t.Context(), "archetypes", 0)
	require.NoError(t, err)
	require.Empty(t, pruned, "the last trained one stays, and the greatest number")
	list, err := List(t.Context(), s.o, "archetypes")
	require.NoError(t, err)
	versions := schemas.Map(list, func(m schemas.ModelEntry) int32 { return m.Version })
	require.Equal(t, []int32{1, 2, 3, 4, 5, 9}, versions)
	require.True(t, s.isHeld("archetypes"))
}

// The command deletes what earlier nights left, and says so.
func TestARefitDeletesOldCandidates(t *testing.T) {
	s := newSeason(t)
	for day := range 5 {
		s.play(day, 120, 0)
	}
	var r Refit
	for night := range 3 {
		var err error
		r, err = s.refit("archetypes", night, night+2, func(o *RefitOptions) { o.KeepCandidates = 2 })
		require.NoError(t, err)
	}
	require.Equal(t, []int32{1}, r.Pruned)
	var text bytes.Buffer
	require.NoError(t, PrintRefit(&text, r))
	require.Contains(t, text.String(), "deleted archetypes 1: a candidate of an earlier refit that never scored a row")
}
