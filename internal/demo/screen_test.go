package demo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
)

func written(b books) string {
	var out strings.Builder
	b.write(&out)
	return out.String()
}

var testTime = time.Date(2025, 4, 1, 17, 5, 42, 0, time.UTC)

// testView returns a view of three batters. The first one has just seen a pitch.
func testView() view {
	v := view{at: testTime, applied: 1234, rate: 7.25, lag: 2, rows: 1010, deadLetters: 1,
		newest: "not_a_pitch: the record is not an object"}
	v.sent.Records[simulate.KindDuplicate] = 51
	v.sent.Records[simulate.KindCorrection] = 1
	batter := func(id int64, ago time.Duration, s schemas.Stats) {
		v.batters = append(v.batters, schemas.PlayerState{PlayerKey: schemas.PlayerKey{PlayerID: id}, Stats: s,
			UpdatedAt: schemas.TimeMSOf(testTime.Add(-ago))})
	}
	last := func(ago time.Duration, result, action string, mph float64) *schemas.LastPitch {
		p := &schemas.LastPitch{EventTime: schemas.TimeMSOf(testTime.Add(-ago)), PitchResult: schemas.Text(result),
			PitchAction: schemas.Text(action)}
		if mph > 0 {
			p.ExitVelocityMPH = schemas.Some(mph)
		}
		return p
	}
	batter(332000000, time.Second, schemas.Stats{
		Pitches: 1021, SwingCount: 480, WhiffRatePct: schemas.Some(100.0), MaxExitVelocityMPH: schemas.Some(112.04),
		AvgBatSpeedMPH: schemas.Some(71.26), AvgAttackAngleDeg: schemas.Some(-12.34), LastPitch: last(0,
			schemas.ResultHitIntoPlay, "", 103.4),
	})
	batter(332001003, time.Minute, schemas.Stats{Pitches: 3,
		LastPitch: last(time.Hour, schemas.ResultBall, "HitByPitch", 0)})
	batter(332001004, time.Minute, schemas.Stats{Pitches: 1, LastPitch: last(time.Minute, "", "", 0)})
	return v
}

func TestFrameOf80Columns(t *testing.T) {
	s := &liveScreen{title: "ready after 1.9 s", began: testTime.Add(-42 * time.Second), about: about{
		game: "100 × life", hints: []string{"dashboard http://127.0.0.1:36589/", "log       /tmp/processor.log"},
	}}
	require.Equal(t, `pitchstream demo (Ctrl-C ends it): 100 × life, ready after 1.9 s, running 42s
1,234 records (7.2/s), lag 2: 1,010 rows in Postgres, 1 dead letter
absorbed: 51 sent twice, 1 correction, 0 deletes, 0 late names
newest dead letter: not_a_pitch: the record is not an object

dashboard http://127.0.0.1:36589/
log       /tmp/processor.log

  BATTER                 PITCHES SWINGS  WHIFF MAX EV AVG BAT ATTACK LAST PITCH
                                             %    mph     mph    deg        mph
▸ 332000000 S. Lindqvist    1021    480  100.0  112.0    71.3  -12.3 in play 103
  332001003 Y. Quinn           3      0      -      -       -      - hit batter
  332001004 F. Ramos           1      0      -      -       -      - ?
`, textOf(s.frame(testView(), 80, 24)))
}

func TestTableKeepsTheNewestBatters(t *testing.T) {
	lines := table{80}.lines(testView().batters, testTime, 2)
	require.Equal(t, `▸ 332000000 S. Lindqvist    1021    480  100.0  112.0    71.3  -12.3 in play 103
  332001004 F. Ramos           1      0      -      -       -      - ?
  and 1 more, whose last pitch is longer ago
`, textOf(lines[2:]))
}

func TestFrameFitsScreensOfAnySize(t *testing.T) {
	s := &liveScreen{}
	for width := range 100 {
		for height := range 30 {
			lines := s.frame(testView(), width, height)
			require.LessOrEqual(t, len(lines), height)
			for _, l := range lines {
				require.LessOrEqual(t, utf8.RuneCountInString(l.text), max(width, 1), "%d × %d: %s", width, height,
					l.text)
			}
		}
	}
}

func TestTerminalIsRedrawnInPlaceAndRestored(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "terminal"))
	require.NoError(t, err)
	defer f.Close()
	s := &liveScreen{out: f, colours: true}
	s.begin(about{game: "100 × life"}, 1900*time.Millisecond)
	s.draw(testView())
	s.draw(testView())
	s.end()
	s.end()
	s.sumUp(books{batters: testView().batters})
	drawn, err := os.ReadFile(f.Name())
	require.NoError(t, err)

	before, rest, _ := strings.Cut(string(drawn), "\x1b[?1049h\x1b[?25l")
	pages, after, _ := strings.Cut(rest, "\x1b[?25h\x1b[?1049l")
	require.Equal(t, "ready after 1.9 s\n", before)
	require.NotContains(t, after, "\x1b", "restored once")
	require.Contains(t, after, "\n  332000000 S. Lindqvist    1021 ",
		"the final table stays, with no batter marked")
	require.Contains(t, after, "\nletters   0 = 0 broken  ✓\n")

	frames := strings.Split(pages, "\x1b[H")
	require.Len(t, frames, 3)
	require.Empty(t, frames[0])
	require.Equal(t, frames[1], frames[2])
	require.Contains(t, frames[1], "\x1b[1m▸ 332000000 S. Lindqvist    1021    480  100.0  112.0    71.3  -12.3 in play 103\x1b[0m\x1b[K\n")
	require.True(t, strings.HasSuffix(frames[1], "?\x1b[K\x1b[J"), "a new line at the end would scroll")
}

func TestNamesInALeagueAreUnique(t *testing.T) {
	for _, first := range []int64{100_000_000, 332_000_000,
		899_000_000} { // the first player of a league; see simulate
		names := map[string]bool{}
		for team := range int64(30) {
			for batter := range int64(9) {
				name := playerName(first + team*1000 + batter)
				require.False(t, names[name], name)
				require.LessOrEqual(t, len(name), 12, name)
				names[name] = true
			}
		}
	}
}

func textOf(lines []line) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.text + "\n")
	}
	return b.String()
}
