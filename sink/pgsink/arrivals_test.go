package pgsink

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
)

// said is a record of a pitch of game A that measured so many mph.
func said(n byte, mph float64, revision, offset int64) schemas.Change {
	c := pitchOf(n, "A", "2023-11-14", revision, offset)
	c.Row.Venue, c.Row.PitchSpeedMPH = "North Park", schemas.Some(mph)
	return c
}

func deletes(n byte, revision, offset int64) schemas.Change {
	c := said(n, 0, revision, offset)
	c.Op, c.Row = schemas.OpDelete, nil
	return c
}

// applyPolls writes batches, each of several records of one pitch, the newest first.
func applyPolls(t *testing.T, s *Sink, polls ...[]schemas.Change) {
	t.Helper()
	for _, measured := range polls {
		p := schemas.PitchChanges{PitchID: measured[0].PitchID, Measured: measured}
		_, err := s.Apply(t.Context(), schemas.Batch{Group: "g", Pitches: []schemas.PitchChanges{p}})
		require.NoError(t, err)
	}
}

func arrivals(t *testing.T, s *Sink, u pgbooks.QualityUnit) (repeats, conflicting, deleted int64) {
	t.Helper()
	all, err := pgbooks.NewQuality(s.DB()).Arrivals(t.Context(), u)
	require.NoError(t, err)
	for _, a := range all {
		require.Equal(t, "2023-11-14", a.Day)
		require.EqualValues(t, "North Park", a.Venue)
		repeats, conflicting, deleted = repeats+a.Repeats, conflicting+a.Conflicting, deleted+a.Deleted
	}
	return repeats, conflicting, deleted
}

// Repeats, conflicts, corrections and redelivered records are counted apart,
// within one poll and over several.
// guard: quality: a record that is read again is no repeat
// guard: quality: a poll that is read again counts nothing twice
// guard: quality: what differs at one revision is no repeat
// guard: quality: a correction is no conflict
// guard: quality: within a poll, only the newest revision counts
func TestRepeatsAndConflictsAreCounted(t *testing.T) {
	type polls [][]schemas.Change
	first, again, other, corrected := said(1, 90, 0, 1), said(1, 90, 0, 2), said(1, 91, 0, 3), said(1, 92, 1, 4)
	for name, c := range map[string]struct {
		polls              polls
		repeats, conflicts int64
	}{
		"once":                               {polls{{first}}, 0, 0},
		"again in the next poll":             {polls{{first}, {again}}, 1, 0},
		"again in the same poll":             {polls{{again, first}}, 1, 0},
		"other in the next poll":             {polls{{first}, {other}}, 0, 1},
		"other in the same poll":             {polls{{other, first}}, 0, 1},
		"again and other":                    {polls{{first}, {again}, {other}}, 1, 1},
		"a correction":                       {polls{{first}, {corrected}}, 0, 0},
		"a correction in the same poll":      {polls{{corrected, first}}, 0, 0},
		"twice, then a correction":           {polls{{first}, {again}, {corrected}}, 1, 0},
		"read again":                         {polls{{first}, {first}, {first}}, 0, 0},
		"two polls read again as one":        {polls{{first}, {again}, {again, first}}, 1, 0},
		"a poll read again with one more":    {polls{{again, first}, {other, again, first}}, 1, 1},
		"an older one is not known":          {polls{{other}, {first}}, 0, 0},
		"a delete is none":                   {polls{{first}, {deletes(1, 0, 2)}, {other}}, 0, 0},
		"a delete in the same poll is none":  {polls{{other, deletes(1, 0, 2), first}}, 0, 0},
		"identified before, again in a poll": {polls{{again, first}}, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			if name == "identified before, again in a poll" {
				applyAll(t, s, schemas.Change{Op: schemas.OpIdentify, PitchID: first.PitchID,
					IDs: schemas.Identifiers{BatterID: schemas.Some[int64](7)}})
			}
			applyPolls(t, s, c.polls...)
			repeats, conflicting, deleted := arrivals(t, s, pgbooks.QualityUnit{Game: "A"})
			require.Equal(t, []int64{c.repeats, c.conflicts, 0}, []int64{repeats, conflicting, deleted})
		})
	}
}

// Another core may compute other values from the same record.
// guard: quality: another core's values are no conflict
func TestAnotherCoreIsNoConflict(t *testing.T) {
	s := open(t)
	applyPolls(t, s, []schemas.Change{said(1, 90, 0, 1)})
	s.cfg.CoreVersion++
	applyPolls(t, s, []schemas.Change{said(1, 91, 0, 2)})
	repeats, conflicting, _ := arrivals(t, s, pgbooks.QualityUnit{Game: "A"})
	require.Equal(t, []int64{1, 0}, []int64{repeats, conflicting})
}

// A deleted pitch counts for its game, day and venue until it is written again,
// however often the delete is read.
// guard: quality: a delete that is read again keeps its game
// guard: quality: a pitch that comes back is not deleted
// guard: quality: a pitch that is deleted within its poll was of a game
func TestDeletedPitchesAreOfTheirGame(t *testing.T) {
	s := open(t)
	game := pgbooks.QualityUnit{Game: "A"}
	deleted := func(u pgbooks.QualityUnit) int64 { _, _, n := arrivals(t, s, u); return n }
	applyPolls(t, s, []schemas.Change{said(1, 90, 0, 1)}, []schemas.Change{deletes(1, 0, 2)},
		[]schemas.Change{deletes(1, 0, 2)}, []schemas.Change{deletes(1, 1, 3)})
	require.EqualValues(t, 1, deleted(game))
	applyPolls(t, s, []schemas.Change{deletes(2, 1, 5), said(2, 90, 0, 4)})
	require.EqualValues(t, 2, deleted(game), "within one poll, too")
	applyPolls(t, s, []schemas.Change{deletes(3, 1, 6)})
	require.EqualValues(t, 2, deleted(game), "its record was never seen")
	applyPolls(t, s, []schemas.Change{said(1, 90, 2, 7)})
	require.EqualValues(t, 1, deleted(game), "it came back")

	none := said(4, 90, 0, 8)
	none.Row.GamePK, none.Row.GameDate = "", ""
	applyPolls(t, s, []schemas.Change{none}, []schemas.Change{deletes(4, 1, 9)})
	require.EqualValues(t, 1, deleted(pgbooks.QualityUnit{Day: "2023-11-14"}))
	require.Zero(t, deleted(pgbooks.QualityUnit{Day: "2023-11-15"}))
	require.EqualValues(t, 1, deleted(game))
}

// A delete of a pitch without a game touches its day; one that is read again touches the game still.
// guard: quality: a deleted pitch without a game touches its day
func TestADeleteTouchesItsGame(t *testing.T) {
	s := open(t)
	applyPolls(t, s, []schemas.Change{said(1, 90, 0, 1)}, []schemas.Change{deletes(1, 0, 2)},
		[]schemas.Change{deletes(1, 0, 2)})
	none := said(4, 90, 0, 8)
	none.Row.GamePK = ""
	applyPolls(t, s, []schemas.Change{none}, []schemas.Change{deletes(4, 1, 9)})
	units, err := pgbooks.NewQuality(s.DB()).Touched(t.Context(), false)
	require.NoError(t, err)
	require.ElementsMatch(t, []pgbooks.QualityUnit{{Game: "A"}, {Day: "2023-11-14"}}, units)
}

// guard: quality: repeats of a night game are of its day
// guard: quality: deleted pitches of a night game are of its day
// guard: quality: a game whose date is loaded is computed again
func TestANightGameIsOneDayOnceItsDateIsLoaded(t *testing.T) {
	s := open(t)
	now := time.Now().Add(-2 * time.Hour)
	s.cfg.Now = func() time.Time { return now }
	without := func(c schemas.Change) schemas.Change {
		c.Row.GameDate = ""
		return c
	}
	applyPolls(t, s, []schemas.Change{without(said(1, 90, 0, 1))}, []schemas.Change{without(said(1, 90, 0, 2))},
		[]schemas.Change{without(said(2, 90, 0, 3))}, []schemas.Change{deletes(2, 1, 4)})
	now = now.Add(time.Hour)
	require.Equal(t, []pgbooks.QualityUnit{{Game: "A"}}, computeAll(t, s, false))
	require.Empty(t, computeAll(t, s, false))
	night := []schemas.GameFacts{{GamePK: "A", GameDate: "2023-11-13", AsOf: 1}}
	_, _, err := pgbooks.NewGames(s.DB()).Set(t.Context(), night, "schedule.csv")
	require.NoError(t, err)
	now = now.Add(time.Hour)
	require.Equal(t, []pgbooks.QualityUnit{{Game: "A"}}, computeAll(t, s, false))
	all, err := pgbooks.NewQuality(s.DB()).Arrivals(t.Context(), pgbooks.QualityUnit{Game: "A"})
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, "2023-11-13", all[0].Day)
	require.Equal(t, []int64{1, 1}, []int64{all[0].Repeats, all[0].Deleted})
}

func TestAPitchWithoutAGameWhoseDateIsFarFromItsTimeIsJudged(t *testing.T) {
	s := open(t)
	s.cfg.Now = func() time.Time { return time.Now().Add(-time.Hour) }
	applyAll(t, s, pitchOf(1, "", "2021-05-01", 0, 1))
	s.cfg.Now = time.Now
	day := pgbooks.QualityUnit{Day: "2021-05-01"}
	require.Equal(t, []pgbooks.QualityUnit{day}, computeAll(t, s, true))
	require.Empty(t, computeAll(t, s, true), "it is not computed again and again")
}
