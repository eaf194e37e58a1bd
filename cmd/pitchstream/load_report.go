package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/pitchstream/pitchstream/internal/fileinput"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/kafkasink"
)

// loadReport counts what a load did. In the end every record that was read is sent, refused or unsure.
type loadReport struct {
	c     *loadCmd
	begun time.Time

	mu       sync.Mutex
	records  int64 // read, save those that earlier runs had sent
	bytes    int64 // of them
	before   int64 // acknowledged in earlier runs
	sent     int64 // acknowledged
	refused  int64 // will never be taken as they are
	unsure   int64 // neither when the run ended: a rerun sends them
	refusals []string
	ourError error // the first that is not a record's fault
	games    map[string]int64
	noGame   int64
	named    int64 // by --ids
	rows     int64 // of --check only, as letters
	letters  map[schemas.Code]int64
}

// place is where a record came from.
type place struct {
	file       *fileinput.File
	record     int64
	byteOffset int64
	sizeBytes  int64
}

func placeOf(i fileinput.Item) place { return place{i.File, i.Record, i.ByteOffset, i.SizeBytes} }

func (p place) String() string {
	return fmt.Sprintf("%s: record %d at byte %d, %s", p.file.Path, p.record, p.byteOffset, terminal.Bytes(p.sizeBytes))
}

func newLoadReport(c *loadCmd) loadReport {
	return loadReport{c: c, begun: time.Now(), games: map[string]int64{}, letters: map[schemas.Code]int64{}}
}

func (r *loadReport) sentBefore(n int64) { r.before += n }

func (r *loadReport) read(i fileinput.Item) {
	r.records++
	r.bytes += i.SizeBytes
}

// about notes what is known of a record that goes out.
func (r *loadReport) about(game string, named bool) {
	if game == "" {
		r.noGame++
	} else {
		r.games[game]++
	}
	if named {
		r.named++
	}
}

// judge counts what the processor would make of a record: a letter of that code, or ("") a row.
func (r *loadReport) judge(code schemas.Code) {
	if code == "" {
		r.rows++
	} else {
		r.letters[code]++
	}
}

const maxRefusals = 20

// acked counts an answer. settled is whether it is the last word on that record, and on all before it.
func (r *loadReport) acked(p place, err error) (settled bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err == nil:
		r.sent++
	case kafkasink.IsRefusal(err):
		if r.refused++; r.refused <= maxRefusals {
			r.refusals = append(r.refusals, fmt.Sprintf("%v: %v", p, err))
		}
	default:
		r.unsure++
		if r.ourError == nil {
			r.ourError = err
		}
	}
	return r.ourError == nil
}

// ours is why Kafka does not take records, nil while it does.
func (r *loadReport) ours() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if errors.Is(r.ourError, kafkasink.ErrNotSent) {
		return nil // given up because of something else
	}
	return r.ourError
}

// failure is why a load that came to its end has failed nevertheless.
func (r *loadReport) failure(in *fileinput.Reader) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, _, unread := in.Problems()
	switch {
	case r.refused+r.unsure > 0:
		return fmt.Errorf("%s of %s records failed", terminal.Count(r.refused+r.unsure), terminal.Count(r.records))
	case unread > 0:
		return fmt.Errorf("%s inputs could not be read", terminal.Count(unread))
	}
	return nil
}

// print writes the summary:
//
//	loaded into pitches.raw in 12s
//	  records      1,254 read = 1,254 sent + 0 failed
//	  …
func (r *loadReport) print(out io.Writer, in *fileinput.Reader) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := bufio.NewWriter(out)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "  %-12s "+format+"\n", append([]any{name}, args...)...)
	}
	took := terminal.Duration(time.Since(r.begun).Seconds())
	failed := r.records - r.sent // what Send itself gave up is among them
	if r.c.Check {
		fmt.Fprintf(w, "checked in %s, nothing was sent\n", took)
		line("records", "%s read = %s to send + %s that would fail", terminal.Count(r.records), terminal.Count(r.sent), terminal.Count(failed))
		r.printJudgement(line)
	} else {
		fmt.Fprintf(w, "loaded into %s in %s\n", r.c.Topics.TopicRaw, took)
		line("records", "%s read = %s sent + %s failed", terminal.Count(r.records), terminal.Count(r.sent), terminal.Count(failed))
	}
	if unsure := failed - r.refused; unsure > 0 {
		line("", "%s of the failed were not acknowledged when it ended; they may have arrived", terminal.Count(unsure))
	}
	if r.c.State != "" {
		line("sent before", "%s by earlier runs, as %s says", terminal.Count(r.before), r.c.State)
	}
	line("bytes", "%s in %s", terminal.Bytes(r.bytes), terminal.Counted(int64(len(in.Files())), "input"))
	r.printGames(line)
	r.printNames(line)
	for _, refusal := range r.refusals {
		line("failed", "%s", refusal)
	}
	if more := r.refused - int64(len(r.refusals)); more > 0 {
		line("failed", "and %s more", terminal.Count(more))
	}
	problems, more, _ := in.Problems()
	for _, p := range problems {
		line("input", "%s", p)
	}
	if more > 0 {
		line("input", "and %s more remarks", terminal.Count(more))
	}
	return w.Flush()
}

func (r *loadReport) printJudgement(line func(name, format string, args ...any)) {
	line("rows", "%s", terminal.Count(r.rows))
	for _, code := range schemas.Codes {
		if n := r.letters[code]; n > 0 {
			line("dead letters", "%s %s", terminal.Count(n), code)
		}
	}
}

func (r *loadReport) printGames(line func(name, format string, args ...any)) {
	line("games", "%s", terminal.Count(int64(len(r.games))))
	if r.noGame > 0 {
		line("", "%s no game: name it by --game, or name files GAME_FRAME.jsonl", terminal.Counted(r.noGame, "record has", "records have"))
	}
}

func (r *loadReport) printNames(line func(name, format string, args ...any)) {
	if r.c.IDs == "" {
		line("batters", "named only where the ball was hit, so whiff rates are not to be had; --ids FILE.csv names them")
		return
	}
	line("batters", "%s found in %s", terminal.Counted(r.named, "record"), r.c.IDs)
}
