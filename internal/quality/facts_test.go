package quality

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
)

// week plays days of so many games each and gives the rows of each game.
func week(t testing.TB, days, games int, o simulate.Options) map[string][]schemas.StoredRow {
	t.Helper()
	o.Games, o.Parallel, o.FeedIDs = days*games, games, true
	s, err := simulate.New(o)
	require.NoError(t, err)
	rows := map[string][]schemas.StoredRow{}
	for r, ok := s.NextRow(); ok; r, ok = s.NextRow() {
		rows[string(r.GamePK)] = append(rows[string(r.GamePK)], r)
	}
	return rows
}

func factsOfAll(games map[string][]schemas.StoredRow) (facts []schemas.QualityFacts) {
	for _, rows := range games {
		facts = append(facts, Facts(rows, nil)...)
	}
	return facts
}

func judged(r schemas.QualityReport, check, venue, item string) *schemas.QualityFinding {
	i := slices.IndexFunc(r.Findings, func(f schemas.QualityFinding) bool {
		return f.Check == check && f.Venue == venue && f.Item == item
	})
	if i < 0 {
		return nil
	}
	return &r.Findings[i]
}

// abnormal is what is beyond its limits, but for drift, which has tests of its own and is wrong once in a
// month.
func abnormal(r schemas.QualityReport) (found []string) {
	for _, f := range r.Findings {
		if f.Abnormal && f.Check != VenueDrift {
			found = append(found, f.Check+"/"+f.Venue+"/"+f.Item)
		}
	}
	return found
}

// newest spoils the rows of the newest day.
func newest(games map[string][]schemas.StoredRow, spoil func(i int, r *schemas.StoredRow)) {
	last := ""
	for _, rows := range games {
		last = max(last, DayOf(&rows[0]))
	}
	n := 0
	for _, rows := range games {
		for i := range rows {
			if DayOf(&rows[i]) == last {
				spoil(n, &rows[i])
				n++
			}
		}
	}
}

func TestACleanWeekIsWell(t *testing.T) {
	for seed := uint64(1); seed <= 12; seed++ {
		r := Judge(factsOfAll(week(t, 8, 8, simulate.Options{Seed: seed, BatterSpread: 0.5, Untracked: 0.01})), "")
		require.Empty(t, abnormal(r), "seed %d", seed)
		require.EqualValues(t, 8, r.Games)
		require.Len(t, r.BaselineDays, 7)
	}
}

// Each fault is found, and no other is said of it.
// guard: quality: a share is held against its baseline
func TestEachFaultIsFound(t *testing.T) {
	every := func(n int, f func(*schemas.StoredRow)) func(int, *schemas.StoredRow) {
		return func(i int, r *schemas.StoredRow) {
			if i%n == 0 {
				f(r)
			}
		}
	}
	untrack := func(r *schemas.StoredRow) {
		if IsKnownSwing(&r.Row) {
			r.IsSwing, r.IsWhiff, r.BatSamples, r.SwingConfidence, r.SpeedConfidence = false, false, 1, "", ""
			r.BatSpeedMPH, r.AttackAngleDeg = schemas.Opt[float64]{}, schemas.Opt[float64]{}
		}
	}
	for name, c := range map[string]struct {
		spoil func(int, *schemas.StoredRow)
		want  string
	}{
		"bat tracking":     {every(7, untrack), "untracked_swings/all/"},
		"batters":          {every(5, func(r *schemas.StoredRow) { r.BatterID = schemas.Opt[int64]{} }), "no_batter/all/"},
		"kilometres":       {every(1, func(r *schemas.StoredRow) { r.PitchSpeedMPH.Value *= 1.15 }), "column_shift/all/pitch_speed_mph"},
		"ranges":           {every(20, func(r *schemas.StoredRow) { r.Issues = append(r.Issues, "spin_rate_rpm:range") }), "issues/all/spin_rate_rpm:range"},
		"half the frames":  {every(1, func(r *schemas.StoredRow) { r.BatSamples /= 2 }), "short_tracks/all/"},
		"late records":     {every(1, func(r *schemas.StoredRow) { r.RecordTSMS += 300_000 }), "delay/all/event_to_record"},
		"no exit velocity": {every(3, func(r *schemas.StoredRow) { r.ExitVelocityMPH = schemas.Opt[float64]{} }), "missing_exit_velocity/all/"},
		"no pitch speed":   {every(10, func(r *schemas.StoredRow) { r.PitchSpeedMPH = schemas.Opt[float64]{} }), "missing_pitch_speed/all/"},
		"corrections":      {every(3, func(r *schemas.StoredRow) { r.Revision = 1 }), "corrected/all/"},
		"conflicts":        {every(30, func(r *schemas.StoredRow) { r.Issues = append(r.Issues, "bat_samples:conflict") }), "sample_conflicts/all/"},
		"questionable":     {every(5, func(r *schemas.StoredRow) { r.SpeedConfidence = schemas.SpeedQuestionable }), "questionable_speeds/all/"},
	} {
		t.Run(name, func(t *testing.T) {
			games := week(t, 8, 6, simulate.Options{Seed: 31})
			newest(games, c.spoil)
			r := Judge(factsOfAll(games), "")
			require.Contains(t, abnormal(r), c.want)
			require.True(t, r.Findings[0].Abnormal, "what is beyond its limits stands first")
			for _, f := range r.Findings {
				require.Equal(t, f.Abnormal, f.Do != "", "%+v", f)
			}
			before := Judge(factsOfAll(games), r.BaselineDays[6])
			require.Empty(t, abnormal(before), "the day before is as it was")
		})
	}
}

// The clocks of bat and ball differ: bats are tracked as ever, and meet no ball.
func TestContactsThatAreNotFoundAreAFinding(t *testing.T) {
	games := week(t, 8, 6, simulate.Options{Seed: 31})
	for _, rows := range games {
		for i := range rows {
			rows[i].CoreVersion, rows[i].ContactBatSpeedMPH = 2, rows[i].BatSpeedMPH
		}
	}
	require.NotContains(t, abnormal(Judge(factsOfAll(games), "")), "missing_contact/all/")
	newest(games, func(i int, r *schemas.StoredRow) {
		if i%4 == 0 {
			r.ContactBatSpeedMPH = schemas.Opt[float64]{}
		}
	})
	require.Contains(t, abnormal(Judge(factsOfAll(games), "")), "missing_contact/all/")
}

// Corrections come hours later, and are no late records.
// guard: quality: a correction is not late
func TestACorrectionIsNotLate(t *testing.T) {
	games := week(t, 8, 6, simulate.Options{Seed: 31})
	newest(games, func(i int, r *schemas.StoredRow) {
		if i%12 == 0 {
			r.Revision, r.RecordTSMS = 1, r.RecordTSMS+12*3600_000
		}
	})
	require.Empty(t, abnormal(Judge(factsOfAll(games), "")))
}

// A feed that sends one value for all has no spread, and looks like no unit.
// guard: quality: a value that never changes has no unit
func TestAConstantAngleIsNotInRadians(t *testing.T) {
	games := week(t, 8, 6, simulate.Options{Seed: 31})
	for _, rows := range games {
		for i := range rows {
			rows[i].SprayAngleDeg = schemas.Some(0.0)
		}
	}
	for _, finding := range abnormal(Judge(factsOfAll(games), "")) {
		require.NotContains(t, finding, "spray_angle_deg")
	}
}

// A rise of untracked swings from 1 % to 15 % is beyond the limit; a bad inning of one game is not.
// guard: quality: few swings are too few to judge by
func TestMissingBatTrackingIsToldFromChance(t *testing.T) {
	clean := simulate.Options{Seed: 41, Untracked: 0.01}
	facts := factsOfAll(week(t, 7, 6, clean))
	worse := clean
	worse.Untracked, worse.Start = 0.15, week(t, 1, 1, clean)["778001"][0].EventTime.Time().AddDate(0, 0, 7)
	worse.FirstGamePK = 999_001
	r := Judge(append(facts, factsOfAll(week(t, 1, 6, worse))...), "")
	f := judged(r, UntrackedSwings, everywhere, "")
	require.True(t, f.Abnormal)
	require.InDelta(t, 0.15, f.Value, 0.04)
	require.InDelta(t, 0.015, f.Baseline.Value, 0.01)
	require.EqualValues(t, 6, f.Games)
	few := facts[:len(facts):len(facts)]
	bad := schemas.QualityFacts{GamePK: "x", Day: r.Day, Pitches: 60, Shares: map[string]schemas.QualityShare{UntrackedSwings: {N: 5, Of: 20}}}
	require.Empty(t, abnormal(Judge(append(few, bad), "")), "20 swings are too few to judge by")
}

// guard: quality: a foul with two strikes adds none
// guard: quality: rows count in time's order
func TestAPitchThatIsMissingShowsInTheCount(t *testing.T) {
	games := week(t, 1, 3, simulate.Options{Seed: 51})
	whole, holes := schemas.QualityShare{}, schemas.QualityShare{}
	for _, rows := range games {
		f := Facts(rows, nil)[0].Shares[CountGaps]
		whole = schemas.QualityShare{N: whole.N + f.N, Of: whole.Of + f.Of}
		f = Facts(slices.DeleteFunc(slices.Clone(rows), func(r schemas.StoredRow) bool {
			return r.EventTime%10 == 3 && r.PitchResult == schemas.ResultBall && r.Balls.Value < 3
		}), nil)[0].Shares[CountGaps]
		holes = schemas.QualityShare{N: holes.N + f.N, Of: holes.Of + f.Of}
	}
	require.Zero(t, whole.N)
	require.Greater(t, whole.Of, int64(700))
	require.Greater(t, holes.N, int64(15))
}

func TestTwinsAndUnlistedIdentifiers(t *testing.T) {
	rows := week(t, 1, 1, simulate.Options{Seed: 52})["778001"]
	again := slices.Clone(rows)
	for _, i := range []int{10, 20, 30} {
		twin := rows[i]
		twin.PitchID[0] ^= 1
		again = append(again, twin)
	}
	thrown := 0
	for _, i := range []int{10, 20, 30} {
		if rows[i].PitchSpeedMPH.Present {
			thrown++
		}
	}
	f := Facts(again, func(id int64) bool { return id != rows[5].BatterID.Value })[0]
	require.EqualValues(t, thrown, f.Shares[TwinPitches].N)
	require.Zero(t, f.Shares[CountGaps].N, "a twin is no gap")
	unlisted := 0
	for _, r := range again {
		if r.BatterID == rows[5].BatterID {
			unlisted++
		}
	}
	require.EqualValues(t, unlisted, f.Shares[UnlistedIDs].N)
	require.NotContains(t, Facts(rows, nil)[0].Shares, UnlistedIDs, "without a list no id is unlisted")
}

func TestFactsAreByDayAndVenueAndDoNotDependOnOrder(t *testing.T) {
	rows := week(t, 1, 1, simulate.Options{Seed: 53})["778001"]
	rows[3].Venue, rows[4].GameDate = "Elsewhere", ""
	rows[4].EventTime = 0
	facts := Facts(rows, nil)
	require.Len(t, facts, 3)
	require.Equal(t, "1970-01-01", facts[0].Day)
	require.EqualValues(t, len(rows), facts[0].Pitches+facts[1].Pitches+facts[2].Pitches)
	slices.Reverse(rows)
	require.Equal(t, facts, Facts(rows, nil))
}

// A game of 50,000 venues and days keeps the facts of a few, and every pitch and delete counts once.
// guard: quality: the days and venues of a game are bounded
// guard: quality: the days and venues of a game with deletes only are bounded
func TestTheDaysAndVenuesOfAGameAreBounded(t *testing.T) {
	one := week(t, 1, 1, simulate.Options{Seed: 53})["778001"]
	rows := slices.Clone(one)
	arrivals := []schemas.QualityArrivals{{Day: DayOf(&one[0]), Venue: one[0].Venue, Deleted: 1}}
	for i := range 50_000 {
		r := one[i%len(one)]
		r.Venue = schemas.Text(fmt.Sprintf("venue %d", i))
		r.GameDate = schemas.Text(time.Unix(int64(i)*86_400, 0).UTC().Format(time.DateOnly))
		rows = append(rows, r)
		arrivals = append(arrivals, schemas.QualityArrivals{Day: DayOf(&r), Venue: r.Venue, Deleted: 2})
	}
	requireBounded := func(facts []schemas.QualityFacts, pitches, deleted int64) {
		require.LessOrEqual(t, len(facts), maxPlaces+1)
		for _, f := range facts {
			pitches -= f.Pitches
			deleted -= f.Shares[DeletedPitches].N
		}
		require.Zero(t, pitches)
		require.Zero(t, deleted)
	}
	facts := Facts(rows, nil)
	requireBounded(facts, int64(len(rows)), 0)
	requireBounded(WithArrivals(facts, "778001", arrivals), int64(len(rows)), 100_001)
	requireBounded(WithArrivals(nil, "778001", arrivals), 0, 100_001)
}

// guard: quality: a game that is played lacks nothing yet
func TestGamesThatLackInnings(t *testing.T) {
	games := week(t, 2, 3, simulate.Options{Seed: 54})
	require.Empty(t, abnormal(Judge(factsOfAll(games), "2025-04-01")))
	games["778001"] = slices.DeleteFunc(games["778001"], func(r schemas.StoredRow) bool { return r.Inning.Value == 4 })
	games["778002"] = slices.DeleteFunc(games["778002"], func(r schemas.StoredRow) bool { return r.Inning.Value > 6 })
	r := Judge(factsOfAll(games), "2025-04-01")
	require.EqualValues(t, 2, judged(r, IncompleteGames, everywhere, "").Value)
	at := func(game string) string { return string(games[game][0].Venue) }
	require.Contains(t, judged(r, IncompleteGames, at("778001"), "778001").What, "inning 4 is missing")
	require.Contains(t, judged(r, IncompleteGames, at("778002"), "778002").What, "ends in inning 6")
	// A game that is being played lacks nothing yet.
	alone := map[string][]schemas.StoredRow{"1": games["778002"]}
	require.Empty(t, abnormal(Judge(factsOfAll(alone), "")))
}

// guard: quality: a game with pitches at two venues is one game
func TestAPitchWithTheVenueOfAnotherGameMakesNoGame(t *testing.T) {
	games := week(t, 1, 2, simulate.Options{Seed: 54})
	games["778001"][40].Venue = games["778002"][0].Venue
	r := Judge(factsOfAll(games), "2025-04-01")
	require.Empty(t, abnormal(r), "its game lacks nothing")
	require.EqualValues(t, 2, r.Games)
	require.EqualValues(t, 2, judged(r, IncompleteGames, everywhere, "").Of)
}

func TestOneGameIsJudgedAsItsDay(t *testing.T) {
	games := week(t, 8, 3, simulate.Options{Seed: 55})
	facts := factsOfAll(games)
	day := Judge(facts, "")
	reports, err := JudgeGame(facts, day.Day, "778022")
	require.NoError(t, err)
	require.EqualValues(t, len(games["778022"]), reports[0].Pitches)
	require.Equal(t, day.BaselineDays, reports[0].BaselineDays)
	_, err = JudgeGame(facts, day.Day, "1")
	require.EqualError(t, err, "no pitch of game 1 is stored")
	require.Equal(t, schemas.QualityReport{Day: "2030-01-01", BaselineDays: []string{}, Findings: []schemas.QualityFinding{}, Venues: []schemas.QualityVenue{}}, Judge(nil, "2030-01-01"))
}

// Repeated, conflicting and deleted records, which rows do not show, count for their day and venue.
func TestRecordsThatCameAgainAndDeletes(t *testing.T) {
	games := week(t, 8, 6, simulate.Options{Seed: 56})
	arrive := func(of func(f *schemas.QualityFacts) schemas.QualityArrivals) schemas.QualityReport {
		var facts []schemas.QualityFacts
		for game, rows := range games {
			own := Facts(rows, nil)
			a := of(&own[0])
			a.Day, a.Venue = own[0].Day, own[0].Venue
			facts = append(facts, WithArrivals(own, schemas.Text(game), []schemas.QualityArrivals{a})...)
		}
		return Judge(facts, "")
	}
	last := arrive(func(*schemas.QualityFacts) schemas.QualityArrivals { return schemas.QualityArrivals{} })
	require.Empty(t, abnormal(last))
	for check, a := range map[string]schemas.QualityArrivals{
		RepeatedRecords: {Repeats: 40}, ConflictingRecords: {Conflicting: 6}, DeletedPitches: {Deleted: 15},
	} {
		r := arrive(func(f *schemas.QualityFacts) schemas.QualityArrivals {
			if f.Day == last.Day {
				return a
			}
			return schemas.QualityArrivals{}
		})
		require.Contains(t, abnormal(r), check+"/all/")
		require.Len(t, abnormal(r), 1+len(r.Venues), "%s: each venue has its share", check)
		require.EqualValues(t, 6, judged(r, check, everywhere, "").Games)
	}
}

// guard: quality: a game without current rows does not count
// guard: quality: a day of deletes only is no baseline
func TestAGameOfWhichNothingStandsIsNone(t *testing.T) {
	facts := factsOfAll(week(t, 3, 3, simulate.Options{Seed: 57}))
	r := Judge(facts, "")
	gone := WithArrivals(nil, "9", []schemas.QualityArrivals{
		{Day: r.Day, Venue: "Elsewhere", Deleted: 100}, {Day: "2025-03-31", Venue: "Elsewhere", Deleted: 100}, {Day: r.Day, Venue: "Nowhere"},
	})
	require.Len(t, gone, 2)
	with := Judge(append(slices.Clone(facts), gone...), "")
	require.Equal(t, r.Games, with.Games)
	require.Equal(t, r.BaselineDays, with.BaselineDays)
	deleted := judged(with, DeletedPitches, "Elsewhere", "")
	require.Equal(t, []any{1.0, int64(1), true}, []any{deleted.Value, deleted.Games, deleted.Abnormal})
	for _, item := range []string{"event_to_record", "event_to_record_median"} {
		require.Equal(t, judged(r, Delay, everywhere, item), judged(with, Delay, everywhere, item))
	}
}
