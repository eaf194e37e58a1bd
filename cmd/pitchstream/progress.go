package main

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

	"github.com/pitchstream/pitchstream/internal/inputs"
)

// progress tells on stderr how far a long command is: on a terminal by a bar, elsewhere by a line each few seconds, with
// rates and, where a total is known, the share done and the time left. Its methods are safe for concurrent use.
//
//	p := startProgress(std.Err, progressOptions{Title: "load", TotalBytes: total})
//	defer p.Stop()
//	p.SetBytes(read)
//	p.AddRecords(1)
type progress struct {
	o       progressOptions
	out     lockedWriter
	records atomic.Int64
	bytes   atomic.Int64
	meters  struct {
		sync.Mutex
		records, bytes meter
	}
	stop func()
}

// progressOptions say what is counted. A total of 0 is not known; bytes go before records for the share done.
type progressOptions struct {
	Title        string
	TotalRecords int64
	TotalBytes   int64
	Noun         string        // of a record, in the plural; "" means records
	Every        time.Duration // between two plain lines; 0 means 5 s
}

// startProgress begins. Stop must be called.
func startProgress(w io.Writer, o progressOptions) *progress {
	p := newProgress(o)
	if isTerminal(w) {
		p.startBar(w)
	} else {
		p.startLines(w)
	}
	return p
}

// startReading begins for a command that reads files, and tells what was odd about the ids, nil for none.
func startReading(w io.Writer, title string, in *inputs.Reader, idsFile string, ids *inputs.IDs) *progress {
	total, _ := in.BytesTotal()
	p := startProgress(w, progressOptions{Title: title, TotalBytes: total})
	if ids != nil {
		for _, note := range ids.Notes {
			p.Note("%s: %s: %s", title, idsFile, note)
		}
	}
	return p
}

func newProgress(o progressOptions) *progress {
	o.Noun = cmp.Or(o.Noun, "records")
	o.Every = cmp.Or(max(0, o.Every), 5*time.Second)
	p := &progress{o: o}
	p.meters.records.begin(time.Now())
	p.meters.bytes.begin(time.Now())
	return p
}

// AddRecords counts records.
func (p *progress) AddRecords(n int64) { p.records.Add(n) }

// AddBytes counts bytes.
func (p *progress) AddBytes(n int64) { p.bytes.Add(n) }

// SetBytes sets how many bytes are done in all.
func (p *progress) SetBytes(n int64) { p.bytes.Store(n) }

// Note writes a line of its own, above the bar where there is one.
func (p *progress) Note(format string, args ...any) { fmt.Fprintf(&p.out, format+"\n", args...) }

// Stop ends the report and takes the bar away. It may be called twice.
func (p *progress) Stop() { p.stop() }

func (p *progress) startLines(w io.Writer) {
	p.out.set(w)
	ticker, quit, done := time.NewTicker(p.o.Every), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case now := <-ticker.C:
				p.Note("%s: %s", p.o.Title, p.text(now))
			case <-quit:
				return
			}
		}
	}()
	p.stop = sync.OnceFunc(func() {
		ticker.Stop()
		close(quit)
		<-done
	})
}

func (p *progress) startBar(w io.Writer) {
	bars := mpb.New(mpb.WithOutput(w), mpb.WithAutoRefresh(), mpb.WithWidth(32))
	text := decor.Any(func(decor.Statistics) string { return " " + p.text(time.Now()) })
	style := mpb.BarStyle().Build()
	if p.total() == 0 {
		style = mpb.SpinnerStyle().Build()
	}
	bar := bars.MustAdd(max(1, p.total()), style, mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(p.o.Title+" ")),
		mpb.AppendDecorators(text))
	p.out.set(bars) // it writes above the bar
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(100 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				bar.SetCurrent(min(p.done(), max(1, p.total())-1)) // at its total a bar is over
			case <-quit:
				return
			}
		}
	}()
	p.stop = sync.OnceFunc(func() {
		close(quit)
		<-done
		bar.Abort(true)
		bars.Wait()
		p.out.set(w)
	})
}

// total and done are in the unit whose total is known; 0 where none is.
func (p *progress) total() int64 {
	if p.o.TotalBytes > 0 {
		return p.o.TotalBytes
	}
	return p.o.TotalRecords
}

func (p *progress) done() int64 {
	if p.o.TotalBytes > 0 {
		return p.bytes.Load()
	}
	return p.records.Load()
}

// text is how far it is at that time, as
//
//	12,000 of 50,000 records (2,400/s), 1.1 GB of 10.0 GB (230.0 MB/s), 11%, 38s left
func (p *progress) text(now time.Time) string {
	records, bytes := p.records.Load(), p.bytes.Load()
	p.meters.Lock()
	recordRate, byteRate := p.meters.records.rate(now, records), p.meters.bytes.rate(now, bytes)
	p.meters.Unlock()
	parts := []string{countText(records) + ofTotal(p.o.TotalRecords, countText) + " " + p.o.Noun + " (" + countText(int64(math.Round(recordRate))) + "/s)"}
	if bytes > 0 || p.o.TotalBytes > 0 {
		parts = append(parts, bytesText(bytes)+ofTotal(p.o.TotalBytes, bytesText)+" ("+bytesText(int64(byteRate))+"/s)")
	}
	if total := p.total(); total > 0 {
		share := min(1, float64(p.done())/float64(total))
		parts = append(parts, fmt.Sprintf("%d%%", int(100*share)))
		rate := recordRate
		if p.o.TotalBytes > 0 {
			rate = byteRate
		}
		if left := float64(total - p.done()); left > 0 && rate > 0 {
			parts = append(parts, durationText(left/rate)+" left")
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

// lockedWriter is a writer for several goroutines, which may be exchanged.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) set(w io.Writer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.w = w
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// isTerminal is whether a person looks at w and it can draw a bar.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
}
