package pgsink

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
)

// pitchOf is a change of a pitch of a game.
func pitchOf(n byte, game, date string, revision, offset int64) schemas.Change {
	row := &schemas.Row{PitchID: schemas.PitchID{15: n}, GamePK: schemas.Text(game),
		GameDate: schemas.Text(date), Issues: []string{}}
	return schemas.Change{
		PitchID: row.PitchID,
		Version: schemas.Version{Revision: revision, TimestampMS: 1_700_000_000_000, Offset: offset},
		Origin:  schemas.Coordinates{Topic: "raw", Offset: offset, TimestampMS: 1_700_000_000_000}, EventTime: 1_700_000_000_000, Row: row,
	}
}

func applyAll(t *testing.T, s *Sink, changes ...schemas.Change) {
	t.Helper()
	for _, c := range changes {
		p := schemas.PitchChanges{PitchID: c.PitchID}
		*p.Versions(c.Op) = []schemas.Change{c}
		_, err := s.Apply(t.Context(), schemas.Batch{Group: "g", Pitches: []schemas.PitchChanges{p}})
		require.NoError(t, err)
	}
}

// computeAll computes what was touched as a processor does: a count of rows for facts.
func computeAll(t *testing.T, s *Sink, whole bool) (units []pgbooks.QualityUnit) {
	t.Helper()
	units, err := pgbooks.NewQuality(s.DB()).Touched(t.Context(), whole)
	require.NoError(t, err)
	for _, u := range units {
		at := s.cfg.Now()
		rows, err := pgbooks.NewQuality(s.DB()).Rows(t.Context(), u)
		require.NoError(t, err)
		var facts []schemas.QualityFacts
		if len(rows) > 0 {
			f := schemas.QualityFacts{GamePK: rows[0].GamePK, Day: "2023-11-14", Pitches: int64(len(rows))}
			if rows[0].GameDate != "" {
				f.Day = string(rows[0].GameDate)
			}
			facts = append(facts, f)
		}
		require.NoError(t, pgbooks.NewQuality(s.DB()).Save(t.Context(), u, at, facts))
	}
	require.NoError(t, pgbooks.NewQuality(s.DB()).Done(t.Context(), s.cfg.Now()))
	return units
}

func stored(t *testing.T, s *Sink) map[string]int64 {
	t.Helper()
	facts, err := pgbooks.NewQuality(s.DB()).QualityFacts(t.Context(), "2023-11-20", 30)
	require.NoError(t, err)
	counts := map[string]int64{}
	for _, f := range facts {
		counts[string(f.GamePK)] += f.Pitches
	}
	return counts
}

// Writing, moving, deleting or identifying a pitch has its games computed again, and no others.
// guard: quality: the game that a pitch left is computed too
// guard: quality: an identify touches the game
// guard: quality: facts without current rows are emptied
func TestTheGamesThatWereTouchedAreKnown(t *testing.T) {
	s := open(t)
	now := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	s.cfg.Now = func() time.Time { return now }
	applyAll(t, s, pitchOf(1, "A", "2023-11-14", 0, 1), pitchOf(2, "A", "2023-11-14", 0, 2), pitchOf(3, "B", "2023-11-14", 0, 3), pitchOf(4, "", "", 0, 4))
	now = now.Add(time.Minute)
	require.ElementsMatch(t, []pgbooks.QualityUnit{{Game: "A"}, {Game: "B"}, {Day: "2023-11-14"}}, computeAll(t, s, false))
	require.Equal(t, map[string]int64{"A": 2, "B": 1, "": 1}, stored(t, s))

	now = now.Add(time.Minute)
	require.Empty(t, computeAll(t, s, false), "nothing was written since")

	now = now.Add(10 * time.Minute)
	applyAll(t, s, pitchOf(2, "C", "2023-11-14", 1, 5))
	now = now.Add(time.Minute)
	require.ElementsMatch(t, []pgbooks.QualityUnit{{Game: "A"}, {Game: "C"}}, computeAll(t, s, false), "the game that it left, too")
	require.Equal(t, map[string]int64{"A": 1, "B": 1, "C": 1, "": 1}, stored(t, s))

	now = now.Add(10 * time.Minute)
	gone := pitchOf(3, "B", "2023-11-14", 1, 6)
	gone.Op, gone.Row = schemas.OpDelete, nil
	applyAll(t, s, gone)
	now = now.Add(time.Minute)
	require.Equal(t, []pgbooks.QualityUnit{{Game: "B"}}, computeAll(t, s, false))
	require.Equal(t, map[string]int64{"A": 1, "C": 1, "": 1}, stored(t, s))

	now = now.Add(10 * time.Minute)
	name := schemas.Change{Op: schemas.OpIdentify, PitchID: schemas.PitchID{15: 1},
		Version: schemas.Version{Offset: 7}, IDs: schemas.Identifiers{BatterID: schemas.Some[int64](7)}}
	applyAll(t, s, name)
	now = now.Add(time.Minute)
	require.Equal(t, []pgbooks.QualityUnit{{Game: "A"}}, computeAll(t, s, false), "an identify touches the game of its pitch")

	_, err := raw(t, s).Exec(t.Context(), `UPDATE quality_games SET pitches = 9 WHERE game_key = 'C'`)
	require.NoError(t, err)
	now = now.Add(10 * time.Minute)
	require.Empty(t, computeAll(t, s, false))
	require.Equal(t, []pgbooks.QualityUnit{{Game: "C"}}, computeAll(t, s, true), "what was missed is found among all rows")
	require.Empty(t, computeAll(t, s, true))
}

// A computing that read its rows earlier never overwrites one that read them later.
// A promote and a processor may compute one game at once. The one that read before a correction to another
// ballpark may save last.
//
// guard: quality: older facts do not empty newer ones
func TestOlderFactsDoNotEmptyNewerOnes(t *testing.T) {
	s := open(t)
	books := pgbooks.NewQuality(s.DB())
	facts := func(venues ...string) (all []schemas.QualityFacts) {
		for _, v := range venues {
			all = append(all, schemas.QualityFacts{GamePK: "7", Day: "2023-11-14", Venue: schemas.Text(v), Pitches: 3})
		}
		return all
	}
	unit := pgbooks.QualityUnit{Game: "7"}
	later := time.Now()
	require.NoError(t, books.Save(t.Context(), unit, later, facts("X", "Y")))
	require.NoError(t, books.Save(t.Context(), unit, later.Add(-time.Minute), facts("X")))
	require.Equal(t, map[string]int64{"7": 6}, stored(t, s))
	require.NoError(t, books.Save(t.Context(), unit, later.Add(time.Minute), facts("X")))
	require.Equal(t, map[string]int64{"7": 3}, stored(t, s))
}

// guard: quality: older facts do not replace newer ones
func TestOlderFactsDoNotReplaceNewerOnes(t *testing.T) {
	s := open(t)
	u, now := pgbooks.QualityUnit{Game: "A"}, time.Now()
	facts := func(n int64) []schemas.QualityFacts {
		return []schemas.QualityFacts{{GamePK: "A", Day: "2023-11-14", Pitches: n}}
	}
	require.NoError(t, pgbooks.NewQuality(s.DB()).Save(t.Context(), u, now, facts(5)))
	require.NoError(t, pgbooks.NewQuality(s.DB()).Save(t.Context(), u, now.Add(-time.Minute), facts(4)))
	require.Equal(t, map[string]int64{"A": 5}, stored(t, s))
}

// The newest day has 20 pitches. Later days are returned too, and so are the other days of its games.
func TestStrayDatesAreReturnedBesideTheNewestDay(t *testing.T) {
	s := open(t)
	save := func(game string, pitches int64, days ...string) {
		var facts []schemas.QualityFacts
		for _, day := range days {
			facts = append(facts, schemas.QualityFacts{GamePK: schemas.Text(game), Day: day, Pitches: pitches})
		}
		unit := pgbooks.QualityUnit{Game: game}
		require.NoError(t, pgbooks.NewQuality(s.DB()).Save(t.Context(), unit, time.Now(), facts))
	}
	days := func(last string) (found []string) {
		facts, err := pgbooks.NewQuality(s.DB()).QualityFacts(t.Context(), last, 30)
		require.NoError(t, err)
		for _, f := range facts {
			found = append(found, f.Day)
		}
		return found
	}
	save("few", 19, "2025-04-09")
	require.Equal(t, []string{"2025-04-09"}, days(""), "no day has 20")
	save("A", 20, "2025-04-08", "1970-01-01")
	save("B", 20, "2025-03-01")
	save("stray", 1, "2030-01-01")
	require.Equal(t, []string{"1970-01-01", "2025-04-08", "2025-04-09", "2030-01-01"}, days(""))
	require.Equal(t, []string{"1970-01-01", "2025-04-08"}, days("2025-04-08"))
	require.Equal(t, []string{"2025-03-01"}, days("2025-03-02"))
}

// The row that was committed late, of a transaction that began before the computing, is not missed.
// guard: quality: a row committed late is not missed
func TestARowCommittedLateIsNotMissed(t *testing.T) {
	s := open(t)
	now := time.Now()
	s.cfg.Now = func() time.Time { return now }
	applyAll(t, s, pitchOf(1, "A", "2023-11-14", 0, 1))
	now = now.Add(20 * time.Second)
	require.NotEmpty(t, computeAll(t, s, false))
	now = now.Add(-10 * time.Second) // its transaction began then, and waited for a lock
	applyAll(t, s, pitchOf(2, "A", "2023-11-14", 0, 2))
	now = now.Add(20 * time.Second)
	require.NotEmpty(t, computeAll(t, s, false))
	require.Equal(t, map[string]int64{"A": 2}, stored(t, s))
}

// Names that are loaded have the games computed again that lacked them.
func TestLoadedPlayersTouchTheGamesThatLackedThem(t *testing.T) {
	s := open(t)
	u := pgbooks.QualityUnit{Game: "A"}
	day := time.Now().UTC().Format(time.DateOnly)
	facts := []schemas.QualityFacts{{GamePK: "A", Day: day, Pitches: 5, Shares: map[string]schemas.QualityShare{"unlisted_ids": {N: 2, Of: 5}}}}
	require.NoError(t, pgbooks.NewQuality(s.DB()).Save(t.Context(), u, time.Now(), facts))
	none, err := pgbooks.NewQuality(s.DB()).Touched(t.Context(), false)
	require.NoError(t, err)
	require.Empty(t, none)
	_, err = pgbooks.NewPlayers(s.DB()).Set(context.Background(), []schemas.Player{{ID: 1, Name: "One"}})
	require.NoError(t, err)
	touched, err := pgbooks.NewQuality(s.DB()).Touched(t.Context(), false)
	require.NoError(t, err)
	require.Equal(t, []pgbooks.QualityUnit{u}, touched)
	facts[0].Shares["unlisted_ids"] = schemas.QualityShare{Of: 5}
	require.NoError(t, pgbooks.NewQuality(s.DB()).Save(t.Context(), u, time.Now().Add(time.Second), facts))
	touched, err = pgbooks.NewQuality(s.DB()).Touched(t.Context(), false)
	require.NoError(t, err)
	require.Empty(t, touched)
}

// The query of QUALITY.md for the twins of a day finds the pitches whose ids were computed, and no others.
func TestTheQueryForTwinsFindsTheComputedOnes(t *testing.T) {
	s := open(t)
	page, err := os.ReadFile(filepath.Join(testkit.Root(), "docs", "QUALITY.md"))
	require.NoError(t, err)
	_, query, found := strings.Cut(string(page), "> twins.txt <<'END'\n")
	require.True(t, found)
	query, _, found = strings.Cut(query, "\nEND\n")
	require.True(t, found)
	pitch := func(n, version byte, speed float64, result string) schemas.Change {
		c := pitchOf(n, "716404", "2025-04-01", 0, int64(n))
		c.PitchID[6] = version << 4
		c.Row.PitchID = c.PitchID
		c.Row.PitchSpeedMPH, c.Row.PitchResult = schemas.Some(speed), schemas.Text(result)
		c.Row.Inning = schemas.Some[int16](3)
		return c
	}
	wrong := pitch(2, 5, 95.5, schemas.ResultHitIntoPlay)
	applyAll(t, s, pitch(1, 4, 95.5, schemas.ResultHitIntoPlay), wrong,
		pitch(3, 5, 91, schemas.ResultHitIntoPlay), // alone
		pitch(4, 5, 95.5, schemas.ResultPickoff),   // of another result
	)
	rows, err := raw(t, s).Query(t.Context(), query)
	require.NoError(t, err)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Equal(t, []string{wrong.PitchID.String()}, ids)
}
