package quality

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/pitchstream/pitchstream/schemas"
)

// Facts sums up the rows of one game for each day and venue, ordered by day and venue. listed reports whether
// an identifier is in the list of players; nil means that there is no list.
func Facts(rows []schemas.StoredRow, listed func(id int64) bool) (facts []schemas.QualityFacts) {
	type place struct {
		day   string
		venue schemas.Text
	}
	parts := map[place][]*schemas.StoredRow{}
	for i := range rows {
		at := place{DayOf(&rows[i]), rows[i].Venue}
		parts[at] = append(parts[at], &rows[i])
	}
	for at, part := range parts {
		f := factsOf(part, listed)
		f.GamePK, f.Day, f.Venue = part[0].GamePK, at.day, at.venue
		facts = append(facts, f)
	}
	slices.SortFunc(facts, func(a, b schemas.QualityFacts) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Venue, b.Venue))
	})
	return facts
}

// DayOf returns the day of a row: the date of the game, or of the event time in UTC if the game has no date.
func DayOf(r *schemas.StoredRow) string {
	if r.GameDate != "" {
		return string(r.GameDate)
	}
	return r.EventTime.Time().UTC().Format(time.DateOnly)
}

// IsKnownSwing reports whether the action or the result implies a swing, which confirms a tracked one.
func IsKnownSwing(r *schemas.Row) bool {
	return r.PitchAction == "Swinging" || r.PitchAction == "Foul" || r.PitchResult == schemas.ResultHitIntoPlay
}

// isFullSwing reports whether a bat was tracked on a pitch that was not called. On called pitches the bat is
// that of a checked swing, or of a batter who steps back.
func isFullSwing(r *schemas.Row) bool {
	return r.IsSwing && (IsKnownSwing(r) || r.PitchResult == schemas.ResultStrike && r.PitchAction != "Called")
}

func factsOf(rows []*schemas.StoredRow, listed func(int64) bool) schemas.QualityFacts {
	slices.SortFunc(rows, func(a, b *schemas.StoredRow) int {
		// guard: quality: rows count in time's order | cmp.Compare(a.EventTime, b.EventTime), a.Version() -> 0*cmp.Compare(a.EventTime, b.EventTime), 0*a.Version()
		return cmp.Or(cmp.Compare(a.EventTime, b.EventTime), a.Version().Compare(b.Version()),
			slices.Compare(a.PitchID[:], b.PitchID[:]))
	})
	f := schemas.QualityFacts{
		Pitches: int64(len(rows)), First: rows[0].EventTime, Last: rows[len(rows)-1].EventTime,
		Shares: map[string]schemas.QualityShare{}, Issues: map[string]int64{}, Innings: map[int16]int64{},
		Columns: columnsOf(rows), Swings: []schemas.BatterSpeed{},
	}
	var event, record, samples []float64
	for i, r := range rows {
		addShares(f.Shares, r, listed)
		for _, issue := range r.Issues {
			f.Issues[issue]++
		}
		if r.Inning.Present {
			f.Innings[r.Inning.Value]++
		}
		event = append(event, float64(r.RecordTSMS-int64(r.EventTime))/1000)
		record = append(record, float64(int64(r.ProcessedAt)-r.RecordTSMS)/1000)
		if isFullSwing(&r.Row) {
			samples = append(samples, float64(r.BatSamples))
			if r.SpeedConfidence == schemas.SpeedReliable && r.BatterID.Present && r.BatSpeedMPH.Present {
				f.Swings = append(f.Swings, schemas.BatterSpeed{
					BatterID: r.BatterID.Value, MPH: math.Round(r.BatSpeedMPH.Value*100) / 100,
				})
			}
		}
		if i > 0 {
			addPair(f.Shares, rows[i-1], r)
		}
	}
	f.EventToRecordS, f.RecordToRowS = delay(event), delay(record)
	if len(samples) > 0 {
		f.BatSamples = schemas.Some(median(samples))
	}
	return f
}

func delay(seconds []float64) schemas.QualityDelay {
	return schemas.QualityDelay{P50: quantile(seconds, 0.5), P95: quantile(seconds, 0.95)}
}

// add counts one more case, with or without the fault.
func add[K comparable](shares map[K]schemas.QualityShare, check K, fault bool) {
	addMany(shares, check, count(fault), 1)
}

func addMany[K comparable](shares map[K]schemas.QualityShare, check K, n, of int64) {
	s := shares[check]
	shares[check] = schemas.QualityShare{N: s.N + n, Of: s.Of + of}
}

func count(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

// fullTrack is the number of samples of a swing from the stance to the finish, about 1.2 s at 300 Hz. Half as
// many mean that a camera missed frames, or that the rate is another.
const fullTrack = 300

// addShares counts the faults of one row.
func addShares(shares map[string]schemas.QualityShare, r *schemas.StoredRow, listed func(int64) bool) {
	thrown := r.PitchResult != schemas.ResultPickoff
	if IsKnownSwing(&r.Row) {
		add(shares, UntrackedSwings, !r.IsSwing)
	}
	if thrown {
		add(shares, NoBatter, !r.BatterID.Present)
		add(shares, MissingPitchSpeed, !r.PitchSpeedMPH.Present)
	}
	if listed != nil && (r.BatterID.Present || r.PitcherID.Present) {
		add(shares, UnlistedIDs,
			r.BatterID.Present && !listed(r.BatterID.Value) || r.PitcherID.Present && !listed(r.PitcherID.Value))
	}
	if r.PitchResult == schemas.ResultHitIntoPlay {
		add(shares, MissingExitVelocity, !r.ExitVelocityMPH.Present)
	}
	if isFullSwing(&r.Row) {
		add(shares, MissingBatSpeed, !r.BatSpeedMPH.Present)
		add(shares, QuestionableSpeeds, r.SpeedConfidence != schemas.SpeedReliable)
		add(shares, ShortTracks, r.BatSamples < fullTrack)
	}
	addMany(shares, DuplicateSamples, int64(r.DuplicateSamples),
		int64(r.BatSamples)+int64(r.BallSamples)+int64(r.DuplicateSamples))
	add(shares, SampleConflicts, slices.Contains(r.Issues, "bat_samples:conflict"))
	add(shares, Corrected, r.Revision > 0)
}

// addPair counts the faults between two successive rows.
func addPair(shares map[string]schemas.QualityShare, a, b *schemas.StoredRow) {
	add(shares, TwinPitches, twins(a, b))
	if gap, known := countGap(&a.Row, &b.Row); known && !twins(a, b) {
		add(shares, CountGaps, gap)
	}
}

// twins reports whether two rows are one pitch with two ids: thrown in the same millisecond, with the same
// measurements.
func twins(a, b *schemas.StoredRow) bool {
	return a.EventTime == b.EventTime && a.Inning == b.Inning &&
		a.Balls == b.Balls && a.Strikes == b.Strikes && a.Outs == b.Outs &&
		a.PitchResult == b.PitchResult && a.PitchSpeedMPH == b.PitchSpeedMPH && a.PitchSpeedMPH.Present
}
