package quality

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
)

// A vendor renames a member or a word on a Friday. The first 200 pitches show it, by name.
// guard: quality: a column that lost its values is named
// guard: quality: a word that a column never had is named
func TestAVendorsChangeIsNamedWithin200Pitches(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*schemas.StoredRow)
		want   []string
	}{
		"nothing changed":       {func(*schemas.StoredRow) {}, nil},
		"result renamed":        {func(r *schemas.StoredRow) { r.PitchResult = "" }, []string{"missing_values/all/pitch_result"}},
		"type renamed":          {func(r *schemas.StoredRow) { r.PitchType = "" }, []string{"missing_values/all/pitch_type"}},
		"words of type changed": {func(r *schemas.StoredRow) { r.PitchType = "New " + r.PitchType }, []string{"new_values/all/pitch_type=New Slider"}},
		"lower case":            {func(r *schemas.StoredRow) { r.PitchAction = schemas.Text(strings.ToLower(string(r.PitchAction))) }, []string{"new_values/all/pitch_action=called"}},
		"hits renamed": {func(r *schemas.StoredRow) {
			r.LaunchAngleDeg, r.SprayAngleDeg = schemas.Opt[float64]{}, schemas.Opt[float64]{}
		}, []string{"missing_values/all/launch_angle_deg", "missing_values/all/spray_angle_deg"}},
		"count renamed": {func(r *schemas.StoredRow) {
			r.Balls, r.Strikes, r.Inning = schemas.Opt[int16]{}, schemas.Opt[int16]{}, schemas.Opt[int16]{}
		}, []string{"missing_values/all/balls", "missing_values/all/inning", "missing_values/all/strikes"}},
		"speed renamed": {func(r *schemas.StoredRow) { r.PitchSpeedMPH = schemas.Opt[float64]{} }, []string{"missing_pitch_speed/all/"}},
	} {
		t.Run(name, func(t *testing.T) {
			games := week(t, 8, 3, simulate.Options{Seed: 71})
			last, n := "", 0
			for _, rows := range games {
				last = max(last, DayOf(&rows[0]))
				for i := range rows {
					rows[i].PitchType = []schemas.Text{"FourSeam", "Slider", "Sinker"}[i%3]
				}
			}
			for game, rows := range games { // the beginning of each of the day's games
				if DayOf(&rows[0]) == last {
					n++
					games[game] = rows[:66]
					for i := range games[game] {
						c.change(&games[game][i])
					}
				}
			}
			require.Equal(t, 3, n)
			found := abnormal(Judge(factsOfAll(games), ""))
			require.Subset(t, found, c.want)
			if c.want == nil {
				require.NotRegexp(t, "(missing|new)_values/", strings.Join(found, " "))
			}
		})
	}
}

// Three in four games have no types of pitches, as in real records.
// guard: quality: games that lack a column are no lost values
func TestGamesThatLackAColumnAreNoLostValues(t *testing.T) {
	for seed := uint64(60); seed < 66; seed++ {
		games := week(t, 8, 6, simulate.Options{Seed: seed})
		for _, day := range Days(factsOfAll(games)) {
			for _, found := range abnormal(Judge(factsOfAll(games), day)) {
				require.NotContains(t, found, "missing_values", "seed %d, %s", seed, day)
			}
		}
	}
}

// guard: quality: the words of a column are bounded
func TestTheWordsOfAColumnAreBounded(t *testing.T) {
	var rows []schemas.StoredRow
	for i := range 10 * mostWords {
		r := schemas.StoredRow{}
		r.PitchType = schemas.Text(fmt.Sprintf("%d %s", i, strings.Repeat("é", 500)))
		rows = append(rows, r)
	}
	words := Facts(rows, nil)[0].Words["pitch_type"]
	require.Len(t, words, mostWords)
	for word := range words {
		require.LessOrEqual(t, len(word), mostWordBytes+len("…"))
	}
}

// One record of another date moves no day and no baseline, and silences nothing.
// guard: quality: one record moves no day
// A record that is dated between two series is of no day that the next one is compared with.
// guard: quality: a stray day is no baseline
func TestARecordBetweenTwoSeriesIsNoBaseline(t *testing.T) {
	var facts []schemas.QualityFacts
	for day, pitches := range map[string]int64{"2025-04-01": 300, "2025-04-02": 280, "2025-04-06": 1, "2025-04-09": 310} {
		facts = append(facts, schemas.QualityFacts{GamePK: schemas.Text(day), Day: day, Pitches: pitches})
	}
	r := Judge(facts, "")
	require.Equal(t, "2025-04-09", r.Day)
	require.Equal(t, []string{"2025-04-01", "2025-04-02"}, r.BaselineDays)
}

// A record has the right date of its game, and a wrong year of its time. No game looks over by that, and its
// own one does not look as if it went on.
// guard: quality: a pitch of the future ends no game
func TestAPitchOfTheFutureEndsNoGame(t *testing.T) {
	games := week(t, 8, 3, simulate.Options{Seed: 72})
	for pk, rows := range games { // the newest games are being played
		if DayOf(&rows[0]) == "2025-04-08" {
			games[pk] = rows[:len(rows)/3]
		}
	}
	before := Judge(factsOfAll(games), "")
	rows := games["778022"]
	rows[5].EventTime = schemas.TimeMS(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli())
	after := Judge(factsOfAll(games), "")
	require.Equal(t, abnormal(before), abnormal(after))
	require.Less(t, after.AsOf.Value, before.AsOf.Value+schemas.TimeMS((2*time.Hour).Milliseconds()))
}

// guard: quality: stray dates are a finding
func TestARecordOfAnotherDateMovesNoDay(t *testing.T) {
	games := week(t, 8, 3, simulate.Options{Seed: 72})
	newest(games, func(i int, r *schemas.StoredRow) {
		if i%4 == 0 {
			r.PitchResult = "" // a fault that must stay visible
		}
	})
	before := Judge(factsOfAll(games), "")
	faults := abnormal(before)
	require.Contains(t, faults, "missing_values/all/pitch_result")
	for _, day := range []string{"2030-01-01", "1970-01-01", "2025-03-20", "2025-04-12"} {
		for _, game := range []string{"new", "778022"} {
			t.Run(day+" "+game, func(t *testing.T) {
				spoiled := map[string][]schemas.StoredRow{}
				for pk, rows := range games {
					spoiled[pk] = rows
				}
				stray := games["778022"][5]
				stray.GameDate, stray.PitchID[0] = schemas.Text(day), stray.PitchID[0]^1
				stray.GamePK = schemas.Text(game)
				spoiled[game] = append(spoiled[game][:len(spoiled[game]):len(spoiled[game])], stray)
				after := Judge(factsOfAll(spoiled), "")
				require.Equal(t, before.Day, after.Day)
				require.Equal(t, before.BaselineDays, after.BaselineDays)
				require.Equal(t, before.AsOf, after.AsOf)
				require.Subset(t, abnormal(after), faults)
				if isKnown := day > before.Day || game != "new"; isKnown {
					require.Contains(t, abnormal(after), "stray_dates/all/")
					require.Contains(t, judged(after, StrayDates, everywhere, "").What, day+" (game "+game+")")
				}
			})
		}
	}
	one := Facts(games["778022"][:1], nil)
	require.Equal(t, before.Day, Judge(one, "").Day, "the first pitch of all")
	twoDaysLater := games["778022"][5]
	twoDaysLater.GameDate, twoDaysLater.GamePK = "2025-04-10", "next"
	require.Equal(t, "2025-04-10", Judge(append(factsOfAll(games), Facts([]schemas.StoredRow{twoDaysLater}, nil)...), "").Day, "the first pitch of the next day")
}
