package quality

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode"

	"github.com/pitchstream/pitchstream/schemas"
)

// Most members of a record feed no column, and a member with another name feeds none any more. So every path
// of the records is held against the baseline: whether it is there, with what kind of value, and with which
// values. The facts of a game have how many of its newest records lack a path. So a change in the middle of a
// day shows as soon as chance no longer explains that none has it, however many had it before.
//
// Nothing is new that a game of the History days had, because some members are of extra innings, reviews or
// one park only.

const (
	// memberBase is the number of records of the baseline from which paths are judged.
	memberBase = 200
	// memberVenue is the number of records of a day from which a venue is judged by itself.
	memberVenue = 20
	// memberRows is the number of records with a new path, or kind of value, from which it is no accident.
	memberRows = 10
	// memberGame is the number of records from which a game has shares of its own.
	memberGame = 50
	// runLeast is the number of newest records that all lack a path, from which it is lost. runChance is by
	// how many powers of e that is less likely than not, at the least share that a game of the baseline has.
	runLeast  = 20
	runChance = 18.0
	// mostMembers bounds the paths of all games together, and mostMemberFindings the size of a report.
	mostMembers        = 2048
	mostMemberFindings = 40
	// scaleLeast is the logarithm of the factor, 1.22, by which numbers must be beyond those of all games of the
	// baseline.
	// scaleGame and scaleValues are the numbers of values from which a game counts, and a day is judged.
	scaleLeast             = 0.2
	scaleGame, scaleValues = 10, 40
	scaleGames             = 20
	// lostGames is the number of games in a baseline from which it shows how much games differ, and
	// lostVenueGames the one for a venue. Below it the games of all venues count for that.
	lostGames, lostVenueGames = 3, 5
	// scaleLeastGames is the number of games with numbers of a path, from which a day is judged by their size.
	scaleLeastGames = 7
	// leastDigits is the number of digits from which a text that is mostly digits is a date, time or id.
	leastDigits = 3
)

// memberKinds are the kinds of values that hold something.
var memberKinds = []string{"bool", "number", "text", "object", "array"}

const anyKind = "value"

// memberSum has the paths of several games.
type memberSum struct {
	records, cut int64
	games        int // with enough records to have shares
	paths        map[string]*memberPath
}

// memberPath has one path of several games.
type memberPath struct {
	schemas.MemberCounts

	value missing // records without a value, and how the shares of games differ
	least float64 // the least share of records with a value that a game has
	run   int64   // the newest records of each game that have no value
	scale []float64
}

// memberGames returns the games of which members were counted.
func memberGames(
	games []*schemas.QualityFacts, is func(*schemas.QualityFacts) bool,
) (kept []*schemas.QualityFacts) {
	for _, g := range games {
		if g.Members != nil && g.Members.Records+g.Members.Cut > 0 && is(g) {
			kept = append(kept, g)
		}
	}
	return kept
}

func sumMembers(games []*schemas.QualityFacts) *memberSum {
	s := &memberSum{paths: map[string]*memberPath{}}
	for _, g := range games {
		s.records += g.Members.Records
		s.cut += g.Members.Cut
		s.games += int(count(g.Members.Records >= memberGame))
		for path, counts := range g.Members.Paths {
			p := s.paths[path]
			if p == nil {
				if len(s.paths) >= mostMembers {
					continue
				}
				p = &memberPath{least: 1}
				s.paths[path] = p
			}
			p.count(counts)
		}
	}
	for path, p := range s.paths {
		for _, g := range games {
			p.game(g.Members.Paths[path], g.Members.Records)
		}
	}
	return s
}

// count adds what needs no other games. A game without the path adds nothing here.
func (p *memberPath) count(c schemas.MemberCounts) {
	if p.Kinds == nil {
		p.Kinds = map[string]schemas.MemberSeen{}
	}
	for kind, seen := range c.Kinds {
		p.Kinds[kind] = schemas.MemberSeen{Seen: p.Kinds[kind].Seen + seen.Seen}
	}
	p.N, p.Sum, p.Squares = p.N+c.N, p.Sum+c.Sum, p.Squares+c.Squares
	p.Free = p.Free || c.Free
	for word, n := range c.Words {
		p.AddWord(word, n)
	}
	// guard: members: a number that stays the same all game has no size | varies(c) -> true
	if c.N >= scaleGame && varies(c) {
		p.scale = append(p.scale, scaleOf(c))
	}
}

// game adds the share of one game with so many records.
func (p *memberPath) game(c schemas.MemberCounts, records int64) {
	has := c.Kinds[anyKind]
	p.value = p.value.add(records-has.Seen, records)
	p.run += records - has.Last
	if records >= memberGame {
		p.least = min(p.least, float64(has.Seen)/float64(records))
	}
}

// varies reports whether the numbers of a path differ, by more than a hundredth of their size.
func varies(c schemas.MemberCounts) bool {
	mean := c.Sum / float64(c.N)
	return c.Squares/float64(c.N)-mean*mean > 1e-4*c.Squares/float64(c.N)
}

// scaleOf returns the logarithm of the usual size of the numbers; −Inf if all are 0.
func scaleOf(c schemas.MemberCounts) float64 { return math.Log(c.Squares/float64(c.N)) / 2 }

func (p *memberPath) share() float64 { return 1 - ratio(p.value.QualityShare) }

// kind returns the kind that most values have.
func (p *memberPath) kind() string {
	return slices.MaxFunc(memberKinds, func(a, b string) int {
		return cmp.Compare(p.Kinds[a].Seen, p.Kinds[b].Seen)
	})
}

// memberJudge compares the members of a day with its baseline: at all venues, or at one.
type memberJudge struct {
	venue       string
	today, base *memberSum
	all         *memberSum              // the baseline of all venues
	games       []*schemas.QualityFacts // of the day
	past        []*schemas.QualityFacts // of all days before it, at all venues, the oldest first
	lost, added map[string]bool
	turned      map[string]bool // paths with a new kind of value; of what is in them nothing is said
}

// members judges the paths of the day's records.
func members(j *judge) []schemas.QualityFinding {
	all := newMemberJudge(j, everywhere, j.baseDays, nil)
	if all.base.records < memberBase || all.today.records == 0 {
		return nil
	}
	var places []*memberJudge
	for _, v := range j.venues {
		p := newMemberJudge(j, v, memberDays(j, v), all.base)
		if p.today.records >= memberVenue && p.base.records >= memberBase {
			places = append(places, p)
		}
	}
	for _, p := range places {
		for path := range p.lost {
			// A path that other venues still have is lost here only.
			// guard: members: a path that one venue lost is named with the venue | hasOther(places, path) -> false
			if hasOther(places, path) {
				delete(all.lost, path)
			} else if all.lost[path] {
				delete(p.lost, path)
			}
		}
		maps.DeleteFunc(p.added, func(path string, _ bool) bool { return all.added[path] })
	}
	kinds := all.kindFindings()
	out := append(kinds, all.pathFindings()...)
	for _, p := range places {
		out = append(out, p.pathFindings()...)
	}
	out = append(out, memberWords(j, all)...)
	out = append(out, all.scales()...)
	return out[:min(len(out), mostMemberFindings)]
}

// hasOther reports whether a venue did not lose the path.
func hasOther(places []*memberJudge, path string) bool {
	return slices.ContainsFunc(places, func(p *memberJudge) bool {
		now := p.today.paths[path]
		return !p.lost[path] && now != nil && now.run < min(runLeast, p.today.records)
	})
}

// memberDays returns the newest game days of a venue before the day whose members were counted.
func memberDays(j *judge, venue string) (days []string) {
	for _, g := range j.history {
		if g.Day < j.day && g.Members != nil && venueName(g) == venue && !slices.Contains(days, g.Day) {
			days = append(days, g.Day)
		}
	}
	slices.Sort(days)
	return days[max(len(days)-baselineDays, 0):]
}

// newMemberJudge compares a venue with its days, or all venues. all is the baseline of all venues; nil: it is
// the one of these days.
func newMemberJudge(j *judge, venue string, days []string, all *memberSum) *memberJudge {
	isHere := func(g *schemas.QualityFacts) bool { return venue == everywhere || venueName(g) == venue }
	m := &memberJudge{venue: venue, lost: map[string]bool{}, added: map[string]bool{}, turned: map[string]bool{}}
	m.games = memberGames(j.games, isHere)
	m.today = sumMembers(m.games)
	m.base = sumMembers(memberGames(j.history, func(g *schemas.QualityFacts) bool {
		return isHere(g) && slices.Contains(days, g.Day)
	}))
	if m.all = all; all == nil {
		m.all = m.base
	}
	m.past = memberGames(j.history, func(g *schemas.QualityFacts) bool { return g.Day < j.day })
	slices.SortStableFunc(m.past, func(a, b *schemas.QualityFacts) int { return cmp.Compare(a.Day, b.Day) })
	if m.today.records == 0 || m.base.records < memberBase {
		return m
	}
	for path := range m.base.paths {
		if m.isLost(path) {
			m.lost[path] = true
		}
	}
	for path, p := range m.today.paths {
		isNew := m.base.paths[path] == nil && p.Records() >= memberRows && !m.isAccident(p.Records())
		// guard: members: few games are no proof that a path is new | m.all.games >= lostGames -> true
		isNew = isNew && m.all.games >= lostGames
		// guard: members: a path of an older day is not new | m.had(path, hasRecords) -> false
		isNew = isNew && !m.had(path, hasRecords)
		// guard: members: a path that the baseline never had is new
		if isNew {
			m.added[path] = true
		}
	}
	return m
}

// had reports whether a game before the day has a path with what is asked.
func (m *memberJudge) had(path string, is func(schemas.MemberCounts) bool) bool {
	return slices.ContainsFunc(m.past, func(g *schemas.QualityFacts) bool { return is(g.Members.Paths[path]) })
}

func hasRecords(c schemas.MemberCounts) bool { return c.Records() > 0 }

// isAccident reports whether so many records of the day have something that is so rare that the baseline may
// lack it.
func (m *memberJudge) isAccident(seen int64) bool {
	return float64(seen)/float64(m.today.records)*float64(m.base.records) < memberRows
}

// isLost reports whether a path of the baseline has values in fewer records, or in none of the newest.
func (m *memberJudge) isLost(path string) bool {
	before, now := m.base.paths[path], m.today.paths[path]
	if now == nil {
		now = &memberPath{}
		for _, g := range m.games {
			now.game(schemas.MemberCounts{}, g.Members.Records)
		}
	}
	least, between := min(before.least, before.share()), before.value.between()
	// guard: members: a venue of few games is no proof that games do not differ | before.value.games < lostVenueGames -> false
	if all := m.all.paths[path]; all != nil && before.value.games < lostVenueGames {
		least, between = min(least, all.least), max(between, all.value.between())
	}
	if m.all.games < lostGames {
		return false
	}
	// No game of the baseline is surely below this share.
	least = min(0.9, max(0, least-3*math.Sqrt(least*(1-least)/memberGame)))
	// guard: members: a path that none of the newest records has is lost
	if now.run >= runLeast && float64(now.run)*-math.Log1p(-least) >= runChance {
		return true
	}
	if now.value.Of < leastOf {
		return false
	}
	had, lost := before.share(), before.share()-now.share()
	p := max(1-had, 0.5/float64(before.value.Of))
	chance := p * (1 - min(p, 0.9999))
	// guard: members: games that lack a path are no lost path | between/max(now.value.games, 1) -> 0
	variance := chance/float64(now.value.Of) + chance/float64(before.value.Of) +
		between/max(now.value.games, 1) + between/max(before.value.games, 1)
	limit := float64(missingChance)
	if m.venue != everywhere {
		limit = missingVenueChance
	}
	return had*float64(now.value.Of) >= leastExpected && lost > min(missingPoints, had/2) &&
		lost/math.Sqrt(variance) >= limit
}

// above returns the path of the object or array that a path is in, "" if there is none.
func above(path string) string {
	if in, isElement := strings.CutSuffix(path, "[]"); isElement {
		return in
	}
	return path[:max(strings.LastIndexByte(path, '.'), 0)]
}

// tops returns the paths that are in no other one of them, and in none of others, in order.
func tops(paths, others map[string]bool) (top []string) {
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		isBelow := false
		for in := above(path); in != "" && !isBelow; in = above(in) {
			isBelow = paths[in] || others[in]
		}
		if !isBelow {
			top = append(top, path)
		}
	}
	return top
}

// pathFindings returns the paths that were lost and those that are new, each with its likely partner.
func (m *memberJudge) pathFindings() (out []schemas.QualityFinding) {
	lost, added := tops(m.lost, m.turned), tops(m.added, m.turned)
	for _, path := range lost {
		before, now, run := m.base.paths[path], m.today.paths[path], m.today.records
		share, kinds := 0.0, "it is no member any more"
		if now != nil {
			share, run, kinds = now.share(), now.run, "now "+m.kinds(m.today, path)
		}
		f := m.finding(LostPaths, path, share, before.share())
		f.Limit = fmt.Sprintf("none of the newest records, or %s points below the baseline", points(missingPoints))
		f.What = fmt.Sprintf("records with a value of the member %s: %.1f %%, before %.1f %%; "+
			"the newest %d have none; before %s, %s%s",
			path, 100*share, 100*before.share(), run, m.kinds(m.base, path), kinds,
			partnerText(m.partnerOf(path, added), "has another name now"))
		f.Do = "compare a record with one of last week: pitchstream explain; ask the vendor"
		f.Games = m.gamesWhere(func(p *schemas.MemberProfile) bool {
			return p.Records-p.Paths[path].Kinds[anyKind].Last >= min(runLeast, p.Records) ||
				1-float64(p.Paths[path].Kinds[anyKind].Seen)/float64(p.Records) > 1-before.share()/2
		})
		out = append(out, f)
	}
	for _, path := range added {
		now := m.today.paths[path]
		f := m.finding(NewPaths, path, float64(now.Records())/float64(m.today.records), 0)
		f.Limit = fmt.Sprintf("%d records", memberRows)
		f.What = fmt.Sprintf("records with the member %s, which no record of the 30 days before has: %.1f %%, %s%s",
			path, 100*f.Value, m.kinds(m.today, path), partnerText(m.formerOf(path), "had this place before"))
		f.Do = "ask the vendor whether it is meant, and whether another member ends"
		f.Games = m.gamesWhere(func(p *schemas.MemberProfile) bool { return p.Paths[path].Records() > 0 })
		out = append(out, f)
	}
	if m.today.cut >= memberRows && m.base.cut == 0 && m.venue == everywhere {
		f := m.finding(NewPaths, "", float64(m.today.cut)/float64(m.today.cut+m.today.records), 0)
		f.Limit = fmt.Sprintf("%d records", memberRows)
		f.What = "records with more members than are counted, so that no path of them is judged"
		f.Do = "ask the vendor what these members are"
		f.Games = m.gamesWhere(func(p *schemas.MemberProfile) bool { return p.Cut > 0 })
		out = append(out, f)
	}
	return out
}

func (m *memberJudge) finding(check, path string, value, before float64) schemas.QualityFinding {
	return schemas.QualityFinding{
		Check: check, Venue: m.venue, Item: path, Unit: "share", Value: value, Baseline: schemas.Some(before),
		Of: m.today.records, Abnormal: true,
	}
}

func (m *memberJudge) gamesWhere(is func(*schemas.MemberProfile) bool) int64 {
	return gamesOf(m.games, func(g *schemas.QualityFacts) bool { return is(g.Members) })
}

// kinds returns what a path holds, as "number 98 %, null 2 %" of the records that have it.
func (m *memberJudge) kinds(s *memberSum, path string) string {
	p := s.paths[path]
	if p == nil {
		return "absent"
	}
	var all []string
	for _, kind := range append(memberKinds[:len(memberKinds):len(memberKinds)], "empty", "null") {
		if n := p.Kinds[kind].Seen; n > 0 {
			all = append(all, fmt.Sprintf("%s %.0f %%", kind, 100*float64(n)/float64(max(s.records, 1))))
		}
	}
	return strings.Join(all, ", ")
}

func partnerText(path, does string) string {
	if path == "" {
		return ""
	}
	return "; likely " + path + " " + does
}

// partnerOf returns the new path that a lost one most likely became.
func (m *memberJudge) partnerOf(lost string, added []string) string {
	return best(added, func(path string) float64 { return m.likeness(lost, path) })
}

// formerOf returns the path that a new one most likely was. It need not be lost in most of the day yet.
func (m *memberJudge) formerOf(added string) string {
	var fewer []string
	for path := range m.base.paths {
		if m.missed(path) >= memberRows/2 {
			fewer = append(fewer, path)
		}
	}
	slices.Sort(fewer)
	return best(fewer, func(path string) float64 { return m.likeness(path, added) })
}

// leastLikeness is the likeness from which a partner is named.
const leastLikeness = 2

func best(paths []string, likeness func(string) float64) (path string) {
	most := float64(leastLikeness)
	for _, p := range paths {
		if l := likeness(p); l > most {
			path, most = p, l
		}
	}
	return path
}

// missed returns how many records of the day lack a path that they would have by its baseline.
func (m *memberJudge) missed(path string) float64 {
	missed := m.base.paths[path].share() * float64(m.today.records)
	if now := m.today.paths[path]; now != nil {
		missed -= float64(now.Kinds[anyKind].Seen)
	}
	return missed
}

// likeness returns how much a new path is like a lost one: in kind, place, name, number of records, and
// values. It is 0 where they cannot be the same.
func (m *memberJudge) likeness(lost, added string) float64 {
	before, now := m.base.paths[lost], m.today.paths[added]
	missed, seen := m.missed(lost), float64(now.Kinds[anyKind].Seen)
	records := min(missed, seen) / max(missed, seen, 1)
	if records < 0.5 || before.kind() != now.kind() {
		return 0
	}
	like := records + nameLikeness(lost[len(above(lost)):], added[len(above(added)):])
	if above(lost) == above(added) {
		like += 0.5
	}
	switch before.kind() {
	case "number":
		if before.N > 0 && now.N > 0 && before.Squares > 0 && now.Squares > 0 &&
			math.Abs(scaleOf(before.MemberCounts)-scaleOf(now.MemberCounts)) < 0.1 {
			like++
		}
	case "text":
		known, n := int64(0), int64(0)
		for word, times := range now.Words {
			n += times
			known += times * count(before.Words[word] > 0)
		}
		if before.Free && now.Free || 2*known > n {
			like++
		}
	default:
		like += inside(m.base, lost, m.today, added)
	}
	return like
}

// inside returns the share of the members below one path that are below the other, too.
func inside(a *memberSum, at string, b *memberSum, under string) float64 {
	same, n := 0.0, 0.0
	for path := range a.paths {
		rest, isBelow := strings.CutPrefix(path, at)
		if isBelow && (strings.HasPrefix(rest, ".") || strings.HasPrefix(rest, "[")) {
			n++
			same += float64(count(b.paths[under+rest] != nil))
		}
	}
	return same / max(n, 1)
}

// nameLikeness returns how many pairs of neighbouring characters two names share (Dice), from 0 to 1.
func nameLikeness(a, b string) float64 {
	a, b = strings.ToLower(strings.Trim(a, ".[]")), strings.ToLower(strings.Trim(b, ".[]"))
	if a == b {
		return 1
	}
	pairs := map[string]int{}
	for i := range max(len(a)-1, 0) {
		pairs[a[i:i+2]]++
	}
	same := 0
	for i := range max(len(b)-1, 0) {
		if pairs[b[i:i+2]] > 0 {
			pairs[b[i:i+2]]--
			same++
		}
	}
	return 2 * float64(same) / float64(max(len(a)+len(b)-2, 1))
}

// kindFindings returns the known paths that have a kind of value now that they never had.
func (m *memberJudge) kindFindings() (out []schemas.QualityFinding) {
	// guard: members: few games are no proof that a kind is new | m.all.games < lostGames -> false
	if m.all.games < lostGames {
		return nil
	}
	for _, path := range slices.Sorted(maps.Keys(m.today.paths)) {
		before, now := m.base.paths[path], m.today.paths[path]
		if before == nil || before.Kinds[anyKind].Seen < memberRows {
			continue
		}
		for _, kind := range memberKinds {
			seen := now.Kinds[kind].Seen
			// guard: members: a path with another kind of value is named
			if before.Kinds[kind].Seen > 0 || seen < memberRows || m.isAccident(seen) {
				continue
			}
			hasKind := func(c schemas.MemberCounts) bool { return c.Kinds[kind].Seen > 0 }
			// guard: members: a kind of an older day is not new | m.had(path, hasKind) -> false
			if m.had(path, hasKind) {
				continue
			}
			m.turned[path] = true
			f := m.finding(PathKinds, path, float64(seen)/float64(m.today.records), 0)
			f.Limit = fmt.Sprintf("%d records", memberRows)
			f.What = fmt.Sprintf("records whose member %s is of another kind: %s; before %s",
				path, m.kinds(m.today, path), m.kinds(m.base, path))
			f.Do = "ask the vendor; a column that reads this member has no value"
			f.Games = m.gamesWhere(func(p *schemas.MemberProfile) bool {
				return p.Paths[path].Kinds[kind].Seen > 0
			})
			out = append(out, f)
			// The text has all kinds. A second finding would have the labels of the first.
			// guard: members: a path with two new kinds is one finding
			break
		}
	}
	return out
}

// columnsOfPaths are the columns with words that the core reads from members.
var columnsOfPaths = map[string]string{
	"summary_acts.pitch.type": "pitch_type", "summary_acts.pitch.result": "pitch_result",
	"summary_acts.pitch.action": "pitch_action",
}

// isJudgedAsColumn reports whether newWords judges the words of a path.
func isJudgedAsColumn(j *judge, path string) bool {
	column, rows := columnsOfPaths[path], int64(0)
	for _, n := range j.today.words[column] {
		rows += n
	}
	return len(j.base.words[column]) > 0 && rows >= leastOf
}

// takesWords reports whether a path took a new word on a day before, but for its first, or has too many. It
// is one of games then, as an opponent or the weather, and its next new word says nothing.
func (m *memberJudge) takesWords(path string) bool {
	first, known := "", map[string]bool{}
	for _, g := range m.past {
		c := g.Members.Paths[path]
		if len(c.Words) > 0 {
			first = cmp.Or(first, g.Day)
		}
		for word, n := range c.Words {
			if !known[word] && n >= memberRows && g.Day > first {
				return true
			}
			known[word] = true
		}
		if c.Free {
			return true
		}
	}
	return false
}

// isLikeNumber reports whether a text is mostly digits, as a date, a time or an identifier.
func isLikeNumber(word string) bool {
	digits, letters := 0, 0
	for _, r := range word {
		digits += int(count(unicode.IsDigit(r)))
		letters += int(count(unicode.IsLetter(r)))
	}
	return digits >= leastDigits && digits >= letters
}

// memberWords returns the words of members that no column has, as of a unit.
func memberWords(j *judge, m *memberJudge) (out []schemas.QualityFinding) {
	if m.all.games < lostGames {
		return nil
	}
	var ofColumns []string
	for _, f := range newWords(j) {
		_, word, _ := strings.Cut(f.Item, "=")
		ofColumns = append(ofColumns, word)
	}
	for _, path := range slices.Sorted(maps.Keys(m.today.paths)) {
		before, now := m.base.paths[path], m.today.paths[path]
		if before == nil || before.Free || now.Free || len(before.Words) == 0 {
			continue
		}
		// guard: members: a path that takes new words by itself is not judged by them | m.takesWords(path) -> false
		if m.takesWords(path) {
			continue
		}
		// guard: members: a word of a column is the column's | isJudgedAsColumn(j, path) -> false
		if isJudgedAsColumn(j, path) {
			continue
		}
		for _, word := range slices.Sorted(maps.Keys(now.Words)) {
			n := now.Words[word]
			if before.Words[word] > 0 || n < memberRows || m.isAccident(n) || slices.Contains(ofColumns, word) {
				continue
			}
			// guard: members: a word of few records is not new | float64(n) < leastNewShare*float64(m.today.records) -> false
			if float64(n) < leastNewShare*float64(m.today.records) {
				continue
			}
			// guard: members: words that look like numbers are not judged | isLikeNumber(word) -> false
			if isLikeNumber(word) {
				continue
			}
			hasWord := func(c schemas.MemberCounts) bool { return c.Words[word] > 0 }
			// guard: members: a word of an older day is not new | m.had(path, hasWord) -> false
			if m.had(path, hasWord) {
				continue
			}
			f := m.finding(NewValues, path+"="+word, float64(n)/float64(m.today.records), 0)
			f.Limit = fmt.Sprintf("%d records and %s %% of all", memberRows, points(leastNewShare))
			f.What = fmt.Sprintf("records whose member %s is %q, a value that no record of the 30 days before has",
				path, word)
			f.Do = "ask the vendor whether the word is meant"
			f.Games = m.gamesWhere(func(p *schemas.MemberProfile) bool { return p.Paths[path].Words[word] > 0 })
			out = append(out, f)
		}
	}
	return out
}

// scales returns the members whose numbers have another size than in any game of the baseline.
func (m *memberJudge) scales() (out []schemas.QualityFinding) {
	for _, path := range slices.Sorted(maps.Keys(m.today.paths)) {
		before, now := m.base.paths[path], m.today.paths[path]
		if before == nil || len(before.scale) == 0 {
			continue
		}
		// guard: members: few games are no proof that numbers differ | len(before.scale) < scaleLeastGames -> false
		if len(before.scale) < scaleLeastGames {
			continue
		}
		if now.N < scaleValues || now.Squares <= 0 {
			continue
		}
		is, low, high := scaleOf(now.MemberCounts), slices.Min(before.scale), slices.Max(before.scale)
		was, wide := median(before.scale), 2.0
		if len(before.scale) < scaleGames {
			wide = 4 // a few games say less about how much they differ
		}
		isBeyond := func(scale float64) bool { return scale < low-scaleLeast || scale > high+scaleLeast }
		// Sizes that differ much between games without any fault, as those of runs, say nothing.
		// guard: members: sizes that differ between games say nothing | wide*(high-low) > math.Abs(is-was) -> false
		if wide*(high-low) > math.Abs(is-was) ||
			slices.ContainsFunc(now.scale, func(s float64) bool { return !isBeyond(s) }) {
			continue
		}
		unit := unitText(math.Exp(is - was))
		// guard: members: numbers of another size are named
		if !isBeyond(is) || len(now.scale) == 0 || unit == "" && len(before.scale) < scaleGames {
			continue
		}
		f := m.finding(PathScale, path, math.Exp(is), math.Exp(was))
		f.Unit, f.Of = "rms", now.N
		f.Limit = fmt.Sprintf("%.2f times more, or less, than in any game of the baseline", math.Exp(scaleLeast))
		f.What = fmt.Sprintf("the numbers of the member %s are %.3g times as large as before%s",
			path, math.Exp(is-was), unit)
		f.Do = "look at the records: another unit, or another meaning"
		f.Games = m.gamesWhere(func(p *schemas.MemberProfile) bool {
			c := p.Paths[path]
			return c.N > 0 && (scaleOf(c) < low || scaleOf(c) > high)
		})
		out = append(out, f)
	}
	return out
}

// unitText returns the unit that numbers so many times as large look like.
func unitText(factor float64) string {
	for _, u := range []struct {
		factor float64
		text   string
	}{
		{1.609344, "miles an hour as kilometres an hour"}, {0.44704, "miles an hour as metres a second"},
		{0.3048, "feet as metres"}, {1 / 0.3048, "metres as feet"}, {radian, "degrees as radians"},
		{1 / radian, "radians as degrees"}, {1000, "a thousandth of the unit"}, {0.001, "a thousand of the unit"},
	} {
		if math.Abs(factor/u.factor-1) < likeMean {
			return ", like " + u.text
		}
	}
	return ""
}
