package schemas

import (
	"cmp"
	"maps"
	"slices"
)

// The bounds of a MemberProfile. A path has at most 200 bytes.
const (
	MostMemberPaths = 512
	mostMemberWords = 12
	// MostMemberPartitions bounds the partitions that the records of one game are in.
	MostMemberPartitions = 64
)

// MemberProfile counts the members of the records of one game, at one day and venue: every path of their
// values, whether or not a column reads it. The counts of several profiles can be added up.
type MemberProfile struct {
	// Records are those that were looked at: all while few come, a share of them in a replay.
	Records int64 `json:"records"`
	// Cut are the records that were not looked at, because they have more members than are listed.
	Cut int64 `json:"cut,omitempty"`
	// Others counts values that are in no path: the path is too long or too deep, or there are too many.
	Others int64                   `json:"others,omitempty"`
	Paths  map[string]MemberCounts `json:"paths"`
	// Next is for each partition the offset up to which records count, so that none counts twice.
	Next map[string]int64 `json:"next,omitempty"`
}

// MemberKey is what a MemberProfile is about, and the partition in which its records are.
type MemberKey struct {
	Game      string // "": records without a game
	Day       string // YYYY-MM-DD
	Venue     string
	Partition string // topic/partition
}

// MemberPart is what was counted of one key, since the last time.
type MemberPart struct {
	Key     MemberKey
	First   int64 // the least offset of its records
	Profile MemberProfile
}

// MemberCounts are the values of one path.
type MemberCounts struct {
	// Kinds are keyed by null, empty, bool, number, text, object and array, and value for any of the last five.
	Kinds map[string]MemberSeen `json:"kinds"`
	// N, Sum and Squares sum up the first number of each record.
	N       int64   `json:"n,omitempty"`
	Sum     float64 `json:"sum,omitempty"`
	Squares float64 `json:"squares,omitempty"`
	// Words count the texts of a path that has few; Free says that it has many.
	Words map[string]int64 `json:"words,omitempty"`
	Free  bool             `json:"free,omitempty"`
}

// MemberSeen counts the records that have a path with values of one kind. Last is the number of the newest of
// them, from 1: Records − Last came after it without one.
type MemberSeen struct {
	Seen int64 `json:"n"`
	Last int64 `json:"last"`
}

// Append returns the profile of p's records and of those of next, which came after them. Both stay as they
// are.
func (p MemberProfile) Append(next MemberProfile) MemberProfile {
	all := MemberProfile{
		Records: p.Records + next.Records, Cut: p.Cut + next.Cut, Others: p.Others + next.Others,
		Paths: maps.Clone(p.Paths), Next: maps.Clone(p.Next),
	}
	if all.Paths == nil {
		all.Paths = map[string]MemberCounts{}
	}
	if all.Next == nil {
		all.Next = map[string]int64{}
	}
	for partition, offset := range next.Next {
		all.Next[partition] = max(all.Next[partition], offset)
	}
	for path, counts := range next.Paths {
		all.Paths[path] = all.Paths[path].append(counts, p.Records)
	}
	all.bound()
	return all
}

// bound drops the paths that fewest records have.
func (p *MemberProfile) bound() {
	if len(p.Paths) <= MostMemberPaths {
		return
	}
	paths := slices.SortedFunc(maps.Keys(p.Paths), func(a, b string) int {
		return cmp.Or(-cmp.Compare(p.Paths[a].Records(), p.Paths[b].Records()), cmp.Compare(a, b))
	})
	// guard: members: a profile has a bound
	for _, path := range paths[MostMemberPaths:] {
		p.Others += p.Paths[path].Records()
		delete(p.Paths, path)
	}
}

// Records returns how many records have the path, at least.
func (c MemberCounts) Records() (n int64) {
	for _, k := range c.Kinds {
		n = max(n, k.Seen)
	}
	return n
}

func (c MemberCounts) append(next MemberCounts, before int64) MemberCounts {
	all := MemberCounts{
		Kinds: maps.Clone(c.Kinds), Words: maps.Clone(c.Words), Free: c.Free || next.Free,
		N: c.N + next.N, Sum: c.Sum + next.Sum, Squares: c.Squares + next.Squares,
	}
	if all.Kinds == nil {
		all.Kinds = map[string]MemberSeen{}
	}
	for kind, seen := range next.Kinds {
		all.Kinds[kind] = MemberSeen{all.Kinds[kind].Seen + seen.Seen, before + seen.Last}
	}
	for word, n := range next.Words {
		all.AddWord(word, n)
	}
	return all
}

// AddWord counts a text of a path, as long as the path has few.
func (c *MemberCounts) AddWord(word string, n int64) {
	if c.Words == nil {
		c.Words = map[string]int64{}
	}
	c.Words[word] += n
	// guard: members: the words of a path are bounded | c.Free || len(c.Words) > mostMemberWords -> false
	if c.Free || len(c.Words) > mostMemberWords {
		c.Words, c.Free = nil, true
	}
}
