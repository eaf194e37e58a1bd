// Package memberprofile counts the members of records while they are processed: which paths they have, in how
// many records, and with what kinds of values. Package quality holds the counts of a day against those of the
// days before it.
//
// A Counter is asked about every measured record and looks at all of them while few come, at some in a
// replay. Take returns what was counted since the last Take, for a store to append. Each part has the offset
// of its first record and the one behind its last, so a store can leave out what it has already.
package memberprofile

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/features/members"
	"github.com/pitchstream/pitchstream/schemas"
)

const (
	// perSecond is how many records a second are looked at, and burst how many at once. One of eachOf further
	// ones is.
	perSecond = 50
	burst     = 1000
	eachOf    = 32

	// mostProfiles, mostPaths and mostFences bound the memory. Records beyond the first two do not count until
	// the next Take.
	mostProfiles = 256
	mostPaths    = 16_384
	mostFences   = 4096

	mostWordBytes = 40
)

// version is the path of the header that names the version of the record.
const version = "header schema_version"

// Counter counts. It is safe for concurrent use.
type Counter struct {
	now func() time.Time

	mu sync.Mutex // guards what follows
	// idle are walkers that nobody uses. They are no sync.Pool, which would forget the paths that they know.
	idle     []*members.Walker
	profiles map[schemas.MemberKey]*profile
	paths    int                         // of all profiles
	fences   map[schemas.MemberKey]int64 // records below count already
	tokens   float64
	at       time.Time // when tokens were counted last
}

// New returns a Counter that looks at all records while fewer than 50 a second come. now is the clock;
// nil: every record is looked at.
func New(now func() time.Time) *Counter {
	return &Counter{
		now: now, profiles: map[schemas.MemberKey]*profile{}, fences: map[schemas.MemberKey]int64{}, tokens: burst,
	}
}

// Transform is features.Transform, and counts the members of the record.
func (c *Counter) Transform(
	rec schemas.Record, limits features.Limits,
) (schemas.Change, *features.Rejection) {
	change, places, rejection := features.TransformPlaced(rec, limits)
	if rejection == nil {
		c.Count(rec, change, places)
	}
	return change, rejection
}

// Count counts the members of a record of which the core made the change c.
func (c *Counter) Count(rec schemas.Record, change schemas.Change, at features.Places) {
	if change.Row == nil || !c.isWanted(rec.Offset) {
		return
	}
	w := c.walker()
	found, others, ok := walk(w, rec.Value, at)
	key := keyOf(rec, change)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = append(c.idle, w)
	// guard: members: a record that is read again does not count twice | rec.Offset < c.fences[key] -> false
	if rec.Offset < c.fences[key] {
		return
	}
	p := c.profile(key)
	if p == nil || p.counted[rec.Offset] {
		return
	}
	p.counted[rec.Offset] = true
	c.paths -= len(p.paths)
	p.add(found, others, ok, rec.Headers)
	c.paths += len(p.paths)
}

// walk lists the members of a value. A bug in it must not stop the stream: the record does not count then.
func walk(w *members.Walker, value []byte, at features.Places) (found []members.Member, others int, ok bool) {
	defer func() {
		if recover() != nil {
			*w, ok = members.Walker{}, false
		}
	}()
	return w.Walk(value, [2]members.Span{members.Span(at[0]), members.Span(at[1])})
}

// walker returns a walker that the caller gives back to idle.
func (c *Counter) walker() *members.Walker {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.idle)
	if n == 0 {
		return new(members.Walker)
	}
	w := c.idle[n-1]
	c.idle = c.idle[:n-1]
	return w
}

// isWanted reports whether the record at an offset is looked at.
func (c *Counter) isWanted(offset int64) bool {
	if c.now == nil {
		return true
	}
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tokens = min(burst, c.tokens+perSecond*max(now.Sub(c.at).Seconds(), 0))
	c.at = now
	// guard: members: in a replay most records are not looked at | c.tokens < 1 -> false
	if c.tokens < 1 {
		return offset%eachOf == 0
	}
	c.tokens--
	return true
}

func keyOf(rec schemas.Record, change schemas.Change) schemas.MemberKey {
	day := string(change.Row.GameDate)
	if day == "" {
		day = change.EventTime.Time().UTC().Format(time.DateOnly)
	}
	return schemas.MemberKey{
		Game: string(change.Row.GamePK), Day: day, Venue: string(change.Row.Venue),
		Partition: rec.Topic + "/" + strconv.Itoa(int(rec.Partition)),
	}
}

// profile returns the profile of a key, nil if there are too many.
func (c *Counter) profile(key schemas.MemberKey) *profile {
	p := c.profiles[key]
	// guard: members: what is counted is bounded | len(c.profiles) < mostProfiles && c.paths < mostPaths -> true
	if p == nil && len(c.profiles) < mostProfiles && c.paths < mostPaths {
		p = &profile{paths: map[string]*counts{}, counted: map[int64]bool{}}
		c.profiles[key] = p
	}
	return p
}

// Take returns what was counted since the last Take.
func (c *Counter) Take() (parts []schemas.MemberPart) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.fences) > mostFences {
		clear(c.fences)
	}
	for key, p := range c.profiles {
		part := schemas.MemberPart{Key: key, First: math.MaxInt64, Profile: p.whole()}
		next := int64(0)
		for offset := range p.counted {
			part.First, next = min(part.First, offset), max(next, offset+1)
		}
		part.Profile.Next = map[string]int64{key.Partition: next}
		c.fences[key] = next
		parts = append(parts, part)
	}
	clear(c.profiles)
	c.paths = 0
	return parts
}

// profile is a schemas.MemberProfile that grows record by record.
type profile struct {
	records, cut, others int64
	paths                map[string]*counts
	counted              map[int64]bool // offsets
}

// counts are those of a path.
type counts struct {
	kinds        [members.Kinds + 1]schemas.MemberSeen // anyValue is the last
	number, text int64                                 // the last record of which a number, or a text, counts
	values       schemas.MemberCounts
}

const anyValue = members.Kinds

// add counts a record.
func (p *profile) add(found []members.Member, others int, ok bool, headers []schemas.Header) {
	// guard: members: a record of too many members is no record without the usual ones | !ok -> false
	if !ok {
		p.cut++
		return
	}
	p.records++
	p.others += int64(others)
	for i := range found {
		p.member(&found[i])
	}
	for _, h := range slices.Backward(headers) {
		if h.Key == schemas.HeaderSchemaVersion {
			if len(h.Value) > 0 {
				p.member(&members.Member{Path: version, Kind: members.Text, Text: h.Value})
			}
			// The core keeps the last one, and has accepted no other.
			// guard: members: a version is that of the last header
			break
		}
	}
}

func (p *profile) member(m *members.Member) {
	c := p.paths[m.Path]
	if c == nil {
		if len(p.paths) >= schemas.MostMemberPaths && !p.evict() {
			p.others++
			return
		}
		c = &counts{}
		p.paths[m.Path] = c
	}
	p.saw(&c.kinds[m.Kind])
	switch {
	case m.Kind == members.Null || m.Kind == members.Empty:
		return
	case m.Kind == members.Number && c.number != p.records:
		c.number = p.records
		// guard: members: no sum leaves the range of a double | math.Abs(m.Number) < 1e100 -> true
		if math.Abs(m.Number) < 1e100 {
			c.values.N++
			c.values.Sum += m.Number
			c.values.Squares += m.Number * m.Number
		}
	case m.Kind == members.Text && c.text != p.records:
		c.text = p.records
		if !c.values.Free {
			c.values.AddWord(word(m.Text), 1)
		}
	}
	p.saw(&c.kinds[anyValue])
}

// saw counts the current record, once.
func (p *profile) saw(s *schemas.MemberSeen) {
	if s.Last != p.records {
		s.Seen, s.Last = s.Seen+1, p.records
	}
}

// evict drops a path that one earlier record has, and reports whether there is one. So records with ever new
// members push out each other's, and not the usual ones.
func (p *profile) evict() bool {
	for path, c := range p.paths {
		seen, last := int64(0), int64(0)
		for _, k := range c.kinds {
			seen, last = max(seen, k.Seen), max(last, k.Last)
		}
		// guard: members: strange records do not push out the usual members | seen == 1 && last < p.records -> last < p.records
		if seen == 1 && last < p.records {
			delete(p.paths, path)
			p.others++
			return true
		}
	}
	return false
}

// word returns a text, cut to a bound.
func word(text []byte) string {
	if len(text) <= mostWordBytes {
		return string(text)
	}
	return strings.ToValidUTF8(string(text[:mostWordBytes]), "") + "…"
}

var kindNames = [...]string{"null", "empty", "bool", "number", "text", "object", "array", "value"}

func (p *profile) whole() schemas.MemberProfile {
	all := schemas.MemberProfile{
		Records: p.records, Cut: p.cut, Others: p.others,
		Paths: make(map[string]schemas.MemberCounts, len(p.paths)),
	}
	for path, c := range p.paths {
		m := c.values
		m.Kinds = map[string]schemas.MemberSeen{}
		for k, seen := range c.kinds {
			if seen.Seen > 0 {
				m.Kinds[kindNames[k]] = seen
			}
		}
		all.Paths[path] = m
	}
	return all
}
