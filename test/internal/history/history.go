// Package history decides whether what readers saw was possible, given what writers sent. Writers and readers
// record into a History while everything fails; Check looks at it afterwards. It knows none of our code.
//
// A pitch is a register of versions: a version is applied once, at some moment after it was sent, and never
// makes way for an older one. A reader of Postgres sees the present version. A reader of the API may see an
// older one, but never one below the record that it asked for. A batter is a list of records in one
// partition: what a reader sees is what a prefix of it adds up to.
package history

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// Write is a version of a pitch that was sent. Versions of a pitch count from 1.
type Write struct {
	Pitch     string
	Version   int
	Sent      int64 // when, on the clock of the history
	Acked     bool  // Kafka has it
	Partition int32
	Offset    int64
}

// Read is an answer about a pitch.
type Read struct {
	Pitch   string
	Version int // 0: there is no such pitch
	AtLeast int // the version that was asked for; 0: none
	// Present is whether the source shows the present version, as the primary of Postgres does.
	Present      bool
	Began, Ended int64
}

// Sum is an answer about a batter, as a text that two equal sums share.
type Sum struct {
	Batter       string
	Text         string
	AtLeast      int    // how many of the batter's records it must contain
	Stream       string // "": a single answer; else what one stream sent never goes back
	Note         string // what else the answer said, for the report
	Began, Ended int64
}

// Entry is a record of the rows topic or of the dead letters, as a reader of committed records saw it.
type Entry struct {
	Partition int32
	Offset    int64
	Key       string // of the pitch, or of the rejected record
	Version   int    // 0 in the topic of dead letters
}

// History is what was sent and seen. Its methods may be called from several goroutines.
type History struct {
	mu     sync.Mutex
	writes []Write
	reads  []Read
	sums   []Sum
	// prefixes has, of each batter, when each record was sent and what the first n records add up to.
	prefixes map[string][]Prefix
	rows     []Entry // as they were seen while everything failed
	dead     []Entry
	final    []Entry // the whole rows topic at the end
	finalBad []Entry // the whole topic of dead letters at the end
	rejected []string
	current  map[string]int // of each pitch, in Postgres at the end
}

// Prefix is what the first records of a batter add up to.
type Prefix struct {
	Text string
	Sent int64 // when the last of these records was sent
}

// Wrote adds a version that was sent.
func (h *History) Wrote(w Write) { h.mu.Lock(); defer h.mu.Unlock(); h.writes = append(h.writes, w) }

// Saw adds an answer about a pitch.
func (h *History) Saw(r Read) { h.mu.Lock(); defer h.mu.Unlock(); h.reads = append(h.reads, r) }

// SawSum adds an answer about a batter.
func (h *History) SawSum(s Sum) { h.mu.Lock(); defer h.mu.Unlock(); h.sums = append(h.sums, s) }

// SawRow adds a record of the rows topic, in the order in which its reader got it.
func (h *History) SawRow(e Entry) { h.mu.Lock(); defer h.mu.Unlock(); h.rows = append(h.rows, e) }

// SawDead adds a dead letter, in the order in which its reader got it.
func (h *History) SawDead(e Entry) { h.mu.Lock(); defer h.mu.Unlock(); h.dead = append(h.dead, e) }

// Rejected adds a record that must become a dead letter.
func (h *History) Rejected(key string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rejected = append(h.rejected, key)
}

// Adds says what the first records of a batter add up to, from none on.
func (h *History) Adds(batter string, p Prefix) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.prefixes == nil {
		h.prefixes = map[string][]Prefix{}
	}
	h.prefixes[batter] = append(h.prefixes[batter], p)
}

// End says what the topics and Postgres have when everything has settled.
func (h *History) End(rows, dead []Entry, current map[string]int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.final, h.finalBad, h.current = rows, dead, current
}

// Size says how much was recorded.
func (h *History) Size() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return fmt.Sprintf("%d versions, %d answers about pitches, %d about batters, %d rows, %d dead letters",
		len(h.writes), len(h.reads), len(h.sums), len(h.rows), len(h.dead))
}

// Check returns what was not possible, a line each. Nothing may be recorded meanwhile.
func (h *History) Check() (faults []string) {
	faults = append(faults, h.checkPitches()...)
	faults = append(faults, h.checkSums()...)
	faults = append(faults, h.checkRows()...)
	faults = append(faults, h.checkDead()...)
	return faults
}

// operation is a step of the register of one pitch.
type operation struct {
	write   int // the version; 0: a read
	atLeast int
	present bool
}

// register is the model of a pitch. Its state is the present version.
var register = porcupine.Model{
	Init: func() any { return 0 },
	Step: func(state, input, output any) (bool, any) {
		now, op := state.(int), input.(operation)
		if op.write > 0 {
			return true, max(now, op.write)
		}
		seen := output.(int)
		if op.present {
			return seen == now && seen >= op.atLeast, now
		}
		return seen <= now && seen >= op.atLeast, now
	},
}

// checkPitches looks for an order of the steps in which every answer is right.
func (h *History) checkPitches() (faults []string) {
	steps := map[string][]porcupine.Operation{}
	newest := map[string]int{}
	for _, w := range h.writes {
		steps[w.Pitch] = append(steps[w.Pitch], porcupine.Operation{
			Input: operation{write: w.Version}, Call: w.Sent, Return: math.MaxInt64, Output: 0})
		if w.Acked {
			newest[w.Pitch] = max(newest[w.Pitch], w.Version)
		}
	}
	for _, r := range h.reads {
		steps[r.Pitch] = append(steps[r.Pitch], porcupine.Operation{
			Input: operation{atLeast: r.AtLeast, present: r.Present}, Output: r.Version,
			Call: r.Began, Return: r.Ended})
	}
	for pitch, all := range steps {
		if !porcupine.CheckOperations(register, all) {
			faults = append(faults, fmt.Sprintf("pitch %s: no order of its versions explains what was read", pitch))
		}
		if h.current != nil && h.current[pitch] < newest[pitch] {
			faults = append(faults, fmt.Sprintf("pitch %s: version %d was acknowledged, and %d is there at the end",
				pitch, newest[pitch], h.current[pitch]))
		}
	}
	slices.Sort(faults)
	return faults
}

// checkSums requires that each sum is that of a prefix, which contains what was asked for and nothing that
// was not sent yet; and that no stream goes back.
func (h *History) checkSums() (faults []string) {
	reached := map[string]int{} // by stream, the shortest prefix that its last event may be
	for _, s := range h.sums {
		least := s.AtLeast
		if s.Stream != "" {
			least = max(least, reached[s.Stream])
		}
		at, known := -1, false
		for i, p := range h.prefixes[s.Batter] {
			if p.Text != s.Text {
				continue
			}
			known = true
			if i >= least && p.Sent <= s.Ended {
				at = i
				break
			}
		}
		switch {
		case !known:
			faults = append(faults, fmt.Sprintf("batter %s: no prefix of the records adds up to %s", s.Batter, s.Text))
		case at < 0:
			faults = append(faults, s.lacks(least))
		case s.Stream != "":
			reached[s.Stream] = at
		}
	}
	return faults
}

// wentBack begins what is said of a stream that sends an older state than before.
const wentBack = "a stream went back"

func (s Sum) lacks(least int) string {
	what := "an answer lacks records"
	if s.Stream != "" {
		what = wentBack
	}
	return fmt.Sprintf("%s: batter %s: %s, without some of the first %d records (%v, %s)", what,
		s.Batter, s.Text,
		least, time.Duration(s.Ended).Round(time.Millisecond), s.Note)
}

// place is where a record is in its topic.
type place struct {
	partition int32
	offset    int64
}

// checkLog compares what a reader saw with what the topic has at the end. The reader may see nothing that was
// taken back, and one record at each offset. It sees them in the order of the offsets, and passes none over.
func checkLog(what string, seen, final []Entry) (faults []string) {
	at := map[place]Entry{}
	for _, e := range final {
		at[place{e.Partition, e.Offset}] = e
	}
	last := map[int32]int64{}
	for _, e := range seen {
		there, ok := at[place{e.Partition, e.Offset}]
		if !ok {
			faults = append(faults, fmt.Sprintf("%s %d/%d: a reader of committed records saw what was never committed",
				what, e.Partition, e.Offset))
		} else if there != e {
			faults = append(faults, fmt.Sprintf("%s %d/%d: a reader saw %v, and the topic has %v",
				what, e.Partition, e.Offset, e, there))
		}
		if before, ok := last[e.Partition]; ok && e.Offset <= before {
			faults = append(faults, fmt.Sprintf("%s %d/%d: seen after %d", what, e.Partition, e.Offset, before))
		}
		last[e.Partition] = e.Offset
	}
	read := map[place]bool{}
	for _, e := range seen {
		read[place{e.Partition, e.Offset}] = true
	}
	for _, e := range final {
		if reached, ok := last[e.Partition]; ok && e.Offset < reached && !read[place{e.Partition, e.Offset}] {
			faults = append(faults, fmt.Sprintf("%s %d/%d: passed over by a reader", what, e.Partition, e.Offset))
		}
	}
	return faults
}

// checkRows also requires that the last row of each pitch is the present one.
func (h *History) checkRows() []string {
	faults := checkLog("row", h.rows, h.final)
	if h.current == nil {
		return faults
	}
	last := map[string]int{}
	for _, e := range h.final { // a pitch has one partition
		last[e.Key] = e.Version
	}
	for _, pitch := range slices.Sorted(keys(h.current)) {
		if last[pitch] != h.current[pitch] {
			faults = append(faults, fmt.Sprintf("pitch %s: the last row in the topic has version %d, and Postgres %d",
				pitch, last[pitch], h.current[pitch]))
		}
	}
	return faults
}

func keys(m map[string]int) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// checkDead also requires one dead letter for each rejected record.
func (h *History) checkDead() []string {
	faults := checkLog("dead letter", h.dead, h.finalBad)
	if h.current == nil {
		return faults
	}
	count := map[string]int{}
	for _, e := range h.finalBad {
		count[e.Key]++
	}
	for _, key := range h.rejected {
		if count[key] != 1 {
			faults = append(faults, fmt.Sprintf("rejected record %s: %d dead letters", key, count[key]))
		}
	}
	return faults
}
