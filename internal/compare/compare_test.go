package compare

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

type stored map[string][]schemas.StoredRow

func (s stored) GamePitches(
	_ context.Context, game string, _ *schemas.PitchCursor, _ int,
) ([]schemas.StoredRow, error) {
	return s[game], nil
}

func id(n int) schemas.PitchID {
	id, _ := schemas.ParsePitchID(fmt.Sprintf("00000000-0000-4000-8000-%012d", n))
	return id
}

// row is the nth pitch of batter 1 against pitcher 2 in the first inning.
func row(n int, speed float64, result schemas.Text) (r schemas.StoredRow) {
	r.PitchID, r.EventTime, r.GamePK, r.PitchResult = id(n), schemas.TimeMS(n), "745804", result
	r.BatterID, r.PitcherID = schemas.Some[int64](1), schemas.Some[int64](2)
	r.Inning, r.PitchSpeedMPH = schemas.Some[int16](1), schemas.Some(speed)
	return r
}

func csv(lines ...string) string {
	return "\ufeffpitch_type,game_pk,batter,pitcher,inning,at_bat_number,pitch_number,type,release_speed,launch_speed," +
		"bat_speed,attack_direction,zone,play_id\n" + strings.Join(lines, "\n") + "\n"
}

func run(t *testing.T, text string, rows []schemas.StoredRow, feeds ...string) *Report {
	t.Helper()
	path := filepath.Join(t.TempDir(), "savant.csv")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	r, err := Run(t.Context(), Options{File: path, Rows: stored{"745804": rows}, Feeds: feeds})
	require.NoError(t, err)
	require.Equal(t, r.Lines, r.ByID+r.ByFeed+r.ByOrder+r.Unmatched)
	return r
}

func column(t *testing.T, r *Report, name string) *Column {
	t.Helper()
	for _, c := range r.Columns {
		if c.Name == name {
			return c
		}
	}
	t.Fatal(name)
	return nil
}

func TestLinesAreMatchedByOrderAndSpeed(t *testing.T) {
	rows := []schemas.StoredRow{
		row(4, 93.1, "HitIntoPlay"), row(3, 84.2, "Ball"), row(2, 95, "Strike"),
		row(1, 95, "Strike"), // the newest first
		row(9, 90, "Strike"), // no line is about it
	}
	r := run(t, csv(
		"FF,745804,1,2,1,7,2,S,95.0,,,,,", // in another order than played
		"FF,745804,1,2,1,7,1,S,95.0,,,,,",
		"SL,745804,1.0,2.0,1.0,7.0,3.0,B,84.2,,,,,", // as pandas writes it
		"CH,745804,1,2,1,7,4,S,84.2,,,,,",           // our pitch of that speed has another result
		"FF,745804,1,2,1,7,5,X,99.9,101.5,,,,",      // no stored pitch has that speed
		"FF,745804,1,2,1,7,6,X,93.1,101.5,,,,",
		"FF,745804,1,3,1,8,1,S,90.0,,,,,", // another pitcher
	), rows)
	require.EqualValues(t, 4, r.ByOrder)
	require.EqualValues(t, 3, r.Unmatched)
	require.EqualValues(t, 1, r.NotInFile)
	speed := column(t, r, "pitch_speed_mph")
	require.EqualValues(t, 4, speed.N)
	require.Zero(t, speed.RMSE)
}

// guard: compare: another result is another pitch
// guard: compare: another speed is another pitch
func TestAnotherSpeedOrResultIsAnotherPitch(t *testing.T) {
	rows := []schemas.StoredRow{row(1, 95, "Strike")}
	for line, found := range map[string]int64{
		"S,95.4": 1, ",95.4": 1, "S,": 1, "S,95.8": 0, "S,94.2": 0, "B,95.0": 0, "B,": 0,
	} {
		others := "FF,745804,1,2,1,8,1,S,60.0,,,,,"
		r := run(t, csv("FF,745804,1,2,1,7,1,"+line+",,,,,", others), append(rows, row(2, 60, "Strike")))
		require.Equal(t, 1+found, r.ByOrder, line)
	}
}

// guard: compare: a pitch is that of one line
// guard: compare: whose play id is known is not guessed
func TestAPlayIDDecides(t *testing.T) {
	feed := filepath.Join(t.TempDir(), "feed.json")
	require.NoError(t, os.WriteFile(feed, []byte(`{
		"gamePk": 745804, "metaData": {"timeStamp": "20240928_190500"},
		"liveData": {"plays": {"allPlays": [{"about": {"atBatIndex": 6}, "playEvents": [
			{"type": "pitch", "pitchNumber": 1, "playId": "`+id(2).String()+`"},
			{"type": "pitch", "pitchNumber": 2, "playId": "`+id(77).String()+`"}]}]}}}`), 0o600))
	rows := []schemas.StoredRow{row(1, 95, "Strike"), row(2, 88, "Ball"), row(3, 95, "Strike")}
	r := run(t, csv(
		"FF,745804,1,2,1,7,9,S,95.0,,,,,"+id(1).String(),
		"FF,745804,1,2,1,7,9,S,95.0,,,,,"+id(1).String(), // the same again
		"FF,745804,1,2,1,7,1,S,95.0,,,,,",                // by the feed, though it looks like another
		"FF,745804,1,2,1,7,2,S,95.0,,,,,",                // of the feed too, and not stored
	), rows, feed)
	counts := []int64{r.ByID, r.ByFeed, r.ByOrder, r.Unmatched, r.NotInFile}
	require.Equal(t, []int64{1, 1, 0, 2, 1}, counts)
	speed := column(t, r, "pitch_speed_mph")
	require.EqualValues(t, 2, speed.N)
	require.Contains(t, speed.Worst, Pair{id(2), 88, 95, -7})
}

// guard: compare: only reliable values count
// guard: compare: the worst pairs in memory are bounded
func TestAgreementIsThatOfTheDifferences(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var rows []schemas.StoredRow
	var lines []string
	var differences []float64
	for n := range 100 {
		r := row(n, 90, "Strike")
		stored := 70 + 5*random.NormFloat64()
		published := math.Round(10*(stored-1.5-random.NormFloat64())) / 10
		r.ContactBatSpeedMPH, r.ContactConfidence = schemas.Some(stored), "reliable"
		r.ContactAttackDirectionPullDeg = schemas.Some(4.0)
		r.InZone = schemas.Some(n%2 == 0)
		if n%10 == 3 {
			r.ContactConfidence = "questionable"
		} else {
			differences = append(differences, stored-published)
		}
		rows = append(rows, r)
		lines = append(lines, fmt.Sprintf("FF,745804,1,2,1,7,9,S,90,,%.1f,-3.5,%d,%s", published, 1+n%4*4, id(n)))
	}
	r := run(t, csv(lines...), rows)
	var sum, squares float64
	for _, d := range differences {
		sum += d
		squares += d * d
	}
	n := float64(len(differences))
	bias := sum / n
	sd := math.Sqrt((squares - n*bias*bias) / (n - 1))
	c := column(t, r, "contact_bat_speed_mph")
	require.EqualValues(t, n, c.N)
	require.InDelta(t, bias, c.Bias, 1e-9)
	require.InDelta(t, math.Sqrt(squares/n), c.RMSE, 1e-9)
	require.InDelta(t, sd, c.SD, 1e-9)
	require.InDelta(t, bias-1.96*sd, c.Low, 1e-9)
	require.InDelta(t, bias+1.96*sd, c.High, 1e-9)
	require.Len(t, c.Worst, 10)
	require.LessOrEqual(t, cap(c.greatest), 40)
	farthest := 0.0
	for _, d := range differences {
		farthest = max(farthest, abs(d-bias))
	}
	require.InDelta(t, farthest, abs(c.Worst[0].Difference-bias), 1e-9)
	require.Equal(t, c.Worst[0], r.Worst(3)[0].Pair)
	require.Len(t, r.Worst(3), 3)
	direction := column(t, r, "contact_attack_direction_pull_deg")
	require.InDelta(t, 0.5, direction.Bias, 1e-9, "the CSV has the pull side negative")
	// Zones 1, 5, 9, 13 in turn, in the zone but the last; the stored ones in turn.
	require.Equal(t, Agreement{N: 100, OnlySavant: 25, SharePct: 75}, r.Zone)
}

// guard: compare: the lines in memory are bounded
func TestFilesThatAreOthersAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "is empty",
		"a,b\n1,2\n":                      "no column game_pk",
		csv("FF,x,1,2,1,7,2,,,,,,,"):      `line 2: game_pk "x" is no number`,
		csv("FF,,1,2,1,7,2,,,,,,,"):       "line 2: game_pk is missing",
		csv("FF,1,1.5,2,1,7,2,,,,,,,"):    `batter "1.5" is no whole number`,
		csv("FF,1,1,2,1,7,2,S,NaN,x,,,,"): `launch_speed "x" is no number`,
		csv("FF,1,1,2,1,7,2,S,Inf,,,,,"):  `release_speed "Inf" is no number`,
		csv("FF,1,1,2,1,7,2,S,,,,,,", "FF,1,1,2,1,7,2,S,,,,,,", "FF,1,1,2,1,7,2,S,,,,,,"): "more than 2 lines",
	} {
		_, err := readSavant(t.Context(), strings.NewReader(text), 2)
		require.ErrorContains(t, err, want, text)
	}
	path := filepath.Join(t.TempDir(), "savant.csv")
	require.NoError(t, os.WriteFile(path, []byte(csv("FF,1,1,2,1,7,2,S,,,,,,")), 0o600))
	r, err := Run(t.Context(), Options{File: path, Rows: stored{}})
	require.ErrorContains(t, err, "no line of the file is about a stored pitch")
	require.EqualValues(t, 1, r.Unmatched)
}
