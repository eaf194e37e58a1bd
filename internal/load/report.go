package load

import (
	"errors"
	"fmt"
	"hash/maphash"
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
	Refused     int64 // records that Kafka never takes as they are
	Unconfirmed int64 // neither, when the run ended; they may have arrived, and the next run sends them again
	Refusals    []string

	Games  int64 // different game_pk
	NoGame int64 // records without one
	Named  int64 // records found in the identifiers
	// NoBatter counts records whose headers name no batter. NoTime counts those that get the time of loading.
	NoBatter int64
	NoTime   int64
	// Rows and DeadLetters count what the processor would make of the records. Only Check counts them.
	Rows        int64
	DeadLetters map[schemas.Code]int64

	Inputs       int                 // files
	Problems     []fileinput.Problem // the first ones
	MoreProblems int64
	Unread       int64 // files that could not be read
}

// failure returns an error if a run that was not interrupted left records unsent or files unread, or sent
// nothing but dead letters.
func (r *Report) failure(hasPitch bool) error {
	switch failed := r.Refused + r.Unconfirmed; {
	case failed > 0:
		return fmt.Errorf("%s of %s records failed", terminal.Count(failed), terminal.Count(r.Records))
	case r.Unread > 0:
		return fmt.Errorf("%s inputs could not be read", terminal.Count(r.Unread))
	case r.Records > 0 && !hasPitch:
		return fmt.Errorf("none of %s is a pitch: all become dead letters, whose reasons --check counts",
			terminal.Counted(r.Records, "record"))
	}
	return nil
}

// maxRefusals is how many refusals a report quotes.
const maxRefusals = 20

// counts are the figures of a run so far. The reading goroutine owns them, except for those that mu guards.
type counts struct {
	begun  time.Time
	games  map[uint64]struct{} // hashes, because a key can be as long as a record; at most maxGames
	report Report
	// hasPitch means that the core takes at least one record of this run.
	hasPitch bool

	mu      sync.Mutex // guards failure, and in report Sent, Refused and Refusals
	failure error      // the first that is not the fault of one record
}

// maxGames bounds the games that are counted.
const maxGames = 1_000_000

var gameSeed = maphash.MakeSeed()

// addGame counts a game once.
func (c *counts) addGame(name string) {
	// guard: bytes: the games of a load are bounded
	if len(c.games) < maxGames {
		c.games[maphash.String(gameSeed, name)] = struct{}{}
	}
}

// acked counts the answer to the record of item. settled is false if this record or an earlier one must be
// sent again.
func (c *counts) acked(item *fileinput.Item, err error) (settled bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := &c.report
	switch {
	case err == nil:
		r.Sent++
	case kafkasink.IsRefusal(err):
		if r.Refused++; r.Refused <= maxRefusals {
			r.Refusals = append(r.Refusals, fmt.Sprintf("%s: record %d at byte %d, %s: %v",
				item.File.Path, item.Record, item.ByteOffset, terminal.Bytes(item.SizeBytes), err))
		}
	case c.failure == nil:
		c.failure = err
	}
	return c.failure == nil
}

// kafkaError returns the reason why Kafka stopped taking records, nil while it takes them.
func (c *counts) kafkaError() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if errors.Is(c.failure, kafkasink.ErrNotSent) {
		return nil // the run ended for another reason before this record was acknowledged
	}
	return c.failure
}

// sum returns the report of the run so far.
func (c *counts) sum(in *fileinput.Reader) *Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.report
	r.Seconds = time.Since(c.begun).Seconds()
	r.Unconfirmed = r.Records - r.Sent - r.Refused
	r.Games, r.Inputs = int64(len(c.games)), len(in.Files())
	r.Problems, r.MoreProblems, r.Unread = in.Problems()
	return &r
}
