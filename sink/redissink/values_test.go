package redissink

import (
	"log/slog"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

func TestStatsComeBackAsTheyWent(t *testing.T) {
	number := rapid.Custom(func(rt *rapid.T) schemas.Opt[float64] {
		if rapid.Bool().Draw(rt, "missing") {
			return schemas.Opt[float64]{}
		}
		return schemas.Some(rapid.Float64Range(-math.MaxFloat64, math.MaxFloat64).Draw(rt, "value"))
	})
	text := rapid.Map(rapid.String(), func(s string) schemas.Text { return schemas.Text(strings.ToValidUTF8(s, "?")) })
	count := rapid.Int64Range(0, math.MaxInt64)
	eachServerOfBatters(t, func(t *testing.T, w *redisTest) {
		seq := int64(0)
		rapid.Check(t, func(rt *rapid.T) {
			st := schemas.Stats{
				Pitches: count.Draw(rt, "pitches"), SwingCount: count.Draw(rt, "swings"), WhiffCount: count.Draw(rt, "whiffs"),
				ContactCount: count.Draw(rt, "contacts"), HardHitCount: count.Draw(rt, "hard"),
				WhiffRatePct: number.Draw(rt, "rate"), MaxExitVelocityMPH: number.Draw(rt, "max"), AvgExitVelocityMPH: number.Draw(rt, "avg"),
				MaxBatSpeedMPH: number.Draw(rt, "bat"), AvgBatSpeedMPH: number.Draw(rt, "bats"), AvgAttackAngleDeg: number.Draw(rt, "angle"),
				ByPitchType: rapid.MapOf(rapid.Map(text, func(s schemas.Text) string {
					return string(s)
				}), rapid.Custom(func(rt *rapid.T) schemas.TypeCounts {
					return schemas.TypeCounts{Pitches: count.Draw(rt, "p"), Swings: count.Draw(rt, "s"), Whiffs: count.Draw(rt, "w")}
				})).Draw(rt, "types"),
			}
			if rapid.Bool().Draw(rt, "last") {
				st.LastPitch = &schemas.LastPitch{
					PitchID: schemas.PitchID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(rt, "id")), EventTime: schemas.TimeMS(rapid.Int64Range(-62135596800000, schemas.MaxTimestampMS).Draw(rt, "time")),
					PitchResult: text.Draw(rt, "result"), PitchAction: text.Draw(rt, "action"), ExitVelocityMPH: number.Draw(rt, "ev"),
				}
				if rapid.Bool().Draw(rt, "scored") {
					st.LastPitch.Scores = map[string]schemas.ScoreValues{"speed": {
						Version: rapid.Int32Min(1).Draw(rt, "version"), Label: text.Draw(rt, "label"), Value: number.Draw(rt, "value"),
						Margin: number.Draw(rt, "margin"), PValue: number.Draw(rt, "p"), Shift: number.Draw(rt, "shift"),
					}}
				}
			}
			seq++
			updated := schemas.TimeMS(rapid.Int64Range(0, schemas.MaxTimestampMS).Draw(rt, "updated"))
			w.push(t, schemas.Snapshot{PlayerID: 1, Seq: seq, PrevSeq: seq - 1, UpdatedAt: updated, Stats: &st})
			got, err := stateOf(t, w.Reader, w.truth.side, 1, "")
			want := &schemas.PlayerState{Stats: st, UpdatedAt: updated, Seq: seq}
			want.PlayerID = 1
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				rt.Fatalf("%v\n%s", err, diff)
			}
		})
	})
}

func TestNumbersAsText(t *testing.T) {
	for want, v := range map[string]float64{
		"103.7": 103.7, "-0.5": -0.5, "33.33": 33.33, "0": 0, "100": 100, "0.30000000000000004": math.Nextafter(0.3, 1),
		"1e-07": 1e-7, "0.000001": 1e-6, "1e+21": 1e21, "100000000000000000000": 1e20,
	} {
		if got := shortest(v); got != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
}

// guard: redis: one unreadable player hides no other
// guard: what no reader can parse is found
func TestWhatCannotBeReadIsSuspectAndTheLogNamesItsField(t *testing.T) {
	eachServerOfBatters(t, func(t *testing.T, w *redisTest) {
		for field, value := range map[string]string{
			"pitches": "many", "max_bat_speed_mph": "fast", "last_pitch": "{", "by_pitch_type": "[]", "updated_at": "now", "seq": "1.5",
		} {
			w.push(t, w.truth.change(1, "a", 4))
			w.client.HSet(t.Context(), w.overall(1), field, value)
			v, err := stateOf(t, w.Reader, w.truth.side, 1, "")
			require.NoError(t, err, field)
			require.True(t, v.Suspect && v.Seq == 0, field)
			log := &lines{}
			w.Reader.cfg.Log = slog.New(slog.NewTextHandler(log, nil))
			found, err := findBroken(t.Context(), w.Reader, w.truth.side, map[int64]bool{1: true, 3: true}, map[int64][]string{1: {"a"}})
			require.NoError(t, err)
			require.Equal(t, map[int64]bool{1: true}, found)
			require.Contains(t, log.String(), "field "+field)
			require.Contains(t, log.String(), "batter:{1} ")
		}
		if _, err := w.Push(t.Context(), []schemas.Snapshot{{PlayerID: 2, Seq: 1, Stats: &schemas.Stats{
			LastPitch: &schemas.LastPitch{ExitVelocityMPH: schemas.Some(math.Inf(1))},
		}}}, nil); err == nil || !strings.Contains(err.Error(), "last_pitch") {
			t.Errorf("infinity in JSON: %v", err)
		}
		w.client.HSet(t.Context(), w.keys.applied(), "t/0", "x", "t/1", "5")
		if a, err := w.Applied(t.Context()); err == nil || a["t/1"] != 5 {
			t.Errorf("applied: %v, %v", a, err)
		}
	})
}

func TestTheDocumentNamesEveryFieldAndKey(t *testing.T) {
	page, err := os.ReadFile("../../docs/REDIS.md")
	if err != nil {
		t.Fatal(err)
	}
	k := keys("ps:live:")
	names := []string{"seq", "whole", k.applied(), k.epoch()}
	for _, side := range schemas.Sides {
		names = append(names, schemas.Map(side.Columns(), schemas.ColumnName)...)
		player := schemas.PlayerKey{Side: side, PlayerID: 660271}
		names = append(names, k.of(player), k.gone(side, 660271))
		player.GamePK = "745804"
		names = append(names, k.of(player))
	}
	for _, name := range names {
		if !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("docs/REDIS.md does not name %s", name)
		}
	}
}

func TestReadingWhatIsNotThere(t *testing.T) {
	eachServerOfBatters(t, func(t *testing.T, w *redisTest) {
		w.push(t, w.truth.change(2, "g", 2))
		if v, err := stateOf(t, w.Reader, w.truth.side, 1, ""); v != nil || err != nil {
			t.Errorf("batter: %+v, %v", v, err)
		}
		if v, err := stateOf(t, w.Reader, w.truth.side, 2, "h"); v != nil || err != nil {
			t.Errorf("game: %+v, %v", v, err)
		}
		views, err := w.States(t.Context(), []schemas.PlayerKey{{PlayerID: 1}, {PlayerID: 2}, {PlayerID: 3}})
		if err != nil || len(views) != 3 || views[0] != nil || views[1] == nil || views[2] != nil {
			t.Errorf("batters: %+v, %v", views, err)
		}
		if views, err := w.States(t.Context(), nil); len(views) != 0 || err != nil {
			t.Errorf("no batters: %+v, %v", views, err)
		}
	})
}

// As many models as may be live, with the longest names, labels and numbers.
func TestTheScoresOfALastPitchHaveABound(t *testing.T) {
	longest := schemas.Some(-math.MaxFloat64)
	last := &schemas.LastPitch{Scores: map[string]schemas.ScoreValues{}}
	for i := range schemas.MaxLiveModels {
		name := strings.Repeat("m", 62) + string(rune('a'+i))
		last.Scores[name] = schemas.ScoreValues{
			Version: math.MaxInt32, Label: schemas.Text(strings.Repeat("\x01", 100)),
			Value: longest, Margin: longest, PValue: longest, Shift: longest,
		}
	}
	st := schemas.Stats{LastPitch: last}
	fields, err := encode(schemas.Batter, st.Fields(), 0)
	require.NoError(t, err)
	for i, name := range fields {
		if name == "last_pitch" {
			require.Less(t, len(fields[i+1].(string)), 16<<10)
			require.Greater(t, len(fields[i+1].(string)), 10<<10)
			return
		}
	}
	t.Fatal("no last pitch")
}
