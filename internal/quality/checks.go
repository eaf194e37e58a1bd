package quality

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/pitchstream/pitchstream/schemas"
)

// The names of the checks, as in metrics, alerts and docs/QUALITY.md.
const (
	UntrackedSwings     = "untracked_swings"
	NoBatter            = "no_batter"
	UnlistedIDs         = "unlisted_ids"
	CountGaps           = "count_gaps"
	DuplicateSamples    = "duplicate_samples"
	SampleConflicts     = "sample_conflicts"
	TwinPitches         = "twin_pitches"
	RepeatedRecords     = "repeated_records"
	ConflictingRecords  = "conflicting_records"
	DeletedPitches      = "deleted_pitches"
	Corrected           = "corrected"
	QuestionableSpeeds  = "questionable_speeds"
	ShortTracks         = "short_tracks"
	MissingPitchSpeed   = "missing_pitch_speed"
	MissingExitVelocity = "missing_exit_velocity"
	MissingBatSpeed     = "missing_bat_speed"
	MissingContact      = "missing_contact"

	Issues          = "issues"
	ColumnShift     = "column_shift"
	Delay           = "delay"
	IncompleteGames = "incomplete_games"
	VenueDrift      = "drift"
	MissingValues   = "missing_values"
	NewValues       = "new_values"
	StrayDates      = "stray_dates"
	LostPaths       = "lost_paths"
	NewPaths        = "new_paths"
	PathKinds       = "path_kinds"
	PathScale       = "path_scale"
)

// check is a share that is judged. It is abnormal if it exceeds its baseline by points, or the ceiling while
// there is no baseline, and chance does not explain the difference.
type check struct {
	name    string
	points  float64
	ceiling float64
	what    string
	do      string
}

var checks = []check{
	{UntrackedSwings, 0.05, 0.10, "known swings (by action or result) without bat tracking",
		"ask the venue's operator about the bat cameras; see which games"},
	{NoBatter, 0.10, 1, "pitches without a batter", "see whether the game feed's identify messages arrive"},
	{UnlistedIDs, 0.02, 0.02, "pitches whose batter or pitcher is not among the players",
		"pitchstream players load with the newest list, or the feed names wrong ids"},
	{CountGaps, 0.01, 0.03, "pitches after which the count skips: a pitch is missing between",
		"compare with the game feed; look for dead letters of the game"},
	{DuplicateSamples, 0.02, 0.20, "samples that repeat the time of another",
		"look at a record of it: pitchstream explain"},
	{SampleConflicts, 0.01, 0.05, "pitches with two bat samples of one time that differ",
		"look at a record of it: pitchstream explain"},
	{TwinPitches, 0.005, 0.01, "pitches that are stored twice, under two identities",
		"the producer changes ids on a retry: have it send the header pitch_id"},
	{RepeatedRecords, 0.05, 0.20, "records that came again: the same pitch, revision and values",
		"the producer sends twice: switch its idempotence on; nothing is counted twice"},
	{ConflictingRecords, 0.005, 0.01, "pitches of which two records of one revision differ",
		"the later one is current: have corrections sent with a greater revision; pitchstream explain shows both"},
	{DeletedPitches, 0.02, 0.05, "pitches that were deleted",
		"nothing, where the feed meant to; else ask who deletes"},
	{Corrected, 0.10, 0.50, "pitches that were corrected", "nothing, where the vendor said so; else ask why"},
	{QuestionableSpeeds, 0.05, 0.20, "full swings whose bat speed is questionable or missing",
		"frames are missing, or the clock is off: look at samples_bat"},
	{ShortTracks, 0.05, 0.15, "full swings with fewer than 300 bat samples",
		"the sample rate is not 300 Hz, or frames are missing"},
	{MissingPitchSpeed, 0.02, 0.05, "pitches without a speed",
		"see issues pitch_speed_mph: other units, or not measured"},
	{MissingExitVelocity, 0.05, 0.15, "balls in play without an exit velocity",
		"see issues exit_velocity_mph: other units, or not measured"},
	{MissingBatSpeed, 0.05, 0.15, "full swings without a bat speed",
		"look at samples_bat: too few samples, or a bat of no length"},
	{MissingContact, 0.10, 0.50, "full swings without a bat speed at contact",
		"the clocks of bat and ball differ, or one of them was not tracked: pitchstream explain shows the contact"},
}

const (
	// leastOf is the smallest denominator that is judged.
	leastOf = 50
	// chanceLimit is the number of standard errors above its baseline from which a share is abnormal.
	// venueLimit is the one for a single venue; it is higher, because many venues are judged.
	chanceLimit, venueLimit = 3, 3.5
)

// shares judges every check for all venues together and for each venue.
func (j *judge) shares() (out []schemas.QualityFinding) {
	for _, c := range checks {
		for _, venue := range append([]string{everywhere}, j.venues...) {
			of := func(p *part) schemas.QualityShare { return p.shares[at{venue, c.name}] }
			out = append(out, j.share(c, venue, "", of)...)
		}
	}
	return out
}

// issues judges every issue in the rows of the day.
func (j *judge) issues() (out []schemas.QualityFinding) {
	names := slices.SortedFunc(maps.Keys(j.today.issues), func(a, b string) int {
		return cmp.Or(cmp.Compare(j.today.issues[b], j.today.issues[a]), cmp.Compare(a, b))
	})
	for _, name := range names[:min(len(names), mostIssues)] {
		c := check{Issues, 0.02, 0.10, "rows with the issue " + name, "look at a record of it: pitchstream explain"}
		out = append(out, j.share(c, everywhere, name, func(p *part) schemas.QualityShare {
			return schemas.QualityShare{N: p.issues[name], Of: p.pitches}
		})...)
	}
	return out
}

// mostIssues bounds the size of the report when the stream has many kinds of issues.
const mostIssues = 60

// share judges one share. of reads it from a day or from the baseline.
func (j *judge) share(
	c check, venue, item string, of func(*part) schemas.QualityShare,
) []schemas.QualityFinding {
	today, base := of(j.today), of(j.base)
	if today.Of == 0 {
		return nil
	}
	f := schemas.QualityFinding{
		Check: c.name, Venue: venue, Item: item, Unit: "share", Value: ratio(today), Of: today.Of, What: c.what,
		Limit: fmt.Sprintf("%s points above the baseline", points(c.points)),
	}
	limit := float64(chanceLimit)
	if venue != everywhere {
		limit = venueLimit
	}
	above := c.ceiling
	if base.Of >= leastOf {
		above = ratio(base)
		f.Baseline = schemas.Some(above)
		f.Score = schemas.Some((f.Value - above) / j.shareError(today, base, of))
		// guard: quality: a share is held against its baseline | f.Value-above > c.points && f.Score.Value >= limit -> f.Value > 0.5
		f.Abnormal = f.Value-above > c.points && f.Score.Value >= limit
	} else {
		f.Limit = fmt.Sprintf("%s %%, until there is a baseline", points(c.ceiling))
		chance := math.Sqrt(max(c.ceiling*(1-c.ceiling), 1e-9) / float64(today.Of))
		f.Abnormal = f.Value > c.ceiling && (f.Value-c.ceiling)/chance >= limit
	}
	// guard: quality: few swings are too few to judge by
	f.Abnormal = f.Abnormal && today.Of >= leastOf
	f.Games = j.gamesWhere(func(g *schemas.QualityFacts) bool {
		s := g.Shares[c.name]
		if c.name == Issues {
			s = schemas.QualityShare{N: g.Issues[item], Of: g.Pitches}
		}
		return s.N > 0 && ratio(s) > above && (venue == everywhere || venueName(g) == venue)
	})
	if f.Abnormal {
		f.Do = c.do
	}
	return []schemas.QualityFinding{f}
}

func ratio(s schemas.QualityShare) float64 {
	if s.Of == 0 {
		return 0
	}
	return float64(s.N) / float64(s.Of)
}

func points(share float64) string { return fmt.Sprintf("%g", math.Round(share*1000)/10) }

// shareError returns the standard error of the difference of two shares. It includes how much the days of the
// baseline differ beyond chance.
func (j *judge) shareError(today, base schemas.QualityShare, of func(*part) schemas.QualityShare) float64 {
	p := max(ratio(base), 0.5/float64(base.Of))
	chance := p * (1 - min(p, 0.9999))
	var between, n float64
	for _, day := range j.baseDays {
		if s := of(j.days[day]); s.Of >= leastOf/2 {
			off := ratio(s) - p
			between, n = between+off*off-chance/float64(s.Of), n+1
		}
	}
	daily := 0.0
	if n > 1 {
		daily = max(between/(n-1), 0)
	}
	return math.Sqrt(chance/float64(today.Of) + chance/float64(base.Of) + daily)
}
