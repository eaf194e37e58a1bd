package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
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

// write prints the table, and puts it into the page where CHAOS_WRITE says so.
func (r *run) write(seed uint64) {
	r.Helper()
	r.Logf("\n%s", table(r.results))
	if os.Getenv("CHAOS_WRITE") == "" {
		return
	}
	path := filepath.Join(testkit.Root(), page)
	b, err := os.ReadFile(path)
	require.NoError(r, err)
	said := fmt.Sprintf("%s: %d faults, %d pitches (`CHAOS_SEED=%d`).\n\n", time.Now().Format(time.DateOnly), len(r.results),
		r.feed.tally.Records[0], seed)
	text, err := withTable(string(b), said+table(r.results))
	require.NoError(r, err)
	require.NoError(r, os.WriteFile(path, []byte(text), 0o644))
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
