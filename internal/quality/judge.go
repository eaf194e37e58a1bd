package quality

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/pitchstream/pitchstream/schemas"
)

const (
	// History is the number of days of facts that Judge needs.
	History = 30
	// baselineDays is the number of game days in the baseline.
	baselineDays = 7

	everywhere   = "all"
	unknownVenue = "unknown"
	// mostVenues bounds the size of the report when the stream has many odd venues. Further ones count in all
	// venues only.
	mostVenues = 40
)

// Judge compares a day with the game days before it. facts must have the History days up to it; day "" is the
// newest day with facts. Facts after the day are ignored.
func Judge(facts []schemas.QualityFacts, day string) schemas.QualityReport {
	j := newJudge(facts, day)
	// guard: quality: a game without current rows does not count | Games: j.gamesWhere(hasRows), Pitches -> Games: int64(len(j.games)), Pitches
	r := schemas.QualityReport{
		Day: j.day, Games: j.gamesWhere(hasRows), Pitches: j.today.pitches, BaselineDays: slices.Clone(j.baseDays),
		Findings: []schemas.QualityFinding{}, Venues: j.venueList(),
	}
	if r.BaselineDays == nil {
		r.BaselineDays = []string{}
	}
	if r.Games == 0 {
		return r
	}
	for _, g := range j.games {
		r.AsOf = schemas.Some(max(r.AsOf.Value, g.Last))
	}
	r.Findings = slices.Concat(r.Findings, j.shares(), j.issues(), j.columnShifts(), j.drifts(), j.delays(),
		completeness(j), missingValues(j), newWords(j), strayDates(j), members(j))
	slices.SortStableFunc(r.Findings, func(a, b schemas.QualityFinding) int {
		return cmp.Or(-cmp.Compare(count(a.Abnormal), count(b.Abnormal)),
			cmp.Compare(count(a.Venue != everywhere), count(b.Venue != everywhere)))
	})
	for _, f := range r.Findings {
		r.Abnormal += count(f.Abnormal)
	}
	return r
}

// JudgeGame compares one game of a day with the game days before it, as Judge compares the day. It returns an
// error if the day has no such game.
func JudgeGame(facts []schemas.QualityFacts, day, game string) ([]schemas.QualityReport, error) {
	kept := slices.Clone(facts)
	kept = slices.DeleteFunc(kept, func(f schemas.QualityFacts) bool {
		return f.Day == day && string(f.GamePK) != game
	})
	if !slices.ContainsFunc(kept, func(f schemas.QualityFacts) bool { return f.Day == day }) {
		return nil, fmt.Errorf("no pitch of game %s is stored", game)
	}
	return []schemas.QualityReport{Judge(kept, day)}, nil
}

// Days returns the days of the facts in their order.
func Days(facts []schemas.QualityFacts) (days []string) {
	for _, f := range facts {
		if !slices.Contains(days, f.Day) {
			days = append(days, f.Day)
		}
	}
	slices.Sort(days)
	return days
}

// judge has the data of one call of Judge.
type judge struct {
	day      string
	newest   schemas.TimeMS // of all facts
	games    []*schemas.QualityFacts
	history  []*schemas.QualityFacts // up to the day
	strays   []*schemas.QualityFacts // whose date is far from the day, or after the newest
	days     map[string]*part
	today    *part
	base     *part
	baseDays []string // in order
	venues   []string // of the day, by name
}

// part sums up several games.
type part struct {
	pitches    int64
	shares     map[at]schemas.QualityShare // by venue and check
	issues     map[string]int64
	columns    map[at]schemas.QualityColumn // by venue and column
	event, row schemas.QualityDelay         // the greatest P95 of a game, the median of the P50
	medians    [2][]float64
	missing    map[at]missing              // by venue and column
	words      map[string]map[string]int64 // by column
}

// at is a check or a column at a venue, which may be everywhere.
type at struct{ venue, name string }

func newPart() *part {
	return &part{
		shares: map[at]schemas.QualityShare{}, issues: map[string]int64{}, columns: map[at]schemas.QualityColumn{},
		missing: map[at]missing{}, words: map[string]map[string]int64{},
	}
}

func newJudge(facts []schemas.QualityFacts, day string) *judge {
	j := &judge{day: day, days: map[string]*part{}, today: newPart(), base: newPart()}
	pitches := map[string]int64{}
	for i := range facts {
		pitches[facts[i].Day] += facts[i].Pitches
	}
	stray := strayed(pitches)
	for i := range facts {
		if day == "" && !stray[facts[i].Day] {
			j.day = max(j.day, facts[i].Day)
		}
	}
	for i := range facts {
		if !stray[facts[i].Day] {
			j.newest = max(j.newest, facts[i].Last)
		}
	}
	j.stray(facts, stray, day == "")
	from := daysBefore(j.day, History)
	for i := range facts {
		f := &facts[i]
		if !hasRows(f) && f.Shares[DeletedPitches].N == 0 || f.Day > j.day || f.Day < from {
			continue
		}
		// guard: quality: a stray day is no baseline
		if stray[f.Day] && f.Day != j.day {
			continue
		}
		j.history = append(j.history, f)
		if j.days[f.Day] == nil {
			j.days[f.Day] = newPart()
		}
		j.days[f.Day].add(f)
		if f.Day == j.day {
			j.games = append(j.games, f)
		}
	}
	j.gather()
	return j
}

// stray collects the facts of stray dates: those of games of the day, and for the newest day all after it.
func (j *judge) stray(facts []schemas.QualityFacts, stray map[string]bool, isNewest bool) {
	games := map[schemas.Text]bool{}
	for i := range facts {
		if f := &facts[i]; f.Day == j.day && f.GamePK != "" {
			games[f.GamePK] = true
		}
	}
	for i := range facts {
		f := &facts[i]
		isAfter := isNewest && f.Day > j.day && stray[f.Day]
		if hasRows(f) && (isAfter || games[f.GamePK] && isFarFrom(f.Day, j.day)) {
			j.strays = append(j.strays, f)
		}
	}
}

func daysBefore(day string, n int) string {
	at, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return ""
	}
	return at.AddDate(0, 0, -n).Format(time.DateOnly)
}

// gather sums up the day, and the newest game days before it as its baseline.
func (j *judge) gather() {
	for day, p := range j.days {
		// guard: quality: a day of deletes only is no baseline | p.pitches > 0 -> p.pitches >= 0
		if day < j.day && p.pitches > 0 {
			j.baseDays = append(j.baseDays, day)
		}
	}
	slices.Sort(j.baseDays)
	j.baseDays = j.baseDays[max(len(j.baseDays)-baselineDays, 0):]
	for _, f := range j.history {
		switch {
		case f.Day == j.day:
			j.today.add(f)
			if !slices.Contains(j.venues, venueName(f)) {
				j.venues = append(j.venues, venueName(f))
			}
		case slices.Contains(j.baseDays, f.Day):
			j.base.add(f)
		}
	}
	slices.Sort(j.venues)
	j.venues = j.venues[:min(len(j.venues), mostVenues)]
}

// hasRows reports whether any row of a game is left after deletes.
func hasRows(f *schemas.QualityFacts) bool { return f.Pitches > 0 }

// venueName returns the name of a venue in a report. A venue with the name "all" counts as unknown, because
// "all" means all venues there.
func venueName(f *schemas.QualityFacts) string {
	switch f.Venue {
	case "":
		return unknownVenue
	// guard: quality: a venue that is called all is one | everywhere, ->
	case everywhere, unknownVenue:
		return "venue " + string(f.Venue)
	}
	return string(f.Venue)
}

func (p *part) add(f *schemas.QualityFacts) {
	p.pitches += f.Pitches
	for _, venue := range []string{everywhere, venueName(f)} {
		for name, s := range f.Shares {
			addMany(p.shares, at{venue, name}, s.N, s.Of)
		}
		for name, c := range f.Columns {
			p.columns[at{venue, name}] = merge(p.columns[at{venue, name}], c)
		}
		p.missed(f, venue)
	}
	p.said(f)
	for name, n := range f.Issues {
		p.issues[name] += n
	}
	if !hasRows(f) {
		return
	}
	p.medians[0] = append(p.medians[0], f.EventToRecordS.P50)
	p.medians[1] = append(p.medians[1], f.RecordToRowS.P50)
	p.event = schemas.QualityDelay{P50: median(p.medians[0]), P95: max(p.event.P95, f.EventToRecordS.P95)}
	p.row = schemas.QualityDelay{P50: median(p.medians[1]), P95: max(p.row.P95, f.RecordToRowS.P95)}
}

func (j *judge) gamesWhere(is func(*schemas.QualityFacts) bool) int64 { return gamesOf(j.games, is) }

// gamesOf counts the games of which some facts are so. A game has facts for each venue of its pitches.
func gamesOf(facts []*schemas.QualityFacts, is func(*schemas.QualityFacts) bool) int64 {
	games := map[schemas.Text]bool{}
	for _, g := range facts {
		// guard: quality: a game with pitches at two venues is one game | g.GamePK -> g.GamePK + g.Venue
		if is(g) {
			games[g.GamePK] = true
		}
	}
	return int64(len(games))
}

func (j *judge) venueList() []schemas.QualityVenue {
	out := []schemas.QualityVenue{}
	for _, v := range j.venues {
		line := schemas.QualityVenue{Venue: v}
		for _, g := range j.games {
			if venueName(g) == v {
				line.Games, line.Pitches = line.Games+count(hasRows(g)), line.Pitches+g.Pitches
			}
		}
		out = append(out, line)
	}
	return out
}

// drifts tests the bat speeds of the venues.
func (j *judge) drifts() (out []schemas.QualityFinding) {
	for _, d := range Drifts(j.swings(), j.day) {
		if !slices.Contains(j.venues, d.Venue) {
			continue
		}
		f := schemas.QualityFinding{
			Check: VenueDrift, Venue: d.Venue, Unit: "mph", Value: d.MPH, Baseline: schemas.Some(0.0),
			Score: schemas.Some(d.Score), Of: int64(d.Swings), Abnormal: d.Flagged,
			Limit: fmt.Sprintf("score ±%g and ±%g mph", DriftLimit, driftLeastMPH),
			What: fmt.Sprintf("bat speeds here against each batter's own elsewhere, over %d days (± %.2f mph)",
				d.Days, d.Error),
		}
		if d.Flagged {
			f.Do = "have the cameras calibrated; until then compare bat speeds within this venue only"
			f.Games = j.gamesWhere(func(g *schemas.QualityFacts) bool { return venueName(g) == d.Venue })
		}
		out = append(out, f)
	}
	return out
}

// swings returns the swings of all games at named venues, for each batter and game.
func (j *judge) swings() (out []Swings) {
	for _, g := range j.history {
		if g.Venue == "" {
			continue
		}
		at := map[int64]int{}
		for _, s := range g.Swings {
			i, met := at[s.BatterID]
			if !met {
				i = len(out)
				at[s.BatterID] = i
				out = append(out, Swings{Day: g.Day, Venue: venueName(g), Batter: s.BatterID})
			}
			out[i].MPH = append(out[i].MPH, s.MPH)
		}
	}
	return out
}

const (
	delayLeastS   = 60.0
	delayTimes    = 3.0
	delayCeilingS = 600.0
)

// delays judges how late records arrive. It reports how late they were processed but does not judge that,
// because a replay is no fault and the lag has metrics of its own.
func (j *judge) delays() []schemas.QualityFinding {
	delay := func(item, what, limit string, value float64) schemas.QualityFinding {
		return schemas.QualityFinding{
			Check: Delay, Venue: everywhere, Item: item, Unit: "s", Value: value, Of: j.today.pitches,
			What: what, Limit: limit,
		}
	}
	event := delay("event_to_record",
		"from the pitch to its record in the topic, 1 in 20 longer, in the slowest game",
		fmt.Sprintf("%g s and %g times the baseline", delayLeastS, delayTimes), j.today.event.P95)
	eventMedian := delay("event_to_record_median", "the same, the median", "none", j.today.event.P50)
	above := delayCeilingS
	if len(j.baseDays) > 0 {
		var p95 []float64
		for _, day := range j.baseDays {
			p95 = append(p95, j.days[day].event.P95)
		}
		event.Baseline, eventMedian.Baseline = schemas.Some(median(p95)), schemas.Some(j.base.event.P50)
		above = max(delayLeastS, delayTimes*event.Baseline.Value)
	}
	event.Abnormal = event.Value > above
	event.Games = j.gamesWhere(func(g *schemas.QualityFacts) bool { return g.EventToRecordS.P95 > above })
	if event.Abnormal {
		event.Do = "see the producer of these games: it sends late, or its clock is off"
	}
	out := []schemas.QualityFinding{
		event, eventMedian,
		delay("record_to_row", "from the record to its row, 1 in 20 longer, in the slowest game",
			"none: a replay is late by design", j.today.row.P95),
		delay("record_to_row_median", "the same, the median", "none", j.today.row.P50),
	}
	return slices.DeleteFunc(out, func(f schemas.QualityFinding) bool { return math.IsNaN(f.Value) })
}
