package bench

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

// Report is the result of Run.
type Report struct {
	Conditions Conditions `json:"conditions"`
	Data       string     `json:"data"`
	Stages     []*Result  `json:"stages"`
}

// Conditions are what the figures depend on besides the program.
type Conditions struct {
	At          time.Time `json:"at"`
	CPU         string    `json:"cpu"`
	Cores       int       `json:"cores"`
	GOMAXPROCS  int       `json:"gomaxprocs"`
	System      string    `json:"system"`
	Go          string    `json:"go"`
	Build       string    `json:"build"`
	LoadAverage string    `json:"load_average"` // of 1, 5, 15 minutes, before the first stage; "" where the system does not have it
}

// Result has the figures of one stage.
type Result struct {
	Stage    string     `json:"stage"`
	About    string     `json:"about"`
	Skipped  string     `json:"skipped,omitempty"` // why the stage was not run
	Measures []*Measure `json:"measures,omitempty"`
}

// Measure is one figure of a stage: of every round, in their order, with their median, least and greatest.
type Measure struct {
	Name   string    `json:"name"`
	Unit   string    `json:"unit"`
	Median float64   `json:"median"`
	Least  float64   `json:"least"`
	Most   float64   `json:"most"`
	Runs   []float64 `json:"runs"`
}

// add adds a figure of one round.
func (r *Result) add(name, unit string, value float64) {
	i := slices.IndexFunc(r.Measures, func(m *Measure) bool { return m.Name == name && m.Unit == unit })
	if i < 0 {
		i = len(r.Measures)
		r.Measures = append(r.Measures, &Measure{Name: name, Unit: unit})
	}
	m := r.Measures[i]
	m.Runs = append(m.Runs, value)
	sorted := slices.Sorted(slices.Values(m.Runs))
	n := len(sorted)
	m.Median, m.Least, m.Most = (sorted[(n-1)/2]+sorted[n/2])/2, sorted[0], sorted[n-1]
}

// throughput adds how fast a round was, and its CPU time.
func (r *Result) throughput(records, bytes int64, took, cpu time.Duration) {
	seconds := max(took.Seconds(), 1e-9)
	r.add("records", "/s", float64(records)/seconds)
	if bytes > 0 {
		r.add("values", "MB/s", float64(bytes)/1e6/seconds)
	}
	if cpu > 0 {
		r.add("CPU for 1,000 records", "s", cpu.Seconds()/float64(records)*1000)
	}
}

func (b *Report) printHead(w io.Writer) {
	c := b.Conditions
	fmt.Fprintf(w, "machine  %s, %d cores (GOMAXPROCS %d), %s, %s, load average %s\n", c.CPU, c.Cores,
		c.GOMAXPROCS, c.System, c.Go, c.LoadAverage)
	fmt.Fprintf(w, "build    %s, %s\n", c.Build, c.At.Format(time.RFC3339))
	fmt.Fprintf(w, "data     %s\n", b.Data)
}

func (r *Result) print(w io.Writer) {
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
		fmt.Fprintf(w, "  %-*s  %*s %-*s  (%s–%s)\n", name, m.Name, value, figure(m.Median), unit, m.Unit,
			figure(m.Least), figure(m.Most))
	}
}

// figure formats a number with three significant digits.
func figure(f float64) string {
	switch {
	case f >= 1000:
		return terminal.Count(int64(f + 0.5))
	case f >= 100:
		return strconv.FormatFloat(f, 'f', 0, 64)
	}
	return strconv.FormatFloat(f, 'g', 3, 64)
}

func conditions() Conditions {
	return Conditions{
		At: time.Now().UTC().Truncate(time.Second), Build: obs.Build(), Go: runtime.Version(),
		CPU: cpuModel(), Cores: runtime.NumCPU(), GOMAXPROCS: runtime.GOMAXPROCS(0),
		System: runtime.GOOS + "/" + runtime.GOARCH, LoadAverage: loadAverage(),
	}
}

// cpuModel returns the name of the CPU on Linux, elsewhere its architecture.
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

// percentiles adds the median and the 99th percentile of the times of a round, in milliseconds.
func (r *Result) percentiles(what string, times []time.Duration) {
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
