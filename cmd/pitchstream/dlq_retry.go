package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/deadletter"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/sink/kafkasink"
)

type dlqRetryCmd struct {
	Places []string `arg:"" optional:"" name:"PARTITION:OFFSET" help:"Where the dead letters are in their topic: 3:1042. Without: all open ones that the filter takes."`

	DryRun   bool    `env:"-" name:"dry-run" help:"Send nothing: say how many would pass, and with which code the others would fail."`
	Passing  bool    `env:"-" name:"passing" help:"Send only those that would pass and change something, as --dry-run finds them."`
	Again    bool    `env:"-" name:"again" help:"Also dead letters that were retried or discarded before, and those that this build has tried."`
	Limit    int64   `env:"-" name:"limit" placeholder:"N" help:"Send at most N. Default: all."`
	Rate     float64 `env:"-" name:"rate" default:"200" placeholder:"N" help:"Send at most N records a second, so that the live games' pitches do not wait behind them; 0: as fast as Kafka takes them. Default: 200."`
	CoreOnly bool    `env:"-" name:"core-only" help:"Of --dry-run and --passing: ask the core only, not whether Postgres would refuse the row. Then reading is all that is done there."`
	JSON     bool    `env:"-" name:"json" help:"Print one JSON object instead of text."`

	Which   dlqFilter  `embed:""`
	Servers dlqServers `embed:""`
}

// Help returns the text of dlq retry --help below its first line.
func (*dlqRetryCmd) Help() string {
	return `
Sends the records of open dead letters to the raw topic again: key and value byte for byte, their own headers, their origin
(dlq.origin.*) and how often they have failed (dlq.attempts). A processor takes them as any record. Their version is that of
the origin, so one that is older than the current version never overwrites it, whenever it is retried.

Each record is sent once: Postgres (the table letter_decisions) records it before and after, so that the same command may be
interrupted, killed and repeated. It continues where it was, and when all are sent it sends nothing. A record that fails again
is a new dead letter with one attempt more. If this build has rejected it after a retry, and would reject it again in the same
way, a retry skips it. --again sends these too, and those that were retried or discarded before.
One retry runs at a time. Foreign dead letters (whose headers name no origin) are skipped: their records would be new ones.

--dry-run runs this build's core on the dead letters, compares them with the current versions of their pitches, and asks
Postgres whether it would take the rows (it writes them and rolls back). Run it with the build and the --max-record-bytes of
the processors.

  pitchstream dlq retry --dry-run
  pitchstream dlq retry --passing
  pitchstream dlq retry 3:1042
  pitchstream dlq retry --code sink_rejected --since 2026-04-06T21:30:00Z --limit 10
  pitchstream dlq retry --game 745804 --rate 20

Exit status of --dry-run: 0 all would pass, or there is none to retry; 1 some would fail again, or it failed.
Exit status without: 0 all were sent; 1 some were not, it failed, or it was interrupted. 2 wrong usage.`
}

// Validate checks the flags.
func (c *dlqRetryCmd) Validate() error {
	if _, err := letterPlaces(c.Places); err != nil {
		return err
	}
	switch {
	case c.Rate < 0 || math.IsNaN(c.Rate) || math.IsInf(c.Rate, 0):
		return fmt.Errorf("--rate=%v: want records a second, 0 or more", c.Rate)
	case c.Limit < 0:
		return fmt.Errorf("--limit=%d: want 0 (all) or more", c.Limit)
	case c.DryRun && (c.Limit > 0 || c.Passing):
		return errors.New("--dry-run reports all dead letters: leave out --limit and --passing")
	}
	return config.Postgres(c.Servers.Postgres).Validate()
}

// Run sends the records again, or with --dry-run predicts the outcome.
func (c *dlqRetryCmd) Run(ctx context.Context, std *stdio) error {
	o := terminal.ProgressOptions{Title: "dlq retry: looking", Noun: "letters"}
	looking := terminal.NewLateProgress(std.Err, o)
	defer looking.Stop()
	o.Title = "dlq retry: sending"
	sending := terminal.NewLateProgress(std.Err, o)
	defer sending.Stop()
	look := looking.Set
	sent := func(done, total int64) { // the second pass reports the records sent, not those read
		looking.Stop()
		look = func(int64, int64) {}
		sending.Set(done, total)
	}
	retry := func(ctx context.Context, desk *deadletter.Desk, filter deadletter.Filter) error {
		if c.DryRun {
			return c.predict(ctx, std, desk, filter, looking)
		}
		out, err := c.openSender(ctx)
		if err != nil {
			return err
		}
		defer out.Close()
		report, err := desk.Retry(ctx, deadletter.RetryOptions{
			Filter: filter, Again: c.Again, Passing: c.Passing, Limit: c.Limit, Batch: c.batch(), Progress: sent,
		}, out)
		sending.Stop()
		if printErr := c.print(std, report); err == nil {
			err = printErr
		}
		return orDifference(err, report.Refused > 0)
	}
	progress := func(done, total int64) { look(done, total) }
	return c.Servers.run(ctx, &c.Which, dlqRun{
		places: c.Places, coreOnly: c.CoreOnly, progress: progress, do: retry,
	})
}

// batch returns the records sent in one second at most, because a killed retry leaves a batch to search for.
func (c *dlqRetryCmd) batch() int {
	if c.Rate == 0 {
		return 0
	}
	return int(min(100, max(1, c.Rate)))
}

func (c *dlqRetryCmd) openSender(ctx context.Context) (*kafkasink.Producer, error) {
	options, err := c.Servers.Kafka.Options()
	if err != nil {
		return nil, err
	}
	return kafkasink.OpenProducer(ctx, kafkasink.ProducerOptions{
		Client: append(slices.Clone(options), kgo.RecordPartitioner(deadletter.Partitioner())),
		Topic:  c.Servers.Topics.TopicRaw, RecordsPerSecond: c.Rate,
		MaxRecordBytes: int(c.Servers.Limits.MaxRecordBytes) + 1<<20,
	})
}

func (c *dlqRetryCmd) predict(
	ctx context.Context, std *stdio, desk *deadletter.Desk, filter deadletter.Filter,
	looking *terminal.LateProgress,
) error {
	report, err := desk.Survey(ctx, deadletter.Question{Filter: filter, Again: c.Again, Predict: true})
	looking.Stop()
	if err != nil {
		return err
	}
	if c.JSON {
		err = terminal.PrintJSON(std.Out, report)
	} else {
		c.printPrediction(std, report)
	}
	return orDifference(err, report.WouldFail > 0)
}

func (c *dlqRetryCmd) printPrediction(std *stdio, r deadletter.Report) {
	if r.Selected == 0 {
		fmt.Fprintf(std.Out, "nothing to retry; dead letters: %s\n", statusText(r.Sums))
		return
	}
	fmt.Fprintln(std.Out, predictionText(r))
	for _, g := range r.Groups {
		if g.Selected == 0 {
			continue
		}
		superseded := ""
		if g.Superseded > 0 {
			superseded = ", " + terminal.Count(g.Superseded) + " superseded"
		}
		fmt.Fprintf(std.text(), "  %s of %s would pass%s: %s\n", terminal.Count(g.WouldPass+g.Superseded),
			terminal.Count(g.Selected), superseded, cmp.Or(g.Shape, string(g.Code), deadletter.NoCode))
	}
	if r.Tried > 0 && !c.Again {
		fmt.Fprintln(std.Out, triedText(r.Tried))
	}
	if r.Foreign > 0 {
		fmt.Fprintf(std.Out, "%s would be passed over\n", terminal.Counted(r.Foreign, "foreign dead letter"))
	}
}

func (c *dlqRetryCmd) print(std *stdio, r deadletter.RetryReport) error {
	if c.JSON {
		return terminal.PrintJSON(std.Out, r)
	}
	fmt.Fprintf(std.Out, "%s of %s sent to %s\n", terminal.Count(r.Sent),
		terminal.Counted(r.Selected, "dead letter"), c.Servers.Topics.TopicRaw)
	for _, p := range []terminal.CountOf{
		{N: r.Tried, What: "retried before with this build, would fail the same way: " +
			"passed over (--again sends them)"},
		{N: r.Before, What: "decided before, or failed again since: passed over"},
		{N: r.Found, What: "sent already by a retry that was ended: written down now"},
		{N: r.Foreign, What: "foreign, without an origin: passed over"},
		{N: r.Refused, What: "not taken by Kafka: still open"},
	} {
		if p.N > 0 {
			fmt.Fprintf(std.Out, "%s %s\n", terminal.Count(p.N), p.What)
		}
	}
	for _, reason := range r.Reasons {
		fmt.Fprintln(std.text(), "  "+reason)
	}
	return nil
}
