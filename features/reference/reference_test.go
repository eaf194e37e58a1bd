package reference

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/schemas"
)

// pitchNo is the id of a pitch in a test.
func pitchNo(n byte) schemas.PitchID { return schemas.PitchID{15: n} }

func upsert(pitch byte, revision, offset, batter int64) schemas.Change {
	row := &schemas.Row{PitchID: pitchNo(pitch), GamePK: "745612", Issues: []string{}}
	if batter != 0 {
		row.BatterID = schemas.Some(batter)
	}
	c := change(schemas.OpUpsert, pitch, revision, offset)
	c.Row = row
	return c
}

func identify(pitch byte, revision, offset int64, ids schemas.Identifiers) schemas.Change {
	c := change(schemas.OpIdentify, pitch, revision, offset)
	c.IDs = ids
	return c
}

func change(op schemas.Op, pitch byte, revision, offset int64) schemas.Change {
	return schemas.Change{
		Op: op, PitchID: pitchNo(pitch),
		Version: schemas.Version{Revision: revision, TimestampMS: 5, Offset: offset},
		Origin:  schemas.Coordinates{Topic: "pitches.raw", Offset: offset, TimestampMS: 5}, EventTime: schemas.TimeMS(offset),
	}
}

func batterIs(id int64) schemas.Identifiers { return schemas.Identifiers{BatterID: schemas.Some(id)} }

// Each case names the batter of the row that is current in the end: 0 is a row without a batter, −1 no row.
func TestResolvePicksTheCurrentVersion(t *testing.T) {
	remove := func(revision, offset int64) schemas.Change {
		return change(schemas.OpDelete, 1, revision, offset)
	}
	pitcher := schemas.Identifiers{PitcherID: schemas.Some[int64](9)}
	for _, tc := range []struct {
		name    string
		changes []schemas.Change
		batter  int64
	}{
		{"the only one", []schemas.Change{upsert(1, 0, 1, 10)}, 10},
		{"a correction", []schemas.Change{upsert(1, 0, 1, 10), upsert(1, 1, 2, 20)}, 20},
		{"that came first", []schemas.Change{upsert(1, 1, 2, 20), upsert(1, 0, 3, 10)}, 20},
		{"of the same revision the later record", []schemas.Change{upsert(1, 1, 3, 20), upsert(1, 1, 2, 10)}, 20},
		{"a delete", []schemas.Change{upsert(1, 0, 1, 10), remove(0, 2)}, -1},
		{"that came first", []schemas.Change{remove(0, 2), upsert(1, 0, 1, 10)}, -1},
		{"a delete is a version like others", []schemas.Change{remove(1, 2), upsert(1, 2, 1, 10)}, 10},
		{"a delete of nothing", []schemas.Change{remove(1, 2)}, -1},
		{"the feed names a batter", []schemas.Change{upsert(1, 0, 1, 0), identify(1, 0, 2, batterIs(30))}, 30},
		{"over the row's own", []schemas.Change{upsert(1, 5, 9, 10), identify(1, 0, 2, batterIs(30))}, 30},
		{"before the pitch is there", []schemas.Change{identify(1, 0, 2, batterIs(30)), upsert(1, 0, 3, 10)}, 30},
		{"but makes none", []schemas.Change{identify(1, 9, 2, batterIs(30))}, -1},
		{"nor brings one back", []schemas.Change{upsert(1, 0, 1, 10), remove(1, 2), identify(1, 9, 3, batterIs(30))}, -1},
		{"a later identify replaces it", []schemas.Change{upsert(1, 0, 1, 0), identify(1, 1, 2, batterIs(40)), identify(1, 0, 3, batterIs(30))}, 40},
		{"as a whole", []schemas.Change{upsert(1, 0, 1, 10), identify(1, 0, 2, batterIs(30)), identify(1, 1, 3, pitcher)}, 10},
		{"it outlives a delete", []schemas.Change{identify(1, 0, 1, batterIs(30)), remove(1, 2), upsert(1, 2, 3, 10)}, 30},
	} {
		got := int64(-1)
		for _, row := range Resolve(tc.changes) {
			got = row.BatterID.Value
		}
		if got != tc.batter {
			t.Errorf("%s: batter %d, want %d", tc.name, got, tc.batter)
		}
	}
}

func TestResolveReturnsTheWinnersProvenanceAndLeavesTheChangesAlone(t *testing.T) {
	c := upsert(1, 3, 7, 10)
	rows := Resolve([]schemas.Change{c, identify(1, 0, 1, batterIs(30))})
	want := schemas.Provenance{EventTime: 7, Revision: 3, RecordTSMS: 5, SourceTopic: "pitches.raw", SourceOffset: 7, CoreVersion: features.CoreVersion}
	if diff := cmp.Diff(want, rows[0].Provenance); diff != "" || rows[0].Version() != c.Version {
		t.Error(diff)
	}
	if c.Row.BatterID.Value != 10 {
		t.Error("the change's row was written to")
	}
}

func TestResolveIgnoresOrderAndRepetition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var changes []schemas.Change
		for i := range rapid.IntRange(1, 20).Draw(t, "changes") {
			pitch, revision := rapid.ByteRange(1, 3).Draw(t, "pitch"), rapid.Int64Range(0, 3).Draw(t, "revision")
			switch offset := int64(i); rapid.IntRange(0, 3).Draw(t, "op") {
			case 0:
				changes = append(changes, change(schemas.OpDelete, pitch, revision, offset))
			case 1:
				changes = append(changes, identify(pitch, revision, offset, batterIs(100+offset)))
			default:
				changes = append(changes, upsert(pitch, revision, offset, offset))
			}
		}
		want := Resolve(changes)
		again := rapid.Permutation(slices.Concat(changes, changes[:len(changes)/2])).Draw(t, "another order")
		if diff := cmp.Diff(want, Resolve(again)); diff != "" {
			t.Fatal(diff)
		}
		if diff := cmp.Diff(want, Resolve(changes[:len(changes):len(changes)])); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestFoldMatchesABattersDayComputedByHand(t *testing.T) {
	row := func(n byte, game schemas.Text, edit func(*schemas.StoredRow)) schemas.StoredRow {
		r := schemas.StoredRow{
			Row: schemas.Row{PitchID: pitchNo(n), GamePK: game, BatterID: schemas.Some[int64](7)},
		}
		r.EventTime, r.SourceOffset = schemas.TimeMS(n), int64(n)
		edit(&r)
		return r
	}
	rows := []schemas.StoredRow{
		row(1, "A", func(r *schemas.StoredRow) { // a hard hit
			r.IsSwing, r.IsContact, r.PitchType, r.SwingConfidence = true, true, "Sinker", schemas.SwingConfirmed
			r.ExitVelocityMPH, r.AttackAngleDeg = schemas.Some(95.0), schemas.Some(10.0)
			r.BatSpeedMPH, r.SpeedConfidence = schemas.Some(70.0), schemas.SpeedReliable
		}),
		row(2, "A", func(r *schemas.StoredRow) { // a whiff of doubtful speed
			r.IsSwing, r.IsWhiff, r.PitchType, r.SwingConfidence = true, true, "Sinker", schemas.SwingConfirmed
			r.AttackAngleDeg, r.BatSpeedMPH = schemas.Some(-4.0), schemas.Some(110.0)
			r.SpeedConfidence = schemas.SpeedQuestionable
		}),
		row(3, "B", func(r *schemas.StoredRow) { // a soft contact, perhaps a swing
			r.IsSwing, r.IsContact, r.SwingConfidence = true, true, schemas.SwingSuspected
			r.ExitVelocityMPH, r.AttackAngleDeg = schemas.Some(94.0), schemas.Some(40.0)
			r.BatSpeedMPH, r.SpeedConfidence = schemas.Some(60.0), schemas.SpeedReliable
		}),
		row(9, "", func(r *schemas.StoredRow) { r.PitchResult, r.EventTime = schemas.ResultBall, 3 }), // no game; later version
		row(5, "A", func(r *schemas.StoredRow) { r.BatterID = schemas.Opt[int64]{} }),                 // no batter
	}
	inGame := func(game string) schemas.PlayerGame { return schemas.PlayerGame{PlayerID: 7, GamePK: game} }
	batters, games := Fold(rows)
	want := schemas.Stats{
		Pitches: 4, SwingCount: 3, WhiffCount: 1, WhiffRatePct: schemas.Some(33.33),
		ContactCount: 2, HardHitCount: 1,
		MaxExitVelocityMPH: schemas.Some(95.0), AvgExitVelocityMPH: schemas.Some(94.5),
		P90ExitVelocityMPH: schemas.Some(94.9), AvgEV50MPH: schemas.Some(95.0),
		MaxBatSpeedMPH: schemas.Some(70.0), AvgBatSpeedMPH: schemas.Some(65.0),
		AvgAttackAngleDeg: schemas.Some(3.0),
		LastPitch:         &schemas.LastPitch{PitchID: pitchNo(9), EventTime: 3, PitchResult: schemas.ResultBall},
		ByPitchType:       map[string]schemas.TypeCounts{"Sinker": {Pitches: 2, Swings: 2, Whiffs: 1}, "unknown": {Pitches: 2, Swings: 1}},
	}
	if diff := cmp.Diff(map[int64]schemas.Stats{7: want}, batters); diff != "" {
		t.Error(diff)
	}
	if len(games) != 2 || games[inGame("A")].Pitches != 2 || games[inGame("B")].Pitches != 1 {
		t.Errorf("the games are %v", games)
	}
	if b := games[inGame("B")]; b.WhiffRatePct != schemas.Some(0.0) || b.AvgAttackAngleDeg.Present || b.HardHitCount != 0 {
		t.Errorf("game B is %+v", b)
	}
}

func TestNoRowsGiveNoStats(t *testing.T) {
	if diff := cmp.Diff(schemas.Stats{ByPitchType: map[string]schemas.TypeCounts{}}, statsOf(nil)); diff != "" {
		t.Error(diff)
	}
	if batters, games := Fold(nil); len(batters) != 0 || len(games) != 0 {
		t.Error("nobody has stats")
	}
}

// Counts add up, and the greatest exit velocity of the games is the batter's.
func TestABattersGamesAddUpToTheBatter(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	var rows []schemas.StoredRow
	for n := range byte(200) {
		row := schemas.Row{
			PitchID: pitchNo(n), BatterID: schemas.Some(int64(n % 5)), GamePK: schemas.Text(rune('A' + n%7)),
		}
		row.IsSwing, row.PitchType = random.IntN(2) == 0, []schemas.Text{"", "Sinker", "Slider"}[random.IntN(3)]
		if random.IntN(3) == 0 {
			row.ExitVelocityMPH = schemas.Some(random.Float64() * 125)
		}
		rows = append(rows, schemas.StoredRow{Row: row})
	}
	batters, games := Fold(rows)
	for id, whole := range batters {
		var pitches, swings, types int64
		fastest := math.Inf(-1)
		for game, part := range games {
			if game.PlayerID == id {
				pitches += part.Pitches
				swings += part.SwingCount
				if part.MaxExitVelocityMPH.Present {
					fastest = max(fastest, part.MaxExitVelocityMPH.Value)
				}
			}
		}
		for _, c := range whole.ByPitchType {
			types += c.Pitches
		}
		if pitches != whole.Pitches || swings != whole.SwingCount || types != whole.Pitches {
			t.Errorf("batter %d has %d pitches and %d swings, his games %d and %d, his types %d", id, whole.Pitches, whole.SwingCount, pitches, swings, types)
		}
		if whole.MaxExitVelocityMPH.Present && whole.MaxExitVelocityMPH.Value != fastest {
			t.Errorf("batter %d: %v, his games %v", id, whole.MaxExitVelocityMPH, fastest)
		}
	}
}

// The percentiles are those of PERCENTILE_CONT over competitive swings. The slowest of eleven reliable ones
// is not one; a hard hit is, whatever its doubts are. The hardest three of five exit velocities count.
func TestFoldMatchesPercentilesComputedByHand(t *testing.T) {
	var rows []schemas.StoredRow
	add := func(speed, exit schemas.Opt[float64], confidence schemas.Text) {
		n := byte(len(rows) + 1)
		rows = append(rows, schemas.StoredRow{Row: schemas.Row{
			PitchID: pitchNo(n), BatterID: schemas.Some[int64](7), ContactBatSpeedMPH: speed, ExitVelocityMPH: exit,
			ContactConfidence: confidence,
		}})
	}
	none := schemas.Opt[float64]{}
	for speed := 65; speed <= 75; speed++ { // 10th percentile: 66
		add(schemas.Some(float64(speed)), none, schemas.SpeedReliable)
	}
	add(schemas.Some(60.0), schemas.Some(90.0), schemas.SpeedQuestionable) // hard
	add(schemas.Some(99.0), schemas.Some(89.0), schemas.SpeedQuestionable) // neither
	for _, exit := range []float64{100, 50, 110} {
		add(none, schemas.Some(exit), "")
	}
	batters, _ := Fold(rows)
	s := batters[7]
	if s.CompetitiveSwings != 11 { // 60 and 66–75
		t.Errorf("%d competitive swings", s.CompetitiveSwings)
	}
	for what, c := range map[string][2]schemas.Opt[float64]{
		"p10 of 60 66 67 … 75":        {s.P10ContactBatSpeedMPH, schemas.Some(66.0)},
		"p90 of 60 66 67 … 75":        {s.P90ContactBatSpeedMPH, schemas.Some(74.0)},
		"p90 of 50 89 90 100 110":     {s.P90ExitVelocityMPH, schemas.Some(106.0)},
		"the mean of 90, 100 and 110": {s.AvgEV50MPH, schemas.Some(100.0)},
	} {
		if c[0] != c[1] {
			t.Errorf("%s is %v, want %v", what, c[0], c[1])
		}
	}
}
