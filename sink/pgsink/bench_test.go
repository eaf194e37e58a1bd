package pgsink

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
	"github.com/pitchstream/pitchstream/sink/sinktest"
)

// BenchmarkBatch writes batches of 1,000 new pitches, 200 of each of five games, over 90 batters who have
// 60 games already.
func BenchmarkBatch(b *testing.B) {
	s, err := Open(Config{
		URL: testkit.Postgres(b), Schema: "pitchstream", Group: "g", Build: "test", CoreVersion: 2,
	})
	require.NoError(b, err)
	b.Cleanup(s.Close)
	_, err = pgadmin.New(s.DB()).Migrate(b.Context())
	require.NoError(b, err)
	feed := &seasonFeed{rnd: rand.New(rand.NewPCG(1, 1))}
	for range 60 {
		_, err := s.Apply(b.Context(), feed.batch())
		require.NoError(b, err)
	}
	_, err = s.db.Pool.Exec(b.Context(), "VACUUM ANALYZE")
	require.NoError(b, err)
	for b.Loop() {
		b.StopTimer()
		next := feed.batch()
		b.StartTimer()
		out, err := s.Apply(b.Context(), next)
		require.NoError(b, err)
		require.Len(b, out.Snapshots, 100)
	}
}

// seasonFeed makes rounds of five games, each with 18 batters and 200 pitches.
type seasonFeed struct {
	rnd     *rand.Rand
	round   int
	pitches uint64
}

func (f *seasonFeed) batch() schemas.Batch {
	f.round++
	changes := make([]schemas.Change, 1000)
	for i := range changes {
		f.pitches++
		var id schemas.PitchID
		binary.BigEndian.PutUint64(id[:], f.rnd.Uint64())
		binary.BigEndian.PutUint64(id[8:], f.pitches)
		game := i % 5
		changes[i] = schemas.Change{
			PitchID: id, Version: schemas.Version{TimestampMS: int64(f.pitches), Offset: int64(f.pitches)},
			EventTime: schemas.TimeMS(1_700_000_000_000 + f.pitches),
			Origin:    schemas.Coordinates{Topic: "t", Offset: int64(f.pitches), TimestampMS: int64(f.pitches)},
			Row:       f.row(id, game, i/5),
		}
	}
	return sinktest.BatchOf(changes...)
}

func (f *seasonFeed) row(id schemas.PitchID, game, n int) *schemas.Row {
	near := func(mean, deviation float64) schemas.Opt[float64] {
		return schemas.Some(mean + deviation*f.rnd.NormFloat64())
	}
	types := []schemas.Text{"Sinker", "Slider", "Curveball", "FourSeamFastball"}
	r := &schemas.Row{
		PitchID: id, GamePK: schemas.Text(fmt.Sprint(f.round*10 + game)), GameDate: "2025-04-06",
		BatterID:    schemas.Some(int64(600_000 + game*18 + n*18/200)),
		PitcherID:   schemas.Some(int64(500_000 + game*2 + n%2)),
		PitchType:   types[f.rnd.IntN(len(types))],
		PitchResult: schemas.ResultStrike, PitchSpeedMPH: near(92, 3), SpinRateRPM: near(2200, 100),
		ReleaseSpeedMPH: near(92, 3), PlateSpeedMPH: near(85, 3), PlateTimeS: near(0.4, 0.01),
		PlateXFT: near(0, 1), PlateZFT: near(2.5, 1),
		HorizontalBreakIn: near(5, 5), InducedVerticalBreakIn: near(12, 5),
		InZone: schemas.Some(f.rnd.IntN(2) == 0), IsSwing: f.rnd.IntN(100) < 48,
		BatSamples: 370, BallSamples: 200, Issues: []string{},
	}
	if r.IsSwing {
		f.swing(r, near)
	}
	return r
}

// swing fills the columns of a swing. A quarter of them is doubtful at contact.
func (f *seasonFeed) swing(r *schemas.Row, near func(mean, deviation float64) schemas.Opt[float64]) {
	one := func(in int) schemas.Opt[bool] { return schemas.Some(f.rnd.IntN(in) == 0) }
	r.SwingConfidence, r.SpeedConfidence = schemas.SwingConfirmed, schemas.SpeedReliable
	r.ContactConfidence, r.ContactDoubts = schemas.SpeedReliable, []string{}
	if f.rnd.IntN(4) == 0 {
		r.ContactConfidence, r.ContactDoubts = schemas.SpeedQuestionable, []string{"spread"}
	}
	r.IsChase = schemas.Some(!r.InZone.Value)
	r.AttackAngleDeg, r.BatSpeedMPH = near(8, 11), near(72, 7)
	r.ContactBatSpeedMPH, r.ContactAttackAngleDeg, r.SwingLengthFT = near(72, 7), near(8, 11), near(7.3, 0.6)
	if r.IsContact = f.rnd.IntN(100) < 75; r.IsContact && f.rnd.IntN(2) == 0 {
		r.ExitVelocityMPH, r.LaunchAngleDeg, r.SquaredUpPct = near(88, 12), near(12, 25), near(75, 15)
		r.IsSquaredUp, r.IsBlast, r.IsBarrel = one(4), one(8), one(12)
	}
	r.IsWhiff = !r.IsContact
}
