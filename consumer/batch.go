package consumer

import (
	"bytes"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
)

// A batch is committed after commitEvery, because a live pitch is readable before: as soon as the stores have
// it. About one pitch in a hundred waits for the commit of a batch before it. The commit comes early when no
// record arrives for commitIdle and fewer than gatherLag records wait, because then no reader waits for the
// commit.
const (
	commitEvery       = 2500 * time.Millisecond
	commitIdle        = 100 * time.Millisecond
	gatherLag         = 200
	gatherRecords     = 20000
	gatherDeadLetters = 100
	gatherHeldBytes   = 8 << 20 // of the records that become dead letters
)

// batch is the polls that are committed together. Its transaction commits everything that was polled, so
// every poll of it must be in the stores by then, or nothing is committed.
type batch struct {
	cfg   *Config
	trace *tracer // nil: off
	began time.Time

	// Owned by the goroutine that polls.
	most      int // records after which it is committed
	records   int // read so far
	rejected  int // of records, by the core
	heldBytes int // of rejected records, which keep their bytes

	// Results that the store has accepted. The store goroutine owns them until pipeline.run has returned.
	mayRepeat   bool // the next write may find the store ahead: it may hold this batch already
	deadLetters []schemas.DeadLetter
	refused     int                                   // of records, by the store
	rows        map[schemas.PitchID]schemas.Published // current state of the pitches that were written
	moves       map[int32]schemas.PositionMove
	tallies     map[int32]tally
	summary     BatchSummary

	mu     sync.Mutex
	unsent map[schemas.PitchID]schemas.Published // guarded by mu; those of rows that no produce has taken yet
	stored int                                   // guarded by mu; of records
}

func newBatch(cfg *Config, trace *tracer, mayRepeat bool) *batch {
	return &batch{
		cfg: cfg, trace: trace, began: cfg.Now(), mayRepeat: mayRepeat,
		// guard: a batch whose rows are compared too slowly shrinks | min(gatherRecords, cfg.commitSize.limit()) -> gatherRecords
		most:    min(gatherRecords, cfg.commitSize.limit()),
		rows:    map[schemas.PitchID]schemas.Published{},
		unsent:  map[schemas.PitchID]schemas.Published{},
		moves:   map[int32]schemas.PositionMove{},
		summary: newSummary(),
	}
}

// recycleBytes gives the bytes of a poll back to the client, which unpacks the next fetch into them. Decoded
// rows share nothing with them, and a rejected record gets a copy for its dead letter. When many are
// rejected, copying costs more than it saves: the poll keeps its bytes then.
func recycleBytes(decoded []Decoded, records []*kgo.Record) {
	all, rejected := 0, 0
	for i := range decoded {
		n := size(&decoded[i].Record)
		all += n
		if decoded[i].Rejection != nil {
			rejected += n
		}
	}
	if rejected > all/4 {
		return
	}
	for i := range decoded {
		d := &decoded[i]
		if d.Rejection != nil {
			// guard: what was rejected keeps its bytes when the poll's are let go
			d.Record = kafkaread.Clone(d.Record)
		} else {
			d.Record = schemas.Record{Coordinates: d.Record.Coordinates}
		}
	}
	for _, r := range records {
		r.Recycle()
	}
}

// countRead counts the decoded records of a poll.
func (b *batch) countRead(decoded []Decoded) {
	for i := range decoded {
		if decoded[i].Rejection != nil {
			b.rejected++
			b.heldBytes += size(&decoded[i].Record)
		}
	}
	b.records += len(decoded)
}

// keep takes over the results of records that are in the store; op is that of the write. deadLetters are
// those of the records that were not sent before, and tallies count them.
func (b *batch) keep(
	counts BatchSummary, outcome schemas.Outcome, deadLetters []schemas.DeadLetter, tallies map[int32]tally,
	moves []schemas.PositionMove, op int64,
) {
	b.refused += len(outcome.Refused)
	b.deadLetters = append(b.deadLetters, deadLetters...)
	b.tallies = tallies
	b.mu.Lock()
	for _, row := range outcome.Published {
		b.rows[row.PitchID], b.unsent[row.PitchID] = row, row
	}
	b.stored += counts.Records
	b.trace.stored(op, &outcome) // under mu, as takeUnsent
	b.mu.Unlock()
	for _, m := range moves {
		b.moves[m.Partition] = m
	}
	b.summary.add(counts, outcome, deadLetters)
}

// backlog estimates how long the store takes for the records that it does not have yet, at its speed so far.
func (b *batch) backlog() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cfg.Now().Sub(b.began) * time.Duration(b.records-b.stored) / time.Duration(max(b.stored, 1))
}

// takeUnsent returns the rows that were stored since the last call, sorted by pitch.
func (b *batch) takeUnsent() []schemas.Published {
	b.mu.Lock()
	defer b.mu.Unlock()
	rows := sortedRows(b.unsent)
	clear(b.unsent)
	b.trace.send(rows)
	return rows
}

// report counts the rows and reports the batch as committed.
func (b *batch) report() {
	b.summary.addRows(b.rows)
	b.summary.Took = b.cfg.Now().Sub(b.began)
	b.cfg.Observer.Batch(b.summary)
}

func sortedRows(rows map[schemas.PitchID]schemas.Published) []schemas.Published {
	return slices.SortedFunc(maps.Values(rows), func(x, y schemas.Published) int {
		return bytes.Compare(x.PitchID[:], y.PitchID[:])
	})
}

func newSummary() BatchSummary {
	return BatchSummary{DeadLetters: map[schemas.Code]int{}, Issues: map[string]int{}}
}

// add counts a poll.
func (s *BatchSummary) add(counts BatchSummary, outcome schemas.Outcome, deadLetters []schemas.DeadLetter) {
	s.Records += counts.Records
	s.Bytes += counts.Bytes
	s.Deletes += counts.Deletes
	s.Identifies += counts.Identifies
	s.Superseded += outcome.Superseded
	for _, l := range deadLetters {
		s.DeadLetters[l.Code]++
		s.Newest = append(s.Newest[max(0, len(s.Newest)-schemas.MaxNotes+1):], l.Note())
	}
}

// addRows counts the rows of a batch, each pitch once.
func (s *BatchSummary) addRows(rows map[schemas.PitchID]schemas.Published) {
	for _, p := range rows {
		if p.Row != nil {
			s.Rows++
			for _, issue := range p.Row.Issues {
				s.Issues[issue]++
			}
		}
	}
}
