package load

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/pitchstream/pitchstream/internal/fileinput"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/kafkasink"
)

// Report says what a load did. Records = Sent + Refused + Unconfirmed.
type Report struct {
	Seconds     float64
	Records     int64 // read, without those that earlier runs had sent
	Bytes       int64 // of these records
	SentBefore  int64 // records acknowledged in earlier runs
	Sent        int64 // acknowledged
	Refused     int64 // never taken as they are
	Unconfirmed int64 // neither, when the run ended; they may have arrived, and the next run sends them again
	Refusals    []string

	Games  int64 // different game_pk
	NoGame int64 // records without one
	Named  int64 // records found in the identifiers
	// Rows and Letters are what the processor would make of the records. Only Check counts them.
	Rows    int64
	Letters map[schemas.Code]int64

	Inputs       int                 // files
	Problems     []fileinput.Problem // the first ones
	MoreProblems int64
	Unread       int64 // files that could not be read
}

// failure returns why a load that came to its end has failed nevertheless, nil if it has not.
func (r *Report) failure() error {
	switch failed := r.Refused + r.Unconfirmed; {
	case failed > 0:
		return fmt.Errorf("%s of %s records failed", terminal.Count(failed), terminal.Count(r.Records))
	case r.Unread > 0:
		return fmt.Errorf("%s inputs could not be read", terminal.Count(r.Unread))
	}
	return nil
}

// maxRefusals is how many refusals a report quotes.
const maxRefusals = 20

// counts are what a run counts. The reading goroutine owns the fields above mu.
type counts struct {
	begun      time.Time
	records    int64
	bytes      int64
	sentBefore int64
	games      map[string]bool
	noGame     int64
	named      int64
	rows       int64
	letters    map[schemas.Code]int64

	mu       sync.Mutex // guards the fields below
	sent     int64
	refused  int64
	refusals []string
	failure  error // the first that says nothing about the record itself
}

func newCounts() counts {
	return counts{begun: time.Now(), games: map[string]bool{}, letters: map[schemas.Code]int64{}}
}

// place is where a record comes from.
type place struct {
	file       *fileinput.File
	record     int64
	byteOffset int64
	sizeBytes  int64
}

func (p place) String() string {
	return fmt.Sprintf("%s: record %d at byte %d, %s", p.file.Path, p.record, p.byteOffset, terminal.Bytes(p.sizeBytes))
}

// about counts the game of a record, and whether the identifiers name its pitch.
func (c *counts) about(game string, named bool) {
	if game == "" {
		c.noGame++
	} else {
		c.games[game] = true
	}
	if named {
		c.named++
	}
}

// judged counts a dead letter of that code, or a row if it is "".
func (c *counts) judged(code schemas.Code) {
	if code == "" {
		c.rows++
	} else {
		c.letters[code]++
	}
}

// acked counts an answer. settled reports whether neither this record nor one before it needs to be sent again.
func (c *counts) acked(p place, err error) (settled bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err == nil:
		c.sent++
	case kafkasink.IsRefusal(err):
		if c.refused++; c.refused <= maxRefusals {
			c.refusals = append(c.refusals, fmt.Sprintf("%v: %v", p, err))
		}
	case c.failure == nil:
		c.failure = err
	}
	return c.failure == nil
}

// kafkaError returns why Kafka does not take records, nil while it does.
func (c *counts) kafkaError() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if errors.Is(c.failure, kafkasink.ErrNotSent) {
		return nil // the run ended for another reason before this record was acknowledged
	}
	return c.failure
}

// report sums up.
func (c *counts) report(in *fileinput.Reader) *Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := &Report{
		Seconds: time.Since(c.begun).Seconds(), Records: c.records, Bytes: c.bytes, SentBefore: c.sentBefore,
		Sent: c.sent, Refused: c.refused, Unconfirmed: c.records - c.sent - c.refused, Refusals: c.refusals,
		Games: int64(len(c.games)), NoGame: c.noGame, Named: c.named, Rows: c.rows, Letters: c.letters,
		Inputs: len(in.Files()),
	}
	r.Problems, r.MoreProblems, r.Unread = in.Problems()
	return r
}
