package consumer

import (
	"encoding/json"
	"maps"
	"time"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/schemas"
)

// tally counts how many of a partition's latest records became new dead letters; BreakerLimits.judge reads
// it. It is committed with the offset, as its metadata (tally.metadata in commit.go writes it, parseTally
// reads it). So it is exact after a crash. Else a processor in a crash loop would start from zero each time,
// and send as many dead letters as BreakerLimits.InARow allows. Lately is never changed in place, so copies
// of a tally share it.
type tally struct {
	InARow int64    `json:"rejected_in_a_row"` // up to and with the latest record
	Lately []minute `json:"lately,omitempty"`  // oldest first; only minutes in which records were processed

	// Pardoned means that the breaker does not count this partition. The commit of the next batch ends the
	// pardon of all owned partitions, also of those without a record in the batch. It is written at a
	// shutdown while the breaker holds, because a person who restarts the processor wants it to go on.
	Pardoned bool `json:"pardoned,omitempty"`

	// Core is the version of the core that judged the records at and above CoreFrom; 0: not known. Another
	// core may reject what it took.
	Core     int32 `json:"core,omitempty"`
	CoreFrom int64 `json:"core_from,omitempty"`

	// TopicID is that of the raw topic whose offset it is committed with; "": not known. The group's offset
	// outlives a topic that is created anew, and says nothing about the records of the new one.
	TopicID string `json:"topic_id,omitempty"`

	peak int64 // the greatest InARow within the batch so far; not committed
}

// minute counts the records that were processed in one minute of Unix time.
type minute struct {
	Minute   int64 `json:"minute"`
	Records  int64 `json:"records"`
	Rejected int64 `json:"rejected"`
}

// parseTally reads an offset's metadata. It returns an empty tally for none, and for that of another client.
func parseTally(metadata string) (t tally) {
	if json.Unmarshal([]byte(metadata), &t) != nil {
		return tally{}
	}
	return t
}

// isOfCore reports whether this build's core judged all records from an offset on.
func (t *tally) isOfCore(from int64) bool {
	return t.Core == features.CoreVersion && t.CoreFrom <= from
}

// judgeFrom notes that this build's core judges the records at and above next. If it did before, CoreFrom
// stays.
func (t *tally) judgeFrom(next int64) {
	if t.Core != features.CoreVersion {
		t.Core, t.CoreFrom = features.CoreVersion, next
	}
}

// isOfOtherTopic reports whether the offset was committed in another topic of the same name.
func (t *tally) isOfOtherTopic(id string) bool {
	return t.TopicID != "" && id != "" && t.TopicID != id
}

// cleared returns a tally that counts nothing and pardons nothing. It keeps which core has judged, and where.
func (t *tally) cleared() tally { return tally{Core: t.Core, CoreFrom: t.CoreFrom, TopicID: t.TopicID} }

// after returns the tally that counts the records at these offsets of its partition, too. rejected has the
// offsets of those that became new dead letters. It keeps the current minute and those that began within the
// window, which is in whole minutes: so it looks back on up to a minute less than the window.
func (t tally) after(now time.Time, window time.Duration, offsets []int64, rejected map[int64]bool) tally {
	next := t.cleared()
	// guard: a row that ended in an earlier poll of the batch counts | t.Pardoned, t.peak -> t.Pardoned, 0
	next.InARow, next.Pardoned, next.peak = t.InARow, t.Pardoned, t.peak
	tooOld := now.Add(-window).Unix() / 60 // in minutes, as m.Minute
	for _, m := range t.Lately {
		if m.Minute > tooOld {
			next.Lately = append(next.Lately, m)
		}
	}
	last := len(next.Lately) - 1
	if current := now.Unix() / 60; last < 0 || next.Lately[last].Minute != current {
		next.Lately = append(next.Lately, minute{Minute: current})
		last++
	}
	for _, offset := range offsets {
		next.Lately[last].Records++
		if rejected[offset] {
			next.Lately[last].Rejected++
			next.InARow++
			next.peak = max(next.peak, next.InARow)
		} else {
			next.InARow = 0
		}
	}
	return next
}

// countTallies returns the tallies of all owned partitions that count a poll, too. polled are its records,
// and deadLetters those of them that were rejected. earlier has the tallies after the batch's earlier polls;
// a partition without one starts from its committed tally.
func countTallies(
	cfg *Config, committed, earlier map[int32]tally, polled []Decoded, deadLetters []schemas.DeadLetter,
) map[int32]tally {
	rejected := map[int32]map[int64]bool{}
	for _, l := range deadLetters {
		if rejected[l.Record.Partition] == nil {
			rejected[l.Record.Partition] = map[int64]bool{}
		}
		rejected[l.Record.Partition][l.Record.Offset] = true
	}
	offsets := map[int32][]int64{}
	for i := range polled {
		at := polled[i].Record.Coordinates
		offsets[at.Partition] = append(offsets[at.Partition], at.Offset)
	}
	tallies := maps.Clone(committed)
	maps.Copy(tallies, earlier)
	for id, offsets := range offsets {
		if t, ok := tallies[id]; ok {
			tallies[id] = t.after(cfg.Now(), cfg.Breaker.Window, offsets, rejected[id])
		}
	}
	return tallies
}
