package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
)

// replayReport is what replay prints.
type replayReport struct {
	Replay   string               `json:"replay"`
	Into     string               `json:"into"`
	Group    string               `json:"kafka_group"`
	Finished bool                 `json:"finished"`
	Balances bool                 `json:"balances"`
	Seconds  float64              `json:"seconds"` // of this run
	Counts   schemas.ReplayCounts `json:"counts"`
	Parts    []schemas.ReplayPart `json:"partitions"`
}

// report prints what became of the records, and answers an error where that is not all.
func (r *replay) report(reached bool) error {
	counts := r.state.Counts()
	rep := replayReport{Replay: r.state.ID, Into: r.c.Into, Group: r.state.Group, Finished: reached, Balances: counts.Balances(),
		Seconds: time.Since(r.began).Seconds(), Counts: counts, Parts: r.state.Parts}
	if r.c.JSON {
		b, err := json.MarshalIndent(rep, "", "  ")
		if err != nil {
			return err
		}
		fmt.Fprintf(r.std.Out, "%s\n", b)
	} else {
		rep.print(r.std.Out)
	}
	switch {
	case !rep.Balances:
		return errors.New("the report does not balance")
	case !reached:
		return errReplay
	}
	return nil
}

func (r replayReport) print(w io.Writer) {
	state := "at its end"
	if !r.Finished {
		state = "not at its end"
	}
	fmt.Fprintf(w, "replay %s into %s: %s, %s in %s\n", r.Replay, r.Into, state, terminal.Counted(r.Counts.Records, "record"), terminal.Duration(r.Seconds))
	c := r.Counts
	for _, line := range []struct {
		name string
		n    int64
	}{{"rows", c.Rows}, {"deletes", c.Deletes}, {"ids", c.IDs}, {"letters", c.Letters}, {"superseded", c.Superseded}, {"duplicates", c.Duplicates}} {
		fmt.Fprintf(w, "  %-10s %s\n", line.name, terminal.Count(line.n))
	}
	word := "balances"
	if !r.Balances {
		word = "DOES NOT BALANCE"
	}
	fmt.Fprintf(w, "%s: %s = %s + %s + %s + %s + %s + %s\n", word, terminal.Count(c.Records), terminal.Count(c.Rows), terminal.Count(c.Deletes), terminal.Count(c.IDs),
		terminal.Count(c.Letters), terminal.Count(c.Superseded), terminal.Count(c.Duplicates))
}

// seen is how far was read, as a progress.
type seen struct {
	p    *terminal.Progress
	mu   sync.Mutex
	next map[int32]int64
}

func newSeen(w io.Writer, state schemas.ReplayState) *seen {
	s := &seen{next: map[int32]int64{}}
	var total, done int64
	for _, p := range state.Parts {
		total, done = total+p.To-p.From, done+p.Next-p.From
		s.next[p.Partition] = p.Next
	}
	s.p = terminal.StartProgress(w, terminal.ProgressOptions{Title: "replay", TotalRecords: total})
	s.p.AddRecords(done)
	return s
}

// set notes that a partition was read up to there. After an abort it is read again, from further back.
func (s *seen) set(partition int32, next int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := s.next[partition]; next > at {
		s.p.AddRecords(next - at)
		s.next[partition] = next
	}
}

func (s *seen) stop() { s.p.Stop() }
