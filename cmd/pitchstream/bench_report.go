package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pitchstream/pitchstream/internal/obs"
	"github.com/pitchstream/pitchstream/internal/terminal"
)

// benchReport is what bench --json prints.
type benchReport struct {
	Conditions benchConditions `json:"conditions"`
	Data       string          `json:"data"`
	Stages     []*benchResult  `json:"stages"`
}

// benchConditions are what figures depend on beside the program.
type benchConditions struct {
	At          time.Time `json:"at"`
	CPU         string    `json:"cpu"`
	Cores       int       `json:"cores"`
	GOMAXPROCS  int       `json:"gomaxprocs"`
	System      string    `json:"system"`
	Go          string    `json:"go"`
	Build       string    `json:"build"`
	LoadAverage string    `json:"load_average"` // of 1, 5, 15 minutes, before the first stage; "" where it is not told
}

// benchResult is what came of one stage.
type benchResult struct {
	Stage    string          `json:"stage"`
	About    string          `json:"about"`
	Skipped  string          `json:"skipped,omitempty"` // why it was not run
	Measures []*benchMeasure `json:"measures,omitempty"`
}

// benchMeasure is one figure of a stage: of every run, in their order, and what they come to.
type benchMeasure struct {
	Name   string    `json:"name"`
	Unit   string    `json:"unit"`
	Median float64   `json:"median"`
	Least  float64   `json:"least"`
	Most   float64   `json:"most"`
	Runs   []float64 `json:"runs"`
}

// add notes a figure of one run.
func (r *benchResult) add(name, unit string, value float64) {
	i := slices.IndexFunc(r.Measures, func(m *benchMeasure) bool { return m.Name == name && m.Unit == unit })
	if i < 0 {
		i = len(r.Measures)
		r.Measures = append(r.Measures, &benchMeasure{Name: name, Unit: unit})
	}
	m := r.Measures[i]
	m.Runs = append(m.Runs, value)
	sorted := slices.Sorted(slices.Values(m.Runs))
	m.Median, m.Least, m.Most = median(sorted), sorted[0], sorted[len(sorted)-1]
}

func median(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// throughput notes how fast a run was, and what it cost.
func (r *benchResult) throughput(records, bytes int64, took, processor time.Duration) {
	seconds := max(took.Seconds(), 1e-9)
	r.add("records", "/s", float64(records)/seconds)
	if bytes > 0 {
		r.add("values", "MB/s", float64(bytes)/1e6/seconds)
	}
	if processor > 0 {
		r.add("CPU for 1,000 records", "s", processor.Seconds()/float64(records)*1000)
	}
}

func (b *benchReport) head(w io.Writer) {
	c := b.Conditions
	fmt.Fprintf(w, "machine  %s, %d cores (GOMAXPROCS %d), %s, %s, load average %s\n", c.CPU, c.Cores, c.GOMAXPROCS, c.System, c.Go, c.LoadAverage)
	fmt.Fprintf(w, "build    %s, %s\n", c.Build, c.At.Format(time.RFC3339))
	fmt.Fprintf(w, "data     %s\n", b.Data)
}

func (r *benchResult) print(w io.Writer) {
	if r.Skipped != "" {
		fmt.Fprintf(w, "\n%s: skipped: %s\n", r.Stage, r.Skipped)
		return
	}
	fmt.Fprintf(w, "\n%s: %s\n", r.Stage, r.About)
	name, value, unit := 0, 0, 0
	for _, m := range r.Measures {
		name, value, unit = max(name, len(m.Name)), max(value, len(figure(m.Median))), max(unit, len(m.Unit))
	}
	for _, m := range r.Measures {
		fmt.Fprintf(w, "  %-*s  %*s %-*s  (%s–%s)\n", name, m.Name, value, figure(m.Median), unit, m.Unit, figure(m.Least), figure(m.Most))
	}
}

// figure is a number with what digits matter.
func figure(f float64) string {
	switch {
	case f >= 1000:
		return terminal.Count(int64(f + 0.5))
	case f >= 100:
		return strconv.FormatFloat(f, 'f', 0, 64)
	}
	return strconv.FormatFloat(f, 'g', 3, 64)
}

func conditions() benchConditions {
	return benchConditions{
		At: time.Now().UTC().Truncate(time.Second), CPU: cpuModel(), Cores: runtime.NumCPU(), GOMAXPROCS: runtime.GOMAXPROCS(0),
		System: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version(), Build: obs.Build(), LoadAverage: loadAverage(),
	}
}

// cpuModel is what Linux calls the processor; elsewhere its architecture.
func cpuModel() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func loadAverage() string {
	text, _ := os.ReadFile("/proc/loadavg")
	fields := strings.Fields(string(text))
	return strings.Join(fields[:min(3, len(fields))], " ")
}

// percentiles notes the median and the 99th percentile of a run's times, in milliseconds.
func (r *benchResult) percentiles(what string, times []time.Duration) {
	if len(times) == 0 {
		return
	}
	slices.Sort(times)
	at := func(share float64) float64 {
		return float64(times[int(share*float64(len(times)-1)+0.5)]) / float64(time.Millisecond)
	}
	r.add(what+", p50", "ms", at(.5))
	r.add(what+", p99", "ms", at(.99))
}
