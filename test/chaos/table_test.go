package chaos

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/simulate"
)

// The page has a table of recoveries between two marks.
const (
	page  = "docs/RELIABILITY.md"
	begin = "<!-- begin of the recoveries -->\n"
	end   = "<!-- end of the recoveries -->\n"
)

// kindsOf groups results.
func kindsOf(results []result) map[kind][]result {
	by := map[kind][]result{}
	for _, r := range results {
		by[r.kind] = append(by[r.kind], r)
	}
	return by
}

// table returns the recoveries as Markdown.
func table(results []result) string {
	var b strings.Builder
	b.WriteString("| fault | times | goes on while it lasts: median, longest | after its end: median, longest |\n")
	b.WriteString("| --- | --- | --- | --- |\n")
	by := kindsOf(results)
	for _, list := range kinds {
		for _, k := range list {
			if len(by[k]) == 0 {
				continue
			}
			var meanwhile, after []time.Duration
			for _, r := range by[k] {
				if r.meanwhile > 0 {
					meanwhile = append(meanwhile, r.meanwhile)
				}
				after = append(after, r.after)
			}
			fmt.Fprintf(&b, "| %s | %d | %s | %s |\n", k, len(by[k]), span(meanwhile), span(after))
		}
	}
	return b.String()
}

// span returns the median and the longest in seconds.
func span(d []time.Duration) string {
	if len(d) == 0 {
		return "nobody can take over"
	}
	slices.Sort(d)
	median := (d[(len(d)-1)/2] + d[len(d)/2]) / 2
	return fmt.Sprintf("%.1f s, %.1f s", median.Seconds(), d[len(d)-1].Seconds())
}

// record is a result as CHAOS_RESULTS keeps it.
type record struct {
	// Command plays the run's schedule again, and Pitches is how many it had. Only the first result of a run has
	// them.
	Command          string `json:",omitempty"`
	Pitches          int64  `json:",omitempty"`
	Kind             kind
	Meanwhile, After time.Duration
}

// command returns what plays a schedule again.
func command(seed uint64, faults, pitches int, kinds string) string {
	text := fmt.Sprintf("CHAOS_SEED=%d CHAOS_FAULTS=%d CHAOS_PITCHES=%d ", seed, faults, pitches)
	if kinds != "" {
		text += "CHAOS_KINDS='" + strings.ReplaceAll(kinds, "'", `'\''`) + "' "
	}
	return text + "make chaos"
}

// records returns what is kept of a run.
func (r *run) records() (kept []record) {
	for _, one := range r.results {
		kept = append(kept, record{Kind: one.kind, Meanwhile: one.meanwhile, After: one.after})
	}
	if len(kept) > 0 {
		kept[0].Command, kept[0].Pitches = r.command, r.feed.tally.Records[simulate.KindPitch]
	}
	return kept
}

// write prints the table, and puts it into the page where CHAOS_WRITE says so. CHAOS_RESULTS names a file of
// the results of several runs; the table is then that of all of them.
func (r *run) write() {
	r.Helper()
	r.Logf("\n%s", table(r.results))
	kept := r.records()
	if file := os.Getenv("CHAOS_RESULTS"); file != "" {
		var err error
		kept, err = keep(file, kept)
		require.NoError(r, err)
	}
	if os.Getenv("CHAOS_WRITE") == "" {
		return
	}
	path := filepath.Join(testkit.Root(), page)
	b, err := os.ReadFile(path)
	require.NoError(r, err)
	text, err := withTable(string(b), summary(kept, time.Now()))
	require.NoError(r, err)
	require.NoError(r, os.WriteFile(path, []byte(text), 0o644))
}

// keep appends to a file of results, and returns all that it has.
func keep(path string, more []record) (all []record, err error) {
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if len(b) > 0 {
		if err := json.Unmarshal(b, &all); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	all = append(all, more...)
	if b, err = json.Marshal(all); err != nil {
		return nil, err
	}
	return all, os.WriteFile(path, b, 0o644)
}

// summary says which runs there were and how each is played again, and has their table.
func summary(kept []record, now time.Time) string {
	var results []result
	var commands string
	var pitches int64
	for _, k := range kept {
		results = append(results, result{k.Kind, k.Meanwhile, k.After})
		pitches += k.Pitches
		if k.Command != "" {
			commands += "    " + k.Command + "\n"
		}
	}
	runs := "one run"
	if n := strings.Count(commands, "\n"); n > 1 {
		runs = fmt.Sprint(n, " runs")
	}
	return fmt.Sprintf("%s: %d faults of %d kinds, %d pitches, in %s:\n\n%s\n%s", now.Format(time.DateOnly),
		len(results), len(kindsOf(results)), pitches, runs, commands, table(results))
}

func withTable(content, table string) (string, error) {
	before, rest, found := strings.Cut(content, begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		return "", fmt.Errorf("%s has no lines %q and %q", page, strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	return before + begin + table + end + after, nil
}

func TestTheTableIsReplacedInThePage(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(testkit.Root(), page))
	require.NoError(t, err)
	text, err := withTable(string(b), table([]result{
		{kind: leaderKilled, meanwhile: time.Second, after: 2 * time.Second},
		{kind: leaderKilled, meanwhile: 3 * time.Second, after: 4 * time.Second},
		{kind: standbyCut, after: time.Second},
	}))
	require.NoError(t, err)
	require.Contains(t, text, "| Kafka: the leader of a partition killed | 2 | 2.0 s, 3.0 s | 3.0 s, 4.0 s |\n")
	require.Contains(t, text, "| Postgres: primary and standby cut from each other | 1 | nobody can take over | 1.0 s, 1.0 s |\n")
	_, err = withTable("no marks", "")
	require.Error(t, err)
}

func TestSeveralRunsMakeOneTable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "results.json")
	all, err := keep(file, []record{{Command: command(7, 2, 500, ""), Pitches: 500, Kind: standbyCut, After: time.Second},
		{Kind: twins}})
	require.NoError(t, err)
	text := summary(all, time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC))
	require.Contains(t, text, "2026-11-30: 2 faults of 2 kinds, 500 pitches, in one run:\n\n    CHAOS_SEED=7 ")
	all, err = keep(file, []record{
		{Command: command(7, 1, 600, "cut|broker's"), Pitches: 600, Kind: standbyCut, After: 3 * time.Second},
	})
	require.NoError(t, err)
	text = summary(all, time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC))
	require.Contains(t, text, `2026-11-30: 3 faults of 2 kinds, 1100 pitches, in 2 runs:

    CHAOS_SEED=7 CHAOS_FAULTS=2 CHAOS_PITCHES=500 make chaos
    CHAOS_SEED=7 CHAOS_FAULTS=1 CHAOS_PITCHES=600 CHAOS_KINDS='cut|broker'\''s' make chaos

| fault |`)
	require.Contains(t, text, "| Postgres: primary and standby cut from each other | 2 | nobody can take over | 2.0 s, 3.0 s |\n")
}
