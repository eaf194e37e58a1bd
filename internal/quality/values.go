package quality

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/pitchstream/pitchstream/schemas"
)

// A vendor who renames a member of the record leaves a column empty, and one who renames a word gives a
// column a value that it never had. Each column is held against itself in the baseline, so that no list of
// members has to be kept.

// valueColumn is a column that may be missing.
type valueColumn struct {
	name  string
	field int // in schemas.Row
	words bool
}

// valueColumns are the columns of a row that may be missing, but for those whose loss has a check of its own.
// Those with words take few different values.
var valueColumns = func() (found []valueColumn) {
	row, isOfSwing := reflect.TypeFor[schemas.Row](), false
	for i := range row.NumField() {
		f := row.Field(i)
		isOptional := false
		if f.Type.Kind() == reflect.Struct {
			_, isOptional = f.Type.FieldByName("Present")
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		isOfSwing = isOfSwing || name == "contact_time_s" // and all after it
		isText := f.Type == reflect.TypeFor[schemas.Text]()
		if (isOptional || isText) && !slices.Contains(checkedElsewhere, name) && !isOfSwing {
			found = append(found, valueColumn{name, i, isText && !slices.Contains(freeTexts, name)})
		}
	}
	return found
}()

// checkedElsewhere are the columns that no_batter, untracked_swings and the checks named missing_… judge.
// missing_contact judges the columns of the bat at contact: without a contact all of them are missing.
// At-bats and hands are judged by nothing, because a feed may name them at night.
var checkedElsewhere = []string{
	"batter_id", "pitch_speed_mph", "exit_velocity_mph", "bat_speed_mph", "speed_confidence", "attack_angle_deg",
	"swing_confidence", "is_chase",
}

// freeTexts are the columns whose values are new every day, or are judged elsewhere.
var freeTexts = []string{"game_pk", "game_date", "venue"}

const (
	// mostWords bounds the words of a column that the facts of a game keep, and mostWordBytes each of them.
	mostWords     = 40
	mostWordBytes = 64

	// A column is judged from so many values on that the baseline lets expect.
	leastExpected = 12
	// missingPoints is the loss of values from which a column is abnormal. Half of its values is enough, if
	// few rows have any.
	missingPoints = 0.05
	// missingChance and missingVenueChance are the standard errors from which a loss is no chance. They are
	// higher than those of other shares, because a hundred columns are judged.
	missingChance, missingVenueChance = 4.5, 5.5
	// A word is new if so many rows have it, and this share of all.
	leastNewRows  = 10
	leastNewShare = 0.02
	// mostValueFindings bounds the size of a report.
	mostValueFindings = 60
)

// countValues adds the values of a row to the facts of its game.
func countValues(f *schemas.QualityFacts, r *schemas.Row) {
	v := reflect.ValueOf(r).Elem()
	for _, c := range valueColumns {
		field := v.Field(c.field)
		word := ""
		if field.Kind() == reflect.String {
			word = field.String()
		} else if field.FieldByName("Present").Bool() {
			word = "x"
		}
		if word == "" {
			continue
		}
		f.Present[c.name]++
		if !c.words {
			continue
		}
		if len(word) > mostWordBytes {
			word = strings.ToValidUTF8(word[:mostWordBytes], "") + "…"
		}
		if f.Words[c.name] == nil {
			f.Words[c.name] = map[string]int64{}
		}
		// guard: quality: the words of a column are bounded
		if _, isKnown := f.Words[c.name][word]; !isKnown && len(f.Words[c.name]) >= mostWords {
			continue
		}
		f.Words[c.name][word]++
	}
}

// missing counts the rows without a value of a column, and how the shares of games differ.
type missing struct {
	schemas.QualityShare

	games        float64 // with enough rows to have a share
	sum, squares float64 // of their shares
}

func (m missing) add(n, of int64) missing {
	m.N, m.Of = m.N+n, m.Of+of
	if of >= leastOf/2 {
		share := float64(n) / float64(of)
		m.games, m.sum, m.squares = m.games+1, m.sum+share, m.squares+share*share
	}
	return m
}

// between returns the variance of the shares of games. A feed may lack a column in whole games.
func (m missing) between() float64 {
	if m.games < 2 {
		return 0
	}
	return max(m.squares-m.sum*m.sum/m.games, 0) / (m.games - 1)
}

// missingValues returns the columns that lost values: at all venues together, and at each.
func missingValues(j *judge) (out []schemas.QualityFinding) {
	for _, c := range valueColumns {
		all := j.base.missing[at{everywhere, c.name}].between()
		for _, venue := range append([]string{everywhere}, j.venues...) {
			out = append(out, missingValue(j, c.name, venue, all)...)
		}
	}
	slices.SortStableFunc(out, func(a, b schemas.QualityFinding) int {
		return cmp.Compare(b.Score.Value, a.Score.Value)
	})
	return out[:min(len(out), mostValueFindings)]
}

// missingValue judges one column at one venue, where the shares of games have at least the variance between.
func missingValue(j *judge, column, venue string, between float64) []schemas.QualityFinding {
	today, base := j.today.missing[at{venue, column}], j.base.missing[at{venue, column}]
	if base.Of < leastOf || today.Of < leastOf {
		return nil
	}
	before := ratio(base.QualityShare)
	had, lost := 1-before, ratio(today.QualityShare)-before
	p := max(before, 0.5/float64(base.Of))
	chance := p * (1 - min(p, 0.9999))
	// guard: quality: games that lack a column are no lost values | max(between, base.between()) -> 0
	between = max(between, base.between())
	variance := chance/float64(today.Of) + chance/float64(base.Of) +
		between/max(today.games, 1) + between/max(base.games, 1)
	score, limit := lost/math.Sqrt(variance), float64(missingChance)
	if venue != everywhere {
		limit = missingVenueChance
	}
	above := min(missingPoints, had/2)
	// guard: quality: a column that lost its values is named
	if had*float64(today.Of) < leastExpected || lost <= above || score < limit {
		return nil
	}
	return []schemas.QualityFinding{{
		Check: MissingValues, Venue: venue, Item: column, Unit: "share", Value: ratio(today.QualityShare),
		Baseline: schemas.Some(before), Score: schemas.Some(score), Of: today.Of, Abnormal: true,
		Limit: fmt.Sprintf("%s points above the baseline, or half of its values", points(missingPoints)),
		What:  "pitches without a value of the column " + column + whyMissing(column),
		Do:    "compare a record with one of last week: pitchstream explain; a member may have another name",
		Games: j.gamesWhere(func(g *schemas.QualityFacts) bool {
			lacks := 1 - float64(g.Present[column])/float64(max(g.Pitches, 1))
			return (venue == everywhere || venueName(g) == venue) && lacks > before+above
		}),
	}}
}

// newWords returns the words that no baseline day has, and many rows of this day.
func newWords(j *judge) (out []schemas.QualityFinding) {
	for _, c := range valueColumns {
		today, base := j.today.words[c.name], j.base.words[c.name]
		rows := int64(0)
		for _, n := range today {
			rows += n
		}
		if len(base) == 0 || rows < leastOf {
			continue
		}
		for _, word := range slices.Sorted(maps.Keys(today)) {
			n := today[word]
			// guard: quality: a word that a column never had is named
			if base[word] > 0 || n < leastNewRows || float64(n) < leastNewShare*float64(rows) {
				continue
			}
			share := schemas.QualityShare{N: n, Of: rows}
			out = append(out, schemas.QualityFinding{
				Check: NewValues, Venue: everywhere, Item: c.name + "=" + word, Unit: "share", Value: ratio(share),
				Baseline: schemas.Some(0.0), Of: rows, Abnormal: true,
				Limit: fmt.Sprintf("%d rows and %s %% of those with a value", leastNewRows, points(leastNewShare)),
				What:  fmt.Sprintf("rows whose %s is %q, a value that no baseline day has", c.name, word),
				Do:    "ask the vendor whether the word is meant; aggregates by it begin anew",
				Games: j.gamesWhere(func(g *schemas.QualityFacts) bool { return g.Words[c.name][word] > 0 }),
			})
		}
	}
	return out[:min(len(out), mostValueFindings)]
}

// strayDates reports the pitches of this day's games that are dated more than strayDays from it, and those
// after the newest day of the stream.
func strayDates(j *judge) []schemas.QualityFinding {
	f := schemas.QualityFinding{
		Check: StrayDates, Venue: everywhere, Unit: "pitches", Of: j.today.pitches,
		Limit: "none", What: fmt.Sprintf("pitches dated more than %d days from their game, or after the newest day",
			strayDays),
	}
	var dated []string
	for _, g := range j.strays {
		f.Value += float64(g.Pitches)
		f.Games++
		dated = append(dated, fmt.Sprintf("%s (game %s)", g.Day, cmp.Or(string(g.GamePK), "unknown")))
	}
	// guard: quality: stray dates are a finding
	if f.Abnormal = f.Value > 0; f.Abnormal {
		slices.Sort(dated)
		dated = slices.Compact(dated)
		f.What += ": " + strings.Join(dated[:min(len(dated), 10)], ", ")
		f.Do = "correct these records; they count in no day's baseline and move no newest day"
	}
	return []schemas.QualityFinding{f}
}

const (
	// strayDays is how far a pitch may be dated from its game, and a day from the stream's other days.
	strayDays = 2
	// leastDay is the number of pitches from which a day stands for itself.
	leastDay = 20
)

// strayed returns the days that are not the stream's. A day is, if it has leastDay pitches, or is at most
// strayDays after another such day; so are all before the first day that has. pitches are those of each day.
func strayed(pitches map[string]int64) map[string]bool {
	stray := map[string]bool{}
	last := "" // the last day that is the stream's
	isLarge := false
	for _, day := range slices.Sorted(maps.Keys(pitches)) {
		isLarge = isLarge || pitches[day] >= leastDay
		// guard: quality: one record moves no day | isLarge -> false
		if isLarge && pitches[day] < leastDay && daysBefore(day, strayDays) > last {
			stray[day] = true
			continue
		}
		last = day
	}
	return stray
}

// missed adds the missing values of the facts of a game to a part.
func (p *part) missed(f *schemas.QualityFacts, venue string) {
	if len(f.Present) == 0 {
		return // computed by a build that did not count them
	}
	for _, c := range valueColumns {
		key := at{venue, c.name}
		p.missing[key] = p.missing[key].add(f.Pitches-f.Present[c.name], f.Pitches)
	}
}

// said adds the words of a game to a part.
func (p *part) said(f *schemas.QualityFacts) {
	for column, words := range f.Words {
		if p.words[column] == nil {
			p.words[column] = map[string]int64{}
		}
		for word, n := range words {
			p.words[column][word] += n
		}
	}
}

// isFarFrom reports whether two days are more than strayDays apart.
func isFarFrom(a, b string) bool {
	return daysBefore(max(a, b), strayDays) > min(a, b)
}
