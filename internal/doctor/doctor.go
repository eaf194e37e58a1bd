// Package doctor checks the settings of Kafka, Postgres and Redis that the promise of pitchstream rests on.
//
// A broker that elects an unclean leader, a database without fsync, a Redis that evicts keys: all answer like
// any other server until the day of the fault. Run asks each server that it can reach for its settings. It
// reports those that break a guarantee, with the reason and the command that repairs them, and changes
// nothing. Settings that it may not ask for are listed as not checked.
//
//	kafka.go     brokers, topics, rights
//	postgres.go  server, role, schema, migrations
//	redis.go     server or nodes, rights
//	between.go   what only several servers know together: positions, identities of topics, memory, clocks
package doctor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/pitchstream/pitchstream/sink/redissink"
)

// Severity says how much a finding matters.
type Severity string

// The severities. Errors and warnings are findings; notes are kept apart.
const (
	Error   Severity = "error"   // data can be lost or wrong, or the stream stops
	Warning Severity = "warning" // a fault costs more than it must, or a limit is near
	Note    Severity = "note"    // right for a test system, and worth knowing elsewhere
)

// Finding is one setting that is not as it should be.
type Finding struct {
	Name     string   `json:"name"` // stable: postgres.fsync
	Severity Severity `json:"severity"`
	Seen     string   `json:"seen"` // what the server said
	Why      string   `json:"why"`  // what it can cost
	Fix      string   `json:"fix"`  // the command that repairs it
}

// Report is the result of Run.
type Report struct {
	Findings   []Finding `json:"findings"` // errors first, then warnings
	Notes      []Finding `json:"notes"`
	NotChecked []string  `json:"not_checked"` // "kafka.raw.retention.ms: not authorized", in order
	Checked    int       `json:"checked"`     // number of checks made
}

// Errors returns the number of findings that are errors.
func (r *Report) Errors() (n int) {
	for _, f := range r.Findings {
		if f.Severity == Error {
			n++
		}
	}
	return n
}

// Server is one of the servers.
type Server string

// The servers, in the order in which they are reported.
const (
	Kafka    Server = "kafka"
	Postgres Server = "postgres"
	Redis    Server = "redis"
)

// Command is a command whose rights are checked.
type Command string

// The commands with rights of their own.
const (
	ForRun     Command = "run"
	ForServe   Command = "serve"
	ForMigrate Command = "migrate"
)

// Options name the servers to check and what they are used for. A server without an address is left out.
type Options struct {
	Kafka                          []kgo.Opt // seed brokers, TLS, login; nil: none
	Group                          string
	RawTopic, RowsTopic, DeadTopic string
	MaxRecordBytes                 int64         // the largest record that is processed
	Backfill                       time.Duration // how far back a replay must reach

	PostgresURL string // "": none
	Schema      string
	Redis       *redissink.Config // nil: none

	For     Command       // whose rights to check
	Timeout time.Duration // for each server; 0: 10 s
	// Hint returns the remedy for an error of a client; "" if none is known. nil: none.
	Hint func(error) string
	Now  func() time.Time // this machine's clock; nil: time.Now
}

// exam is one Run. Each server's checks fill a list of their own, so that they run side by side.
type exam struct {
	o                      Options
	kafka, postgres, redis list
	seen                   evidence
}

// evidence is what the checks between servers compare. Each field is written by the checks of one server.
type evidence struct {
	topics    map[string]topicSeen // by role; Kafka
	positions []position           // Postgres
	sent      map[string]string    // IDs of the topics of rows and dead letters, by name; Postgres
	batters   int64                // batters and batter-games that Redis must hold; Postgres
	games     int64
	mu        sync.Mutex // guards memory and the list of Redis, because nodes are asked side by side
	memory    []memorySeen
}

// Run makes all checks. It returns an error only for settings of which no client can be made. A server that
// does not answer is a finding, and the others are still checked.
func Run(ctx context.Context, o Options) (*Report, error) {
	o.Timeout = cmp.Or(o.Timeout, 10*time.Second)
	o.For = cmp.Or(o.For, ForRun)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Hint == nil {
		o.Hint = func(error) string { return "" }
	}
	x := &exam{o: o}
	var g errgroup.Group
	for _, examine := range []func(context.Context, *exam) error{examineKafka, examinePostgres, examineRedis} {
		g.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, o.Timeout)
			defer cancel()
			return examine(ctx, x)
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	x.askAgain(ctx)
	between := x.compare()
	r := &Report{Findings: []Finding{}, Notes: []Finding{}, NotChecked: []string{}}
	for _, l := range []*list{&x.kafka, &x.postgres, &x.redis, between} {
		r.Checked += l.checked
		r.NotChecked = append(r.NotChecked, l.notChecked...)
		for _, f := range l.found {
			if f.Severity == Note {
				r.Notes = append(r.Notes, f)
			} else {
				r.Findings = append(r.Findings, f)
			}
		}
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Compare(a.Severity, b.Severity) // error, warning
	})
	return r, nil
}

// list collects the results of checks.
type list struct {
	found      []Finding
	notChecked []string
	checked    int
}

// check counts one check, and keeps the finding if it is bad.
func (l *list) check(bad bool, f Finding) {
	l.checked++
	if bad {
		l.found = append(l.found, f)
	}
}

// skip notes a check that could not be made.
func (l *list) skip(name string, reason any) {
	l.notChecked = append(l.notChecked, fmt.Sprintf("%s: %v", name, reason))
}

// rule is one check of one setting.
type rule struct {
	setting  string // as its server spells it
	bad      func(value string) bool
	severity Severity
	why, fix string
}

// apply checks settings by rules. name begins the names of findings, what their text. A rule whose setting is
// missing cannot be checked.
func (l *list) apply(name, what string, settings map[string]string, rules []rule) {
	for _, r := range rules {
		value, known := settings[r.setting]
		if !known {
			l.skip(name+r.setting, "the server does not report it")
			continue
		}
		seen := fmt.Sprintf("%s%s = %s", what, r.setting, cmp.Or(value, "(empty)"))
		l.check(r.bad(value), Finding{name + r.setting, r.severity, seen, r.why, r.fix})
	}
}

// unreachable reports a server that does not answer.
func (x *exam) unreachable(l *list, s Server, err error, why string) {
	fix := cmp.Or(x.o.Hint(fmt.Errorf("%s: %w", s, err)),
		"look at the address in the settings, and whether the server runs")
	l.check(true, Finding{string(s) + ".reachable", Error, "it does not answer: " + err.Error(), why, fix})
}

// is returns a condition that holds for some values.
func is(values ...string) func(string) bool {
	return func(v string) bool { return slices.Contains(values, v) }
}

// isNot returns a condition that holds for all other values.
func isNot(values ...string) func(string) bool {
	return func(v string) bool { return !slices.Contains(values, v) }
}

// within returns a condition that holds for a number from least to most, both included.
func within(least, most float64) func(string) bool {
	return func(v string) bool {
		n, err := strconv.ParseFloat(v, 64)
		return err == nil && least <= n && n <= most
	}
}
