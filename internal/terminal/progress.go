// Package terminal has the output that several commands share: progress on standard error, and texts for
// counts, sizes and durations.
package terminal

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// Progress shows how far a long command is: a bar on a terminal, a line every few seconds anywhere else. Both
// show rates and, if the total is known, the share done and the time left. Its methods are safe for
// concurrent use.
//
//	p := terminal.StartProgress(std.Err, terminal.ProgressOptions{Title: "load", TotalBytes: total})
//	defer p.Stop()
//	p.SetBytes(read)
//	p.AddRecords(1)
type Progress struct {
	o       ProgressOptions
	records atomic.Int64
	bytes   atomic.Int64

	// outMu guards out. It is never held with rateMu: Note holds it until mpb's goroutine has written, and that
	// goroutine may be in text, which waits for rateMu.
	outMu sync.Mutex
	out   io.Writer

	rateMu     sync.Mutex // guards recordRate and byteRate
	recordRate meter
	byteRate   meter

	stop func() // ends the bar or the lines, and waits until the last one is written
}

// ProgressOptions describe what is counted. A total of 0 means unknown. If both totals are known, the share
// done is that of the bytes.
type ProgressOptions struct {
	Title        string
	TotalRecords int64
	TotalBytes   int64
	Done         int64         // records that were done before the start, which the rate leaves out
	Noun         string        // what is counted, in the plural; "" means records
	Every        time.Duration // between two lines where there is no terminal; 0 means 5 s
}

// StartProgress starts to report to w; nil shows nothing. The caller must call Stop.
func StartProgress(w io.Writer, o ProgressOptions) *Progress {
	p := newProgress(cmp.Or(w, io.Discard), o)
	if IsTerminal(p.out) {
		p.startBar()
	} else {
		p.stop = every(p.o.Every, func(now time.Time) { p.Note("%s: %s", p.o.Title, p.text(now)) })
	}
	return p
}

func newProgress(w io.Writer, o ProgressOptions) *Progress {
	o.Noun = cmp.Or(o.Noun, "records")
	o.Every = cmp.Or(max(0, o.Every), 5*time.Second)
	now := time.Now()
	p := &Progress{o: o, out: w, recordRate: meter{at: now, count: o.Done}, byteRate: meter{at: now}}
	p.records.Store(o.Done)
	return p
}

// AddRecords counts n more records.
func (p *Progress) AddRecords(n int64) { p.records.Add(n) }

// AddBytes counts n more bytes.
func (p *Progress) AddBytes(n int64) { p.bytes.Add(n) }

// SetBytes replaces the number of bytes done.
func (p *Progress) SetBytes(n int64) { p.bytes.Store(n) }

// Note writes a line of its own, above the bar if there is one.
func (p *Progress) Note(format string, args ...any) {
	p.outMu.Lock()
	defer p.outMu.Unlock()
	fmt.Fprintln(p.out, Text(fmt.Sprintf(format, args...)))
}

// Stop ends the report and removes the bar. It may be called twice.
func (p *Progress) Stop() { p.stop() }

func (p *Progress) startBar() {
	w := p.out
	bars := mpb.New(mpb.WithOutput(w), mpb.WithAutoRefresh(), mpb.WithWidth(32))
	text := decor.Any(func(decor.Statistics) string { return " " + p.text(time.Now()) })
	style := mpb.BarStyle().Build()
	if p.total() == 0 {
		style = mpb.SpinnerStyle().Build()
	}
	end := max(1, p.total()) // mpb would never draw a bar to 0
	bar := bars.MustAdd(end, style, mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(p.o.Title+" ")), mpb.AppendDecorators(text))
	p.writeTo(bars) // mpb prints such lines above its bars
	stopUpdates := every(100*time.Millisecond, func(time.Time) {
		bar.SetCurrent(min(p.done(), end-1)) // at the end mpb would remove the bar
	})
	p.stop = sync.OnceFunc(func() {
		stopUpdates()
		bar.Abort(true)
		bars.Wait()
		p.writeTo(w)
	})
}

func (p *Progress) writeTo(w io.Writer) {
	p.outMu.Lock()
	defer p.outMu.Unlock()
	p.out = w
}

// every calls f at each interval from a goroutine of its own, until stop is called. stop waits until a
// running f has returned, so f must not call it.
func every(interval time.Duration, f func(now time.Time)) (stop func()) {
	quit := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		ticker := time.Tick(interval)
		for {
			select {
			case now := <-ticker:
				f(now)
			case <-quit:
				return
			}
		}
	})
	return sync.OnceFunc(func() {
		close(quit)
		running.Wait()
	})
}

// total and done are bytes if the total of bytes is known, otherwise records.
func (p *Progress) total() int64 { return cmp.Or(max(0, p.o.TotalBytes), p.o.TotalRecords) }

func (p *Progress) done() int64 {
	if p.o.TotalBytes > 0 {
		return p.bytes.Load()
	}
	return p.records.Load()
}

// text describes how far the work is at the time now, and updates the rates; only the bar or the ticker calls
// it. For example
//
//	12,000 of 50,000 records (2,400/s), 1.1 GB of 10.0 GB (230.0 MB/s), 11%, 38s left
func (p *Progress) text(now time.Time) string {
	records, bytes := p.records.Load(), p.bytes.Load()
	p.rateMu.Lock()
	recordRate, byteRate := p.recordRate.update(now, records), p.byteRate.update(now, bytes)
	p.rateMu.Unlock()
	parts := []string{fmt.Sprintf("%s%s %s (%s/s)", Count(records), ofTotal(p.o.TotalRecords, Count), p.o.Noun,
		Count(int64(math.Round(recordRate))))}
	if bytes > 0 || p.o.TotalBytes > 0 {
		done := Bytes(bytes) + ofTotal(p.o.TotalBytes, Bytes)
		parts = append(parts, fmt.Sprintf("%s (%s/s)", done, Bytes(int64(byteRate))))
	}
	if total := p.total(); total > 0 {
		share := min(1, float64(p.done())/float64(total))
		parts = append(parts, fmt.Sprintf("%d%%", int(100*share)))
		rate := recordRate
		if p.o.TotalBytes > 0 {
			rate = byteRate
		}
		if left := float64(total - p.done()); left > 0 && rate > 0 {
			parts = append(parts, Duration(left/rate)+" left")
		}
	}
	return strings.Join(parts, ", ")
}

func ofTotal(total int64, text func(int64) string) string {
	if total <= 0 {
		return ""
	}
	return " of " + text(total)
}

// IsTerminal reports whether w is a terminal that can draw a bar.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
}

// LateProgress is a Progress for work whose total is known only after its beginning. It shows nothing before
// the first Set. One goroutine uses it.
type LateProgress struct {
	w    io.Writer
	o    ProgressOptions
	p    *Progress // nil before the first Set and after Stop
	done int64
}

// NewLateProgress returns a progress that will report to w. The caller must call Stop.
func NewLateProgress(w io.Writer, o ProgressOptions) *LateProgress { return &LateProgress{w: w, o: o} }

// Set reports that done of total records are done. A changed total starts the report again.
func (l *LateProgress) Set(done, total int64) {
	if l.p == nil || total != l.o.TotalRecords {
		l.Stop()
		l.o.TotalRecords = total
		l.o.Done, l.done = done, done
		l.p = StartProgress(l.w, l.o)
	}
	l.p.AddRecords(done - l.done)
	l.done = done
}

// Stop ends the report. It may be called twice.
func (l *LateProgress) Stop() {
	if l.p != nil {
		l.p.Stop()
		l.p = nil
	}
}

// meter measures the rate of a count. It is smoothed, with a time constant of 15 s, so that the time left
// does not jump.
type meter struct {
	at        time.Time // of the last update
	count     int64
	perSecond float64
	begun     bool // something was counted since the start; a wait before it must not slow the rate
}

const meterMemory = 15 * time.Second

// update returns the growth per second of a count that is count at the time now.
func (m *meter) update(now time.Time, count int64) float64 {
	span := now.Sub(m.at)
	if span <= 0 {
		return m.perSecond
	}
	current := float64(count-m.count) / span.Seconds()
	weight := 1 - math.Exp(-span.Seconds()/meterMemory.Seconds())
	if !m.begun {
		weight = 1
	}
	m.perSecond += weight * (current - m.perSecond)
	m.at, m.count = now, count
	m.begun = m.begun || current > 0
	return m.perSecond
}
