package quality

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/pitchstream/pitchstream/schemas"
)

// place is where and when the rows of a game were measured.
type place struct {
	day   string
	venue schemas.Text
}

func comparePlaces(a, b place) int {
	return cmp.Or(cmp.Compare(a.day, b.day), cmp.Compare(a.venue, b.venue))
}

// Facts sums up the rows of one game for each day and venue, ordered by day and venue. listed reports whether
// an identifier is in the list of players; nil means that there is no list.
func Facts(rows []schemas.StoredRow, listed func(id int64) bool) (facts []schemas.QualityFacts) {
	parts := map[place][]*schemas.StoredRow{}
	for i := range rows {
		at := place{DayOf(&rows[i]), rows[i].Venue}
		parts[at] = append(parts[at], &rows[i])
	}
	// guard: quality: the days and venues of a game are bounded
	boundPlaces(parts, func(part []*schemas.StoredRow) int { return len(part) },
		func(a, b []*schemas.StoredRow) []*schemas.StoredRow { return append(a, b...) })
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

const (
	// maxPlaces bounds the days and venues of one game that have facts of their own. Facts take some thousand
	// bytes, and a game has one day and one venue.
	maxPlaces = 20
	// otherVenues is the venue of the facts that the rest of them share, at the day that most have.
	otherVenues = "(other venues)"
)

// boundPlaces keeps the maxPlaces places that count most, and puts together all others.
func boundPlaces[T any](parts map[place]T, count func(T) int, together func(a, b T) T) {
	if len(parts) <= maxPlaces {
		return
	}
	places := slices.SortedFunc(maps.Keys(parts), func(a, b place) int {
		return cmp.Or(cmp.Compare(count(parts[b]), count(parts[a])), comparePlaces(a, b))
	})
	rest := place{places[0].day, otherVenues}
	all := parts[rest]
	for _, at := range places[maxPlaces:] {
		if at != rest {
			all = together(all, parts[at])
		}
		delete(parts, at)
	}
	parts[rest] = all
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
		Pitches: int64(len(rows)), First: happened(rows[0]), Last: happened(rows[0]),
		Shares: map[string]schemas.QualityShare{}, Issues: map[string]int64{}, Innings: map[int16]int64{},
		Columns: columnsOf(rows), Swings: []schemas.BatterSpeed{},
		Present: map[string]int64{}, Words: map[string]map[string]int64{},
	}
	var event, record, samples []float64
	for i, r := range rows {
		addShares(f.Shares, r, listed)
		countValues(&f, &r.Row)
		for _, issue := range r.Issues {
			f.Issues[issue]++
		}
		if r.Inning.Present {
			f.Innings[r.Inning.Value]++
		}
		f.First, f.Last = min(f.First, happened(r)), max(f.Last, happened(r))
		// guard: quality: a correction is not late | r.Revision == 0 -> true
		if r.Revision == 0 {
			event = append(event, float64(r.RecordTSMS-int64(r.EventTime))/1000)
		}
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
			isTwin := twins(rows[i-1], r)
			add(f.Shares, TwinPitches, isTwin)
			if gap, known := countGap(&rows[i-1].Row, &r.Row); known && !isTwin {
				add(f.Shares, CountGaps, gap)
			}
		}
	}
	f.EventToRecordS, f.RecordToRowS = delay(event), delay(record)
	if len(samples) > 0 {
		f.BatSamples = schemas.Some(median(samples))
	}
	return f
}

// happened returns when a pitch was thrown, as far as that can be: not later than an hour after its record
// was processed. Otherwise one record with a wrong year would make every game look over.
func happened(r *schemas.StoredRow) schemas.TimeMS {
	// guard: quality: a pitch of the future ends no game
	if latest := r.ProcessedAt + schemas.TimeMS(time.Hour.Milliseconds()); r.EventTime > latest {
		return latest
	}
	return r.EventTime
}

func delay(seconds []float64) schemas.QualityDelay {
	if len(seconds) == 0 {
		return schemas.QualityDelay{}
	}
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
		if r.CoreVersion > 1 {
			add(shares, MissingContact, !r.ContactBatSpeedMPH.Present)
		}
	}
	addMany(shares, DuplicateSamples, int64(r.DuplicateSamples),
		int64(r.BatSamples)+int64(r.BallSamples)+int64(r.DuplicateSamples))
	add(shares, SampleConflicts, slices.Contains(r.Issues, "bat_samples:conflict"))
	add(shares, Corrected, r.Revision > 0)
}

// twins reports whether two rows are one pitch with two ids: thrown in the same millisecond, with the same
// measurements.
func twins(a, b *schemas.StoredRow) bool {
	return a.EventTime == b.EventTime && a.Inning == b.Inning &&
		a.Balls == b.Balls && a.Strikes == b.Strikes && a.Outs == b.Outs &&
		a.PitchResult == b.PitchResult && a.PitchSpeedMPH == b.PitchSpeedMPH && a.PitchSpeedMPH.Present
}

// WithArrivals adds to the facts of a game what its rows do not show: repeated records, records of one
// revision that differ, and deletes. If all pitches of a day and venue were deleted, it adds facts with no
// pitches.
func WithArrivals(
	facts []schemas.QualityFacts, game schemas.Text, arrivals []schemas.QualityArrivals,
) []schemas.QualityFacts {
	left := map[place]schemas.QualityArrivals{}
	for _, a := range arrivals {
		left[place{a.Day, a.Venue}] = a
	}
	known := map[place]bool{}
	for _, f := range facts {
		known[place{f.Day, f.Venue}] = true
	}
	isRest := func(f schemas.QualityFacts) bool { return f.Venue == otherVenues }
	if i := slices.IndexFunc(facts, isRest); i >= 0 {
		rest := place{facts[i].Day, otherVenues}
		for at, a := range left {
			if !known[at] {
				left[rest] = addArrivals(left[rest], a)
				delete(left, at)
			}
		}
	}
	for i := range facts {
		at := place{facts[i].Day, facts[i].Venue}
		arrived(&facts[i], left[at])
		delete(left, at)
	}
	maps.DeleteFunc(left, func(_ place, a schemas.QualityArrivals) bool { return a.Deleted == 0 })
	// guard: quality: the days and venues of a game with deletes only are bounded
	boundPlaces(left, func(a schemas.QualityArrivals) int { return int(a.Deleted) }, addArrivals)
	for _, at := range slices.SortedFunc(maps.Keys(left), comparePlaces) {
		f := schemas.QualityFacts{
			GamePK: game, Day: at.day, Venue: at.venue, Shares: map[string]schemas.QualityShare{},
			Issues:  map[string]int64{},
			Columns: map[string]schemas.QualityColumn{}, Innings: map[int16]int64{}, Swings: []schemas.BatterSpeed{},
		}
		arrived(&f, left[at])
		facts = append(facts, f)
	}
	return facts
}

// addArrivals returns the sums of two arrivals. Their places have no meaning then.
func addArrivals(a, b schemas.QualityArrivals) schemas.QualityArrivals {
	a.Repeats, a.Conflicting, a.Deleted = a.Repeats+b.Repeats, a.Conflicting+b.Conflicting, a.Deleted+b.Deleted
	return a
}

func arrived(f *schemas.QualityFacts, a schemas.QualityArrivals) {
	addMany(f.Shares, DeletedPitches, a.Deleted, f.Pitches+a.Deleted)
	if f.Pitches > 0 {
		addMany(f.Shares, RepeatedRecords, a.Repeats, f.Pitches+a.Repeats)
		addMany(f.Shares, ConflictingRecords, a.Conflicting, f.Pitches)
	}
}

// countGap reports whether a pitch is missing between two successive ones of a game: the count before b is
// not the count that a leads to. known is false if a record lacks the values.
func countGap(a, b *schemas.Row) (gap, known bool) {
	for _, n := range []schemas.Opt[int16]{a.Balls, a.Strikes, b.Balls, b.Strikes, a.Inning, b.Inning} {
		if !n.Present {
			return false, false
		}
	}
	balls, strikes, known := after(a)
	if !known {
		return false, false
	}
	if b.Balls.Value == balls && b.Strikes.Value == strikes {
		return false, true
	}
	// A caught runner can end a half inning during a plate appearance, which then starts again at 0-0.
	anew := b.Balls.Value == 0 && b.Strikes.Value == 0
	halfEnds := a.Inning != b.Inning || a.Outs.Present && b.Outs.Present && b.Outs.Value < a.Outs.Value ||
		a.Outs.Value == 2 && b.Outs.Value == 0
	return !(anew && halfEnds), true
}

// after returns the count after a pitch: 0-0 after the last one of a plate appearance.
func after(a *schemas.Row) (balls, strikes int16, known bool) {
	balls, strikes = a.Balls.Value, a.Strikes.Value
	switch {
	case a.PitchResult == schemas.ResultHitIntoPlay, a.PitchAction == "HitByPitch":
		return 0, 0, true
	case a.PitchResult == schemas.ResultPickoff:
		return balls, strikes, true
	case a.PitchResult == schemas.ResultBall:
		balls++
	case a.PitchResult == schemas.ResultStrike:
		// guard: quality: a foul with two strikes adds none | always
		if a.PitchAction != "Foul" || strikes < 2 {
			strikes++
		}
	default:
		return 0, 0, false
	}
	if balls >= 4 || strikes >= 3 {
		return 0, 0, true
	}
	return balls, strikes, true
}

// column is a numeric column that is judged.
type column struct {
	name, unit string
	of         func(r *schemas.Row) schemas.Opt[float64]
}

var columns = []column{
	{"pitch_speed_mph", "mph", func(r *schemas.Row) schemas.Opt[float64] { return r.PitchSpeedMPH }},
	{"spin_rate_rpm", "rpm", func(r *schemas.Row) schemas.Opt[float64] { return r.SpinRateRPM }},
	{"exit_velocity_mph", "mph", func(r *schemas.Row) schemas.Opt[float64] { return r.ExitVelocityMPH }},
	{"hit_spin_rpm", "rpm", func(r *schemas.Row) schemas.Opt[float64] { return r.HitSpinRPM }},
	{"launch_angle_deg", "degree", func(r *schemas.Row) schemas.Opt[float64] { return r.LaunchAngleDeg }},
	{"spray_angle_deg", "degree", func(r *schemas.Row) schemas.Opt[float64] { return r.SprayAngleDeg }},
	{"attack_angle_deg", "degree", func(r *schemas.Row) schemas.Opt[float64] { return r.AttackAngleDeg }},
	{"bat_speed_mph", "mph", func(r *schemas.Row) schemas.Opt[float64] { return r.BatSpeedMPH }},
}

func columnsOf(rows []*schemas.StoredRow) map[string]schemas.QualityColumn {
	out := map[string]schemas.QualityColumn{}
	for _, c := range columns {
		var sum schemas.QualityColumn
		for _, r := range rows {
			if v := c.of(&r.Row); v.Present {
				sum = merge(sum, schemas.QualityColumn{N: 1, Mean: v.Value, Min: v.Value, Max: v.Value})
			}
		}
		if sum.N > 0 {
			out[c.name] = sum
		}
	}
	return out
}

// merge returns the summary of the values of both (T. F. Chan, G. H. Golub, R. J. LeVeque, Algorithms for
// Computing the Sample Variance, 1983).
func merge(a, b schemas.QualityColumn) schemas.QualityColumn {
	if a.N == 0 || b.N == 0 {
		if a.N == 0 {
			return b
		}
		return a
	}
	n, off := float64(a.N+b.N), b.Mean-a.Mean
	return schemas.QualityColumn{
		N: a.N + b.N, Mean: a.Mean + off*float64(b.N)/n,
		Squares: a.Squares + b.Squares + off*off*float64(a.N)*float64(b.N)/n,
		Min:     min(a.Min, b.Min), Max: max(a.Max, b.Max),
	}
}
